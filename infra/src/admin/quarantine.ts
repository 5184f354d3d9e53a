import { quarantineAggregate, quarantineStream } from '@kiroku/domain/delivery/quarantine.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { type Engine, execute } from '@kiroku/domain/kernel/execute.js';
import type pg from 'pg';
import { type Page, pageOf, type PageQuery } from './page.js';

/** A message set aside because a fault of ours kept it from being delivered here. */
export interface QuarantinedInfo {
  readonly messageId: string;
  /** `retrying`: an administrator has asked for it; delivery gets to it within seconds. */
  readonly state: 'aside' | 'retrying';
  readonly error: string;
  readonly tries: number;
  /** Epoch ms: the first try; set aside. */
  readonly since: number;
  readonly asideAt: number;
  readonly size: number;
}

interface Row { readonly message_id: string; readonly state: 'aside' | 'retrying'; readonly error: string; readonly tries: number; readonly since: number; readonly aside_at: number; readonly size: number }

const AT_ONCE = 500;
const GONE = ['not-quarantined', 'already-discarded'];

/** Messages set aside, as administrators see them. */
export class QuarantineAdmin {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
  ) {}

  async list({ after, limit }: PageQuery): Promise<Page<QuarantinedInfo>> {
    const { rows } = await this.pool.query<Row>({
      name: 'quarantine-list',
      text: `SELECT message_id, state, error, tries, since, aside_at, size FROM view.quarantine_1 WHERE message_id > coalesce($1, '') ORDER BY message_id LIMIT $2`,
      values: [after ?? null, limit + 1],
    });
    return pageOf(rows, limit, ({ message_id, aside_at, ...row }) => ({ messageId: message_id, asideAt: aside_at, ...row }), (row) => row.message_id);
  }

  /** Has one tried again. @throws Refusal `not-quarantined`, `already-discarded`, `bad-reason` */
  async retry(messageId: string, reason: string, origin: Origin): Promise<void> {
    await execute(this.engine, quarantineAggregate, quarantineStream(messageId), { type: 'Retry', messageId, reason }, origin);
  }

  /** Gives one up for good. @throws Refusal `not-quarantined`, `already-discarded`, `bad-reason` */
  async discard(messageId: string, reason: string, origin: Origin): Promise<void> {
    await execute(this.engine, quarantineAggregate, quarantineStream(messageId), { type: 'Discard', messageId, reason }, origin);
  }

  /** Has all tried again that are not being tried already. @returns how many. @throws Refusal `bad-reason` */
  async retryAll(reason: string, origin: Origin): Promise<number> {
    let asked = 0;
    for (let after = ''; ; ) {
      const { rows } = await this.pool.query<{ message_id: string }>({
        name: 'quarantine-aside',
        text: `SELECT message_id FROM view.quarantine_1 WHERE state = 'aside' AND message_id > $1 ORDER BY message_id LIMIT ${AT_ONCE}`, values: [after],
      });
      // Delivery, or another administrator, may be faster than this loop: what is delivered or discarded meanwhile is refused, and done.
      for (const { message_id } of rows)
        await this.retry(message_id, reason, origin).then(() => asked++, (error: unknown) => { if (!(error instanceof Refusal) || !GONE.includes((error as Refusal).reason)) throw error; });
      const last = rows.at(-1);
      if (last === undefined || rows.length < AT_ONCE) return asked;
      after = last.message_id;
    }
  }
}
