import type { AppendStreamRequest, KurrentDBClient } from '@kurrent/kurrentdb-client';
import { TooLarge } from './original.js';
import type { KurrentRecord, NewKurrentRecord, Position } from './kurrentdb-records.js';

/** ms that the server may take over one call. Others wait for PostgreSQL meanwhile, at most 20 s. */
const DEADLINE = 10_000;
/** ms after which a session that failed is not sent again, and how often it is sent at most. */
const PATIENCE = 5_000;
const TRIES = 4;
/** ms, and twice as much before each further one. */
const FIRST_PAUSE = 50;

/** The events of one stream in a session. `expected` counts its events so far. */
export interface StreamAppend {
  readonly stream: string;
  readonly expected: number;
  readonly records: readonly NewKurrentRecord[];
}

/** Nothing was appended: this stream is not where it was expected. The server names the first only. */
export class StreamMoved extends Error {
  constructor(readonly stream: string) {
    super(`stream ${stream} in KurrentDB is not where it was expected`);
  }
}

/** Whatever is still open at the server: the client closes its channel only when it loses it. */
interface Channelled { getChannel(): Promise<{ close(): void }> }

/**
 * What the event store needs of KurrentDB, 25.1 or later, over one client. All reads are the leader's. Nothing that an error says
 * contains the address, which may have a password in it.
 */
export class KurrentConnection {
  #client: Promise<KurrentDBClient> | undefined;
  /** Clients that have opened a channel. */
  readonly #used = new WeakSet<KurrentDBClient>();

  /** @param url a connection string: `kurrentdb://user:password@host:2113`, or `kurrentdb+discover://…` for a cluster. */
  constructor(private readonly url: string) {}

  #open(): Promise<KurrentDBClient> {
    return (this.#client ??= import('@kurrent/kurrentdb-client').then(({ KurrentDBClient: Client }) => {
      try {
        return Client.connectionString(withDeadline(this.url));
      } catch {
        throw new Error('the address of KurrentDB is not a connection string (kurrentdb://host:2113)');
      }
    }));
  }

  /**
   * Appends to all streams or to none. A session whose outcome is unknown is sent again: what is there already, under the same ids and
   * where it is expected, is done and not done again.
   * @throws StreamMoved
   * @throws TooLarge
   * @throws any other error: it may be done, now or later, unless another session has the same place first.
   */
  async append(appends: readonly StreamAppend[]): Promise<void> {
    const requests = appends.map(requestOf);
    const began = performance.now();
    for (let attempt = 1; ; attempt++) {
      const client = await this.#open();
      this.#used.add(client);
      try {
        await client.multiStreamAppend(requests);
        return;
      } catch (error) {
        const { type = '', streamName = '', size, maxSize } = error as Failure;
        if (type === 'wrong-expected-version') throw new StreamMoved(streamName);
        if (/size-exceeded$/.test(type)) throw new TooLarge(`an append of ${size} bytes, and KurrentDB takes ${maxSize}: set its MaxAppendSize higher`);
        if (FINAL.has(type) || attempt === TRIES || performance.now() - began > PATIENCE) throw error;
        if (isNotLeader(error)) await this.#leave(client); // a new one asks who the leader is
      }
      await pause(FIRST_PAUSE * 2 ** (attempt - 1));
    }
  }

  /** @throws when the server cannot append to several streams at once. */
  async check(): Promise<void> {
    const client = await this.#open();
    this.#used.add(client);
    await client.multiStreamAppend([]).catch(async (error: Failure) => {
      if (error.type === 'unsupported') throw new Error('this KurrentDB server is too old: appending to several streams at once needs 25.1 or later');
      if (error.code === FAILED_PRECONDITION && !isNotLeader(error)) return; // a session without requests is refused, as it should be
      await this.#leave(client);
      throw error;
    });
  }

  /** The last event of a stream; undefined when there is none. */
  async last(stream: string): Promise<KurrentRecord | undefined> {
    const [found] = await this.#read(async (client) => client.readStream(stream, { direction: 'backwards', fromRevision: 'end', maxCount: 1, requiresLeader: true }))
      .catch((error: Failure) => {
        if (error.type === 'stream-not-found') return [];
        throw error;
      });
    return found;
  }

  /** The last event of all streams whose names begin so. */
  async lastOfAll(start: string): Promise<KurrentRecord | undefined> {
    const filter = { filterOn: 'streamName' as const, prefixes: [start], checkpointInterval: 1 };
    return (await this.#read(async (client) => client.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 1, filter, requiresLeader: true })))[0];
  }

  /** Events of all streams whose names begin so, in the order of the log; the one at `from` is the first. */
  all(start: string, from: Position | undefined, most: number): Promise<readonly KurrentRecord[]> {
    const filter = { filterOn: 'streamName' as const, prefixes: [start], checkpointInterval: 1 };
    const fromPosition = from ? { commit: BigInt(from.commit), prepare: BigInt(from.prepare) } : ('start' as const);
    return this.#read(async (client) => client.readAll({ fromPosition, maxCount: most, filter, requiresLeader: true }));
  }

  async #read(begin: (client: KurrentDBClient) => Promise<AsyncIterable<Resolved>>): Promise<readonly KurrentRecord[]> {
    const client = await this.#open();
    const found: KurrentRecord[] = [];
    try {
      const events = (await begin(client))[Symbol.asyncIterator]();
      for (let next = await within(events.next()); next.done !== true; next = await within(events.next())) if (next.value.event) found.push(kurrentRecord(next.value.event));
    } catch (error) {
      if ((error as Failure).type !== 'stream-not-found') await this.#leave(client); // it may be stuck with a server that is gone
      throw error;
    }
    return found;
  }

  /** Only the last so many events of a stream are of use: the server's scavenging removes the others. */
  async limit(stream: string, maxCount: number): Promise<void> {
    const client = await this.#open();
    this.#used.add(client);
    await client.setStreamMetadata(stream, { maxCount });
  }

  async #leave(client: KurrentDBClient): Promise<void> {
    if ((await this.#client) === client) this.#client = undefined;
    await close(client, this.#used.has(client));
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    if (client) await close(client, this.#used.has(client));
  }
}

/** Errors of the client, and what some of them say. */
interface Failure extends Error {
  readonly type?: string;
  readonly code?: number;
  readonly streamName?: string;
  readonly size?: number;
  readonly maxSize?: number;
  readonly _raw?: { readonly metadata?: { get?(key: string): readonly unknown[] } };
}

/** The server has said no, and would say it again. */
const FINAL = new Set(['access-denied', 'unsupported', 'invalid-argument', 'stream-deleted', 'stream-tombstoned']);
const FAILED_PRECONDITION = 9;

/** The client knows the older form of this answer only; the newer one has its name in the details. */
function isNotLeader(error: unknown): boolean {
  const { type, _raw } = error as Failure;
  if (type === 'not-leader') return true;
  const details = _raw?.metadata?.get?.('grpc-status-details-bin')[0];
  return Buffer.isBuffer(details) && details.includes('NotLeaderNode');
}

interface Resolved {
  readonly event?: {
    readonly streamId: string; readonly revision: bigint; readonly id: string; readonly type: string; readonly data: unknown; readonly metadata?: unknown;
    readonly position?: { readonly commit: bigint; readonly prepare: bigint };
  };
}

const kurrentRecord = ({ streamId, revision, id, type, data, metadata, position }: NonNullable<Resolved['event']>): KurrentRecord => ({
  stream: streamId, revision: Number(revision), id, type, data, metadata,
  position: { commit: Number(position?.commit ?? -1), prepare: Number(position?.prepare ?? -1) },
});

const requestOf = ({ stream, expected, records }: StreamAppend): AppendStreamRequest => ({
  streamName: stream,
  expectedState: expected === 0 ? 'no_stream' : BigInt(expected - 1),
  // The client has types of its own for what JSON can say.
  events: records.map((record) => ({ ...record, contentType: 'application/json' })) as AppendStreamRequest['events'],
});

/** Unless the address says otherwise. */
const withDeadline = (url: string): string =>
  /[?&]default-?_?deadline=/i.test(url) ? url : `${url.replace(/\/+$/, '')}${url.includes('?') ? '&' : '?'}defaultDeadline=${DEADLINE}`;

async function close(client: KurrentDBClient, channelled: boolean): Promise<void> {
  await client.dispose();
  if (channelled) void (client as unknown as Channelled).getChannel().then((channel) => channel.close(), () => undefined);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Reads have no deadline of their own. */
function within<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`KurrentDB did not answer within ${DEADLINE} ms`)), DEADLINE);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
