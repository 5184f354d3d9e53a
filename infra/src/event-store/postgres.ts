import { type Append, CheckpointMoved, type CheckpointMove, type EventStore, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Positioned, Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { upcast, type Upgrades } from '@kiroku/domain/kernel/upcast.js';
import type pg from 'pg';
import type { Hints } from '../event-log/hints.js';
import { surelyFailed } from '../read-model/database.js';
import type { Pipeline, Projector } from '../read-model/projector.js';
import { pipelined } from './pipeline.js';

/** Events per row; a longer append to one stream takes several rows. */
const MOST_PER_ROW = 500;
/** Characters per row, unless one event alone has more: who reads the last event of a stream reads the row it is in. */
const ROW_SIZE = 256 << 10;
/** Up to so many rows go as values of their own: an array would have long texts escaped, character by character. */
const FEW = 16;
/** Events per transaction, unless a single call brings more. */
const MOST_PER_APPEND = 4_000;

interface Waiting {
  readonly appends: readonly Append[];
  readonly checkpoints: readonly CheckpointMove[];
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

  constructor(
    private readonly pool: pg.Pool,
    private readonly hints: Hints,
    private readonly inline: readonly Projector[],
    private readonly upgrades: Upgrades = {},
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
    return new Promise((resolve, reject) => {
      this.#queue.push({ appends, checkpoints, resolve, reject });
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#busy || this.#queue.length === 0) return;
    this.#busy = true;
    setImmediate(() => {
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
    let events = 0;
    for (const call of this.#queue) {
      const names = [...call.appends.map((a) => a.stream), ...call.checkpoints.map((c) => `${c.consumer}/${c.topic}/${c.partition}`)];
      const size = call.appends.reduce((n, a) => n + a.events.length, 0);
      const fits = batch.length === 0 || (events + size <= MOST_PER_APPEND && !names.some((n) => touched.has(n)));
      (fits ? batch : later).push(call);
      for (const name of names) touched.add(name);
      if (fits) events += size;
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
        this.hints.send('decision', [0]);
        return;
      } catch (error) {
        const guilty = calls.filter((call) => concerns(error, call));
        if (guilty.length === 0) {
          // Not a conflict. One call's data may be at fault (or all fail alike): each on its own, so that none suffers for another.
          // Not after a lost connection: what had been committed would come back as a conflict with itself.
          if (calls.length > 1 && surelyFailed(error)) return this.#oneByOne(calls);
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
    const checkpoints = calls.flatMap((c) => c.checkpoints);
    // Inline views may not depend on positions: they are known only to the history (hence -1).
    const events: Positioned[] = appends.flatMap(({ stream, expected, events: its }) =>
      its.map((event, i) => ({ position: -1, key: stream, version: expected + i + 1, event })));
    await pipelined(this.pool, async (db) => {
      const accepted = Promise.all([appendTo(db, appends), moveIn(db, checkpoints)]).then(() => undefined);
      const views = this.#concerned(events).map((view) => view.apply(db, events, accepted));
      // All have to be done with the connection before the transaction ends, one way or the other.
      await Promise.allSettled([accepted, ...views]);
      await accepted;
      await Promise.all(views);
    });
  }

  /** Most events concern few views. */
  #concerned(events: readonly Positioned[]): readonly Projector[] {
    const types = new Set(events.map(({ event }) => event.type));
    return this.inline.filter(({ projection }) => projection.types.some((type) => types.has(type)));
  }

  async checkpoint(consumer: string, topic: Topic, partition: number): Promise<number> {
    const { rows } = await this.pool.query<{ position: number }>(
      'SELECT position FROM history.checkpoint WHERE consumer = $1 AND topic = $2 AND partition = $3', [consumer, topic, partition]);
    return rows[0]?.position ?? 0;
  }
}

/** @throws VersionConflict */
async function appendTo(db: Pipeline, appends: readonly Append[]): Promise<void> {
  if (appends.length === 0) return;
  const [streams, expected, versions, counts, lists] = rowsOf(appends);
  const few = lists.length <= FEW;
  const { rows } = await db.query<{ conflicts: string[] | null }>({
    name: few ? `append-decisions-${lists.length}` : 'append-decisions',
    text: `SELECT history.append_decisions($1, $2, $3, $4, ${few ? `ARRAY[${lists.map((_, i) => `$${i + 5}`).join(', ')}]::text[]` : '$5'}) AS conflicts`,
    values: [streams, expected, versions, counts, ...(few ? lists : [lists])],
  });
  const conflicts = rows[0]?.conflicts;
  if (conflicts) throw new VersionConflict(conflicts);
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

/** Columns for `append_decisions`: streams, expected versions, versions before each row, counts, JSON lists. */
function rowsOf(appends: readonly Append[]): [string[], (number | null)[], number[], number[], string[]] {
  const columns: ReturnType<typeof rowsOf> = [[], [], [], [], []];
  for (const { stream, expected, events } of appends) {
    let part: string[] = [];
    let size = 0;
    let start = 0;
    const close = (): void => {
      columns[0].push(stream);
      columns[1].push(start === 0 ? expected : null);
      columns[2].push(expected + start);
      columns[3].push(part.length);
      columns[4].push(`[${part.join(',')}]`);
      start += part.length;
      part = [];
      size = 0;
    };
    for (const event of events) {
      const json = JSON.stringify(event);
      if (part.length > 0 && (part.length >= MOST_PER_ROW || size + json.length > ROW_SIZE)) close();
      part.push(json);
      size += json.length;
    }
    close();
  }
  return columns;
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
