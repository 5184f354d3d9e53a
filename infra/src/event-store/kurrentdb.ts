import { randomUUID } from 'node:crypto';
import type { Topic } from '@kiroku/domain/kernel/event-log.js';
import { type Append, CheckpointMoved, type CheckpointMove, type EventStore, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Upgrades } from '@kiroku/domain/kernel/upcast.js';
import type pg from 'pg';
import type { Hints } from '../event-log/hints.js';
import { surelyFailed } from '../read-model/database.js';
import type { Pipeline, Projector } from '../read-model/projector.js';
import { asAway } from './kurrentdb-away.js';
import { KurrentConnection, StreamMoved } from './kurrentdb-connection.js';
import { KurrentCopy } from './kurrentdb-copy.js';
import { endOf, recordOf, StreamNames } from './kurrentdb-records.js';
import { type Batch, type Original, TooLarge } from './original.js';
import { PostgresEventStore } from './postgres.js';

/** Bytes that a server takes at once unless it was told otherwise (its MaxAppendSize, 1 MiB), with room for the end of a batch. */
const ROOM = (1 << 20) - (64 << 10);

/** Where decisions go when KurrentDB has them. */
export interface KurrentOptions {
  /** As KurrentDB's clients take it. May have a password in it. */
  readonly url: string;
  /** The first part of all streams' names; default `kiroku`. */
  readonly prefix?: string;
  readonly trouble: (error: unknown) => void;
}

/**
 * The event store on KurrentDB, with a copy in PostgreSQL. An append writes the copy and the inline views in one transaction that holds
 * a row's lock, then appends to KurrentDB, then commits: streams at their expected versions, and an event for the order of all appends,
 * which makes sure that nobody has appended what the copy does not have. A process that dies in between leaves a copy that is a batch
 * behind; the next append, or `catchUp`, completes it. What is read comes from the copy: whoever decides by an old version loses.
 */
export class KurrentEventStore implements EventStore, Original {
  readonly room = ROOM;
  readonly #names: StreamNames;
  readonly #kurrent: KurrentConnection;
  readonly #copy: KurrentCopy;
  readonly #postgres: PostgresEventStore;
  readonly #trouble: (error: unknown) => void;
  #ready: Promise<void> | undefined;
  #catching: Promise<number> | undefined;

  /** Connects when it is first used. */
  constructor({ url, prefix = 'kiroku', trouble }: KurrentOptions, pool: pg.Pool, hints: Hints, inline: readonly Projector[], upgrades: Upgrades = {}) {
    this.#names = new StreamNames(prefix);
    this.#kurrent = new KurrentConnection(url);
    this.#trouble = trouble;
    this.#copy = new KurrentCopy(pool, hints, inline, upgrades, this.#kurrent, this.#names, trouble);
    this.#postgres = new PostgresEventStore(pool, hints, inline, upgrades, this);
  }

  /**
   * Resolves when the copy has all that KurrentDB has. A role awaits it before it serves: in a database that was made anew the accounts
   * would be missing.
   * @throws KurrentAway; and when the server is too old, or the copy is not the copy of what it has.
   */
  ready(): Promise<void> {
    return (this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined;
      throw asAway(error);
    }));
  }

  async #prepare(): Promise<void> {
    await this.#kurrent.check();
    await this.#copy.settle();
    await this.catchUp();
  }

  /** Completes the copy. @returns how many events were missing. */
  catchUp(): Promise<number> {
    return (this.#catching ??= this.#copy.catchUp().finally(() => (this.#catching = undefined)));
  }

  async read(stream: string, after = 0) {
    await this.ready();
    return this.#postgres.read(stream, after);
  }

  async readLast(streams: readonly string[]) {
    await this.ready();
    return this.#postgres.readLast(streams);
  }

  async checkpoint(consumer: string, topic: Topic, partition: number): Promise<number> {
    await this.ready();
    return this.#postgres.checkpoint(consumer, topic, partition);
  }

  async append(appends: readonly Append[], checkpoints: readonly CheckpointMove[] = []): Promise<void> {
    await this.ready();
    await this.#postgres.append(appends, checkpoints);
  }

  async begin(db: Pipeline, checkpoints: readonly CheckpointMove[]): Promise<Batch> {
    const moves = Object.fromEntries(checkpoints.map(({ consumer, topic, partition, to }) => [`${consumer}/${topic}/${partition}`, to]));
    const { rows } = await db.query<{ batch: number; history: string; checkpoints: Record<string, number> }>({
      name: 'begin-batch',
      text: `UPDATE history.decision_copy SET batch = batch + 1, checkpoints = checkpoints || $1::jsonb RETURNING batch, original AS history, checkpoints`,
      values: [JSON.stringify(moves)],
    });
    if (!rows[0]) throw new Error('the copy of the decisions was not begun');
    const { batch, history, checkpoints: all } = rows[0];
    return { keep: (appends) => this.#keep(appends, batch, { history, checkpoints: all }) };
  }

  /** The end comes last: a batch of which it can be read can be read whole. */
  #keep(appends: readonly Append[], batch: number, end: Parameters<typeof endOf>[0]): Promise<void> {
    return this.#kurrent.append([
      ...appends.map(({ stream, expected, events }) => ({ stream: this.#names.nameOf(stream), expected, records: events.map((event) => recordOf(event, batch)) })),
      { stream: this.#names.order, expected: batch - 1, records: [endOf(end, batch, randomUUID())] },
    ]);
  }

  async caughtUp(failure: unknown): Promise<boolean> {
    if (failure instanceof StreamMoved) {
      await this.catchUp();
      return true;
    }
    const refused = failure instanceof VersionConflict || failure instanceof CheckpointMoved || failure instanceof TooLarge || surelyFailed(failure);
    // Of anything else nobody knows how it ended: if it was appended, its effect should be seen soon.
    if (!refused) void this.catchUp().catch(this.#trouble);
    return false;
  }

  async close(): Promise<void> {
    await this.#catching?.catch(() => undefined);
    await this.#kurrent.close();
  }
}
