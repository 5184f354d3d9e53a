import { expand } from '@kiroku/domain/delivery/expand.js';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import { quarantineAggregate, quarantineDecider, quarantineStream, type SetAside } from '@kiroku/domain/delivery/quarantine.js';
import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import { type Append, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, load, record } from '@kiroku/domain/kernel/execute.js';
import type { Directory } from '@kiroku/domain/mail/directory-port.js';
import type pg from 'pg';
import type { Caution } from './caution.js';
import { isOwnFault } from './fault.js';
import { mailOf, type Prepare } from './local-delivery.js';
import type { Accepted } from './pieces.js';
import type { Placement } from './placement.js';
import { setAside } from './quarantine.js';

/** Messages per round: the next one comes soon. */
const AT_ONCE = 50;
/** Other processes write the same mailboxes. */
const ATTEMPTS = 25;

interface Row { readonly message_id: string; readonly partition: number; readonly position: number; readonly tries: number; readonly since: number }
interface Parts {
  readonly pool: pg.Pool;
  readonly log: Pick<EventLog, 'at'>;
  readonly engine: Engine;
  readonly directory: Directory;
  readonly placement: Placement;
  readonly prepare: Prepare;
  /** Set aside once more because of this error. */
  readonly quarantined: (messageId: string, error: unknown) => void;
  readonly caution?: Caution | undefined;
}

/** Delivers messages set aside that an administrator wants tried again, each once per wish: delivered and out of the quarantine in one append. */
export class Retrials {
  /** Messages set aside, as of the last round. */
  size = 0;
  /** The one that had ended the process before was set aside. */
  #returned = false;

  constructor(private readonly parts: Parts) {}

  /** @returns messages delivered. @throws what stands in everybody's way; the next round tries again. */
  async round(): Promise<number> {
    const { pool } = this.parts;
    const { rows: [count] } = await pool.query<{ n: number }>({ name: 'quarantine-size', text: 'SELECT count(*) AS n FROM view.quarantine_1' });
    this.size = count?.n ?? 0;
    if (this.size === 0) return 0;
    const { rows } = await pool.query<Row>({
      name: 'quarantine-retrying',
      text: `SELECT message_id, partition, position, tries, since FROM view.quarantine_1 WHERE state = 'retrying' ORDER BY message_id LIMIT ${AT_ONCE}`,
    });
    let delivered = 0;
    for (const row of rows) if (await this.#retry(row)) delivered++;
    return delivered;
  }

  async #retry({ message_id: messageId, partition, position, tries, since }: Row): Promise<boolean> {
    const { log, caution } = this.parts;
    const [found] = await log.at('mail', partition, [position]);
    const accepted = found?.event.type === 'MessageAccepted' ? (found.event as Accepted) : undefined;
    if (accepted?.data.messageId !== messageId) throw new Error(`the log does not hold ${messageId} at ${partition}/${position}`);
    const back = (error: unknown): Promise<false> => this.#back(accepted, { partition, position }, error, { tries: tries + 1, since });
    if (caution?.endedBy === messageId && !this.#returned) {
      await back(caution.error);
      this.#returned = true;
      void caution.retrying(undefined);
      return false;
    }
    const announced = caution?.active === true;
    if (announced) await caution.retrying(messageId);
    try {
      return await this.#deliver(messageId, accepted);
    } catch (error) {
      this.parts.placement.forgetAll(); // the outcome may be unknown
      if (!isOwnFault(error)) throw error;
      return await back(error);
    } finally {
      if (announced) void caution.retrying(undefined);
    }
  }

  /** Sets it aside once more. */
  async #back({ id, data: { messageId, sha256, size } }: Accepted, place: Pick<SetAside, 'partition' | 'position'>, error: unknown, times: Pick<SetAside, 'tries' | 'since'>): Promise<false> {
    const { engine, quarantined } = this.parts;
    const aside = await setAside(engine, { messageId, sha256, size, ...place, causation: id }, error, times);
    if (aside.length > 0) await engine.store.append(aside);
    quarantined(messageId, error);
    return false;
  }

  async #deliver(messageId: string, accepted: Accepted): Promise<boolean> {
    const { engine, directory, placement, prepare } = this.parts;
    const mails = [mailOf(accepted)];
    const expansions = await prepare(mails, await expand([accepted.data.recipients.map((r) => r.address)], (addresses) => directory.lookup(addresses)));
    const stream = quarantineStream(messageId);
    const { version, state } = await load(engine.store, quarantineAggregate, stream);
    const facts = quarantineDecider.decide({ type: 'End', messageId }, state);
    if (state !== 'retrying') return false; // another process was faster
    const origin = { actor: 'system:delivery', correlation: messageId, causation: accepted.id };
    const end: Append = { stream, expected: version, events: record(facts, engine, origin, quarantineAggregate.upgrades) };
    const decided = new Set<string>();
    for (let attempt = 1; ; attempt++) {
      const placed = await placement.appends(mails, expansions, decided);
      try {
        await engine.store.append([...placed.map((p) => p.append), end]);
        placement.appended(placed);
        return true;
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
        if (error.streams.includes(stream)) return false;
        placement.forget(error.streams);
        if (error.streams.includes(messageStream(messageId))) decided.add(messageStream(messageId)); // delivered before it was set aside
      }
    }
  }
}
