import { randomUUID } from 'node:crypto';
import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import { upcast, type Upgrades } from '@kiroku/domain/kernel/upcast.js';
import type pg from 'pg';
import type { Hints } from '../event-log/hints.js';
import type { Pipeline, Projector } from '../read-model/projector.js';
import { type Run, writeDecisions } from './decision-rows.js';
import type { KurrentConnection } from './kurrentdb-connection.js';
import { type BatchEnd, batchEndOf, type Kept, keptOf, type KurrentRecord, type Position, type StreamNames } from './kurrentdb-records.js';
import { pipelined } from './pipeline.js';

/** Events per page at first, at most, and bytes (of data) that a page should have. */
const FIRST_PAGE = 200;
const LARGEST_PAGE = 4_000;
const PAGE_SIZE = 4 << 20;
/** Batches after which the place to read from is brought nearer. */
const STALE = 1_000;
/** Events that the order stream keeps: one would do. */
const ORDER_KEPT = 10;

interface State { readonly original: string; readonly batch: number; readonly commit_position: number | null; readonly prepare_position: number | null; readonly position_batch: number }
interface Page { readonly kept: readonly Kept[]; readonly end: BatchEnd | undefined; readonly batch: number; readonly last: KurrentRecord | undefined }

/** The copy of KurrentDB's decisions in history.decision, with the inline views. It can be made again from nothing. */
export class KurrentCopy {
  #page = FIRST_PAGE;

  constructor(
    private readonly pool: pg.Pool,
    private readonly hints: Hints,
    private readonly inline: readonly Projector[],
    private readonly upgrades: Upgrades,
    private readonly kurrent: KurrentConnection,
    private readonly names: StreamNames,
    /** Told of events in our streams that somebody else wrote; they are left out. */
    private readonly trouble: (error: unknown) => void,
  ) {}

  /**
   * Makes the copy's row when there is none, and sees that it is the copy of this original.
   * @throws when it is not: another KurrentDB, one that was restored from an older backup, or a history that began in PostgreSQL.
   */
  async settle(): Promise<void> {
    const last = await this.kurrent.last(this.names.order);
    const history = (last && batchEndOf(last, this.names)?.history) ?? randomUUID();
    await this.pool.query('INSERT INTO history.decision_copy (original) SELECT $1 WHERE NOT EXISTS (SELECT FROM history.decision) ON CONFLICT DO NOTHING', [history]);
    const { rowCount } = await this.pool.query('SELECT FROM history.decision_copy');
    if (rowCount === 0) throw new Error('the history in PostgreSQL is an original of its own: KurrentDB can be used from the first event on only');
    await this.#behind(await this.#state());
    // Without it the stream is longer than it need be, no more.
    if (!last) await this.kurrent.limit(this.names.order, ORDER_KEPT).catch(this.trouble);
  }

  /** Copies what is missing. @returns how many events. */
  async catchUp(): Promise<number> {
    let copied = 0;
    for (let before: State | undefined; ;) {
      const state = await this.#state();
      const behind = await this.#behind(state);
      if (behind === 0) {
        if (state.batch - state.position_batch > STALE) await this.#comeNearer();
        return copied;
      }
      if (state.batch === before?.batch && state.commit_position === before.commit_position) throw new Error(`KurrentDB has ${behind} batches that cannot be read`);
      copied += await this.#copyPage();
      before = state;
    }
  }

  async #state(db: Pick<Pipeline, 'query'> = this.pool, lock = ''): Promise<State> {
    const { rows } = await db.query<State>(`SELECT original, batch, commit_position, prepare_position, position_batch FROM history.decision_copy ${lock}`);
    if (!rows[0]) throw new Error('the copy of the decisions was not begun');
    return rows[0];
  }

  /** @returns how many batches the copy, being as `state` says, lacks. Asked later than `state` was read: the original cannot have less. */
  async #behind({ original, batch }: State): Promise<number> {
    const last = await this.kurrent.last(this.names.order);
    const end = last && batchEndOf(last, this.names);
    if (end && end.history !== original) throw new Error('PostgreSQL has a copy of another history than the one in this KurrentDB');
    const behind = (last?.revision ?? -1) + 1 - batch;
    if (behind < 0) throw new Error('PostgreSQL has copied more than this KurrentDB has: it is another one, or was restored from an older backup');
    return behind;
  }

  async #copyPage(): Promise<number> {
    let page: Page | undefined;
    await pipelined(this.pool, async (db) => {
      const state = await this.#state(db, 'FOR UPDATE');
      page = await this.#next(state);
      await this.#write(db, page);
    });
    const copied = page?.kept.length ?? 0;
    if (copied > 0) this.hints.send('decision', [0]);
    return copied;
  }

  /** Whole batches behind `state`, some thousand events of them at most; a single batch may have more. */
  async #next(state: State): Promise<Page> {
    const from: Position | undefined = state.commit_position === null ? undefined : { commit: state.commit_position, prepare: state.prepare_position ?? state.commit_position };
    for (;;) {
      const records = await this.kurrent.all(this.names.start, from, this.#page);
      const page = this.#whole(records, state);
      if ((page.last && page.last.position.commit !== from?.commit) || records.length < this.#page) {
        this.#fit(page.kept);
        return page;
      }
      this.#page *= 2;
    }
  }

  /** A batch is whole when its end was read, or something of a later one: old ends are scavenged. */
  #whole(records: readonly KurrentRecord[], state: State): Page {
    let page: Page = { kept: [], end: undefined, batch: state.batch, last: undefined };
    const kept: Kept[] = [];
    let whole = 0;
    let current = 0;
    let before: KurrentRecord | undefined;
    for (const record of records) {
      const end = batchEndOf(record, this.names);
      const decision = end ? undefined : keptOf(record, this.names);
      if (!end && !decision) {
        this.trouble(new Error(`somebody else wrote to stream ${record.stream} in KurrentDB`));
        continue;
      }
      const batch = end ? record.revision + 1 : (decision?.batch ?? 0);
      if (batch > current && before) page = { ...page, batch: Math.max(page.batch, current), last: before };
      if (batch > current) whole = kept.length;
      if (decision && batch > state.batch) kept.push(decision);
      if (end) {
        whole = kept.length;
        page = { ...page, end: batch > state.batch ? end : page.end, batch: Math.max(page.batch, batch), last: record };
      }
      [current, before] = [batch, record];
    }
    return { ...page, kept: kept.slice(0, whole) };
  }

  /** Pages about as large as they should be. */
  #fit(kept: readonly Kept[]): void {
    if (kept.length === 0) return;
    const size = kept.reduce((n, { event }) => n + JSON.stringify(event.data).length, 0);
    this.#page = Math.min(LARGEST_PAGE, Math.max(FIRST_PAGE, Math.floor((kept.length * PAGE_SIZE) / Math.max(size, 1))));
  }

  async #write(db: Pipeline, { kept, end, batch, last }: Page): Promise<void> {
    if (!last) return;
    const events: Positioned[] = kept.map(({ stream, version, event }) => ({ position: -1, key: stream, version, event: upcast(event, this.upgrades) }));
    await writeDecisions(db, this.inline, runsOf(kept), events, () => Promise.resolve()).catch((error: unknown) => {
      throw error instanceof Error && 'streams' in error ? new Error('the copy in PostgreSQL does not fit KurrentDB', { cause: error }) : error;
    });
    const moved = Object.entries(end?.checkpoints ?? {}).map(([name, position]) => ({ ...placeOf(name), position }));
    if (moved.length > 0)
      db.send({
        text: `INSERT INTO history.checkpoint SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[])
               ON CONFLICT (consumer, topic, partition) DO UPDATE SET position = excluded.position`,
        values: [moved.map((m) => m.consumer), moved.map((m) => m.topic), moved.map((m) => m.partition), moved.map((m) => m.position)],
      });
    db.send({
      text: `UPDATE history.decision_copy SET batch = $1, position_batch = $1, commit_position = $2, prepare_position = $3, checkpoints = checkpoints || $4::jsonb`,
      values: [batch, last.position.commit, last.position.prepare, JSON.stringify(end?.checkpoints ?? {})],
    });
  }

  /** What was copied when it was written is not read again by the next who has to read. */
  async #comeNearer(): Promise<void> {
    const last = await this.kurrent.lastOfAll(this.names.start);
    if (!last || !batchEndOf(last, this.names)) return;
    await this.pool.query(
      'UPDATE history.decision_copy SET position_batch = $1, commit_position = $2, prepare_position = $3 WHERE batch >= $1 AND position_batch < $1',
      [last.revision + 1, last.position.commit, last.position.prepare]);
  }
}

/** Consecutive events of a stream together. */
function runsOf(kept: readonly Kept[]): readonly Run[] {
  const runs: (Run & { readonly events: Kept['event'][] })[] = [];
  const seen = new Set<string>();
  for (const { stream, version, event } of kept) {
    const run = runs.at(-1);
    if (run?.stream === stream) run.events.push(event);
    else runs.push({ stream, expected: seen.has(stream) ? null : version - 1, after: version - 1, events: [event] });
    seen.add(stream);
  }
  return runs;
}

/** The consumer's name may have any character in it. */
function placeOf(name: string): { readonly consumer: string; readonly topic: string; readonly partition: number } {
  const parts = name.split('/');
  return { consumer: parts.slice(0, -2).join('/'), topic: parts.at(-2) ?? '', partition: Number(parts.at(-1)) };
}
