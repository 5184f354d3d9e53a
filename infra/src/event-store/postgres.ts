import { type Append, CheckpointMoved, type CheckpointMove, type EventStore, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Positioned, Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { upcast, type Upgrades } from '@kiroku/domain/kernel/upcast.js';
import type pg from 'pg';
import type { Hints } from '../event-log/hints.js';
import { changeMark, type Growth } from '../postgres/change-mark.js';
import { surelyFailed } from '../read-model/database.js';
import type { Pipeline, Projector } from '../read-model/projector.js';
import { writeAtOnce, writeDecisions } from './decision-rows.js';
import { type Batch, type Original, TooLarge } from './original.js';
import { pipelined } from './pipeline.js';
import { RowMemory } from './row-memory.js';

/** Events per transaction, unless a single call brings more. */
const MOST_PER_APPEND = 4_000;
/** Times that a copy may turn out to be behind what it copies before it is given up. */
const ATTEMPTS = 5;

interface Waiting {
  readonly appends: readonly Append[];
  readonly checkpoints: readonly CheckpointMove[];
  /** Bytes; 0 where they do not matter. */
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The event store in PostgreSQL, in the same history that the event log's topic `decision` reads. Calls that wait at the same
 * time share one transaction, in which the inline views are written too: whoever reads after `append` returned sees its effect.
 */
export class PostgresEventStore implements EventStore {
  #queue: Waiting[] = [];
  #busy = false;
  readonly #memory = new RowMemory();

  constructor(
    private readonly pool: pg.Pool,
    private readonly hints: Hints,
    private readonly inline: readonly Projector[],
    private readonly upgrades: Upgrades = {},
    /** When PostgreSQL has but a copy. */
    private readonly original?: Original,
  ) {}

  async read(stream: string, after = 0) {
    const { rows } = await this.pool.query<{ version: number; count: number; events: string }>({
      name: 'read-stream',
      text: 'SELECT version, count, events FROM history.decision WHERE stream = $1 AND version + count > $2 + 1 ORDER BY version',
      values: [stream, after],
    });
    const last = rows.at(-1);
    if (!last) return { version: after === 0 ? 0 : await this.#version(stream), events: [] };
    const events = rows.flatMap((row) => (JSON.parse(row.events) as readonly Recorded[]).filter((_, i) => row.version + i > after));
    return { version: last.version + last.count - 1, events: events.map((e) => upcast(e, this.upgrades)) };
  }

  async #version(stream: string): Promise<number> {
    return (await this.readLast([stream])).get(stream)?.version ?? 0;
  }

  async readLast(streams: readonly string[]) {
    const { rows } = await this.pool.query<{ stream: string; version: number; events: string }>({
      name: 'read-last',
      text: `SELECT s.stream, l.version, l.events FROM unnest($1::text[]) AS s(stream), LATERAL (
               SELECT version + count - 1 AS version, events FROM history.decision d
               WHERE d.stream = s.stream ORDER BY d.version DESC LIMIT 1) l`,
      values: [streams],
    });
    const lastOf = (events: string): Recorded => (JSON.parse(events) as readonly Recorded[]).at(-1) as Recorded;
    return new Map(rows.map(({ stream, version, events }) => [stream, { version, event: upcast(lastOf(events), this.upgrades) }] as const));
  }

  append(appends: readonly Append[], checkpoints: readonly CheckpointMove[] = []): Promise<void> {
    if (appends.some((a) => a.events.length === 0)) return Promise.reject(new RangeError('an append without events'));
    if (new Set(appends.map((a) => a.stream)).size !== appends.length) return Promise.reject(new RangeError('a stream twice in one append'));
    const bytes = this.original ? appends.reduce((sum, { stream, events }) => sum + sizeOf(stream, events), 0) : 0;
    return new Promise((resolve, reject) => {
      this.#queue.push({ appends, checkpoints, bytes, resolve, reject });
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#busy || this.#queue.length === 0) return;
    this.#busy = true;
    // Who appends has gathered already: what is decided in this turn goes together.
    process.nextTick(() => {
      const batch = this.#take();
      void this.#settle(batch).finally(() => {
        this.#busy = false;
        this.#pump();
      });
    });
  }

  /** Calls in order of arrival, as long as no two touch the same stream or checkpoint and the transaction stays small. */
  #take(): readonly Waiting[] {
    const touched = new Set<string>();
    const batch: Waiting[] = [];
    const later: Waiting[] = [];
    const room = this.original?.room ?? 0;
    let events = 0;
    let bytes = 0;
    for (const call of this.#queue) {
      const names = [...call.appends.map((a) => a.stream), ...call.checkpoints.map((c) => `${c.consumer}/${c.topic}/${c.partition}`)];
      const size = call.appends.reduce((n, a) => n + a.events.length, 0);
      const fits = batch.length === 0 || (events + size <= MOST_PER_APPEND && bytes + call.bytes <= room && !names.some((n) => touched.has(n)));
      (fits ? batch : later).push(call);
      for (const name of names) touched.add(name);
      if (fits) [events, bytes] = [events + size, bytes + call.bytes];
    }
    this.#queue = later;
    return batch;
  }

  async #settle(batch: readonly Waiting[]): Promise<void> {
    let calls = batch;
    while (calls.length > 0) {
      try {
        await this.#write(calls);
        for (const call of calls) call.resolve();
        // Who waits for this append goes on first.
        setImmediate(() => this.hints.send('decision', [0]));
        return;
      } catch (error) {
        const guilty = calls.filter((call) => concerns(error, call));
        if (guilty.length === 0) {
          // Not a conflict. One call's data may be at fault (or all fail alike): each on its own, so that none suffers for another.
          // Not after a lost connection: what had been committed would come back as a conflict with itself.
          if (calls.length > 1 && (surelyFailed(error) || error instanceof TooLarge)) return this.#oneByOne(calls);
          for (const call of calls) call.reject(error);
          return;
        }
        for (const call of guilty) call.reject(narrowed(error, call));
        calls = calls.filter((call) => !guilty.includes(call));
      }
    }
  }

  async #oneByOne(calls: readonly Waiting[]): Promise<void> {
    for (const call of calls) await this.#write([call]).then(call.resolve, call.reject);
    this.hints.send('decision', [0]);
  }

  async #write(calls: readonly Waiting[]): Promise<void> {
    const appends = calls.flatMap((c) => c.appends);
    let grown: Growth | undefined;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          await this.#transact(appends, calls.flatMap((c) => c.checkpoints));
          // What an original has had for longer may have been caught up with as well.
          if (!this.original) grown = new Map(appends.map(({ stream, expected, events }) => [stream, expected + events.length]));
          return;
        } catch (error) {
          if (attempt === ATTEMPTS || (await this.original?.caughtUp(error)) !== true) throw error;
        }
      }
    } finally {
      changeMark(this.pool).move(grown); // whatever came of it
    }
  }

  async #transact(appends: readonly Append[], checkpoints: readonly CheckpointMove[]): Promise<void> {
    // Inline views may not depend on positions: they are known only to the history (hence -1).
    const events: Positioned[] = appends.flatMap(({ stream, expected, events: its }) =>
      its.map((event, i) => ({ position: -1, key: stream, version: expected + i + 1, event })));
    const runs = appends.map(({ stream, expected, events: its }) => ({ stream, expected, after: expected, events: its }));
    const { original } = this;
    if (!original && checkpoints.length === 0) {
      const known = this.#memory.attempt(appends, this.hints.epoch);
      if (await writeAtOnce(this.pool, this.inline, runs, events, known)) return known.committed();
    }
    const known = this.#memory.attempt(appends, this.hints.epoch);
    if (!original) await pipelined(this.pool, (db) => writeDecisions(db, this.inline, runs, events, () => moveIn(db, checkpoints), known));
    else {
      let batch: Promise<Batch>;
      await pipelined(this.pool, (db) => {
        batch = original.begin(db, checkpoints);
        return writeDecisions(db, this.inline, runs, events, () => Promise.all([batch, moveIn(db, checkpoints)]), known);
      }, async () => (await batch).keep(appends));
    }
    known.committed();
  }

  async checkpoint(consumer: string, topic: Topic, partition: number): Promise<number> {
    const { rows } = await this.pool.query<{ position: number }>(
      'SELECT position FROM history.checkpoint WHERE consumer = $1 AND topic = $2 AND partition = $3', [consumer, topic, partition]);
    return rows[0]?.position ?? 0;
  }
}

/** @throws CheckpointMoved */
async function moveIn(db: Pipeline, checkpoints: readonly CheckpointMove[]): Promise<void> {
  if (checkpoints.length === 0) return;
  const { rows } = await db.query<{ stuck: number | null }>({
    name: 'move-checkpoints',
    text: 'SELECT history.move_checkpoints($1, $2, $3, $4, $5) AS stuck',
    values: [checkpoints.map((c) => c.consumer), checkpoints.map((c) => c.topic), checkpoints.map((c) => c.partition), checkpoints.map((c) => c.from), checkpoints.map((c) => c.to)],
  });
  const stuck = checkpoints[(rows[0]?.stuck ?? 0) - 1];
  if (stuck) throw new CheckpointMoved(`${stuck.consumer}/${stuck.topic}/${stuck.partition}`);
}

/** Is this failure about that call? */
function concerns(error: unknown, call: Waiting): boolean {
  if (error instanceof VersionConflict) return call.appends.some((a) => error.streams.includes(a.stream));
  if (error instanceof CheckpointMoved) return call.checkpoints.some((c) => error.consumer === `${c.consumer}/${c.topic}/${c.partition}`);
  return false;
}

/** A conflict told to one call names only its own streams. */
const narrowed = (error: unknown, call: Waiting): unknown =>
  error instanceof VersionConflict ? new VersionConflict(error.streams.filter((s) => call.appends.some((a) => a.stream === s))) : error;

/** Bytes in the original: each event has an envelope and the stream's name around it. */
const sizeOf = (stream: string, events: readonly Recorded[]): number =>
  events.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)) + stream.length + 100, 0);
