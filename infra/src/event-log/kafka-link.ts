import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { mismatchOf } from './kafka-listener.js';
import { type Credentials, openSocket, TIMES } from './kafka-options.js';
import type { KafkaRequest } from './kafka-requests.js';
import { WireReader } from './kafka-wire.js';
import { mendTimers } from './kafkajs-timers.js';

/**
 * What is used of kafkajs 2.2.4 below its public face, version pinned: connections with TLS and SASL, and the broker's list of versions.
 * Its producer is not: after an error it takes sequence numbers back, so that another batch is taken for a repeated one and dropped,
 * and it leaves out partitions that move to a broker which has answered already. Its metadata fail for all when one partition has no leader.
 */
interface KafkaJsConnection {
  readonly socket?: Socket;
  readonly sessionLifetime: { toString(): string };
  isConnected(): boolean;
}
interface KafkaJsPool {
  readonly pool: readonly KafkaJsConnection[];
  getConnection(index: number): Promise<KafkaJsConnection>;
  send(request: object): Promise<unknown>;
}
interface KafkaJsBroker {
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>> | null;
  connect(): Promise<void>;
}
interface KafkaJs {
  pool(options: object): KafkaJsPool;
  broker(options: object): KafkaJsBroker;
}

/** Loaded when first needed: a server without Kafka does not hold it in memory. */
let loaded: KafkaJs | undefined;
function kafkaJs(): KafkaJs {
  if (loaded) return loaded;
  const load = createRequire(import.meta.url);
  const Pool = load('kafkajs/src/network/connectionPool.js') as new (options: object) => KafkaJsPool;
  const Broker = load('kafkajs/src/broker/index.js') as new (options: object) => KafkaJsBroker;
  mendTimers();
  return (loaded = { pool: (options) => new Pool(options), broker: (options) => new Broker(options) });
}

const silent = { namespace: () => silent, debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Part of the life of a SASL session after which a new connection is made: renewing it under requests would mix up the answers. */
const WORN = 0.7;

interface Wire { readonly pool: KafkaJsPool; readonly versions: NonNullable<KafkaJsBroker['versions']>; readonly wornAt: number; busy: number; retired: boolean }

/** The broker does not know the request in a version that we speak. */
export class KafkaTooOld extends Error {}

/**
 * One broker: two connections, of which one only fetches. At the first trouble both are given up, with all that waits for answers;
 * the next request makes new ones.
 */
export class KafkaLink {
  #wire: Promise<Wire> | undefined;
  #current: Wire | undefined;
  #closed = false;
  /** Whether a connection was ever made: then settings fit. */
  #known = false;

  constructor(
    readonly host: string,
    readonly port: number,
    private readonly credentials: Credentials,
    private readonly clientId: string,
  ) {}

  /** @throws KafkaTooOld; any other error: no answer came, and nobody knows whether the request was carried out. */
  async send<T>(request: KafkaRequest<T>): Promise<T> {
    const wire = await this.#open();
    wire.busy++;
    try {
      return await ask(wire, request, this.address);
    } catch (error) {
      if (!(error instanceof KafkaTooOld)) this.#drop(wire, error);
      throw error;
    } finally {
      wire.busy--;
      if (wire.retired && wire.busy === 0) cut(wire, 'retired');
    }
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  async #open(): Promise<Wire> {
    if (this.#closed) throw new Error('Kafka: closed');
    const current = this.#current;
    if (current && !current.pool.pool.every((c) => c.isConnected())) this.#drop(current, new Error('the broker closed an idle connection'));
    else if (current && performance.now() > current.wornAt) {
      current.retired = true;
      this.#wire = this.#current = undefined;
      if (current.busy === 0) cut(current, 'retired');
    }
    const wire = await (this.#wire ??= this.#connect());
    return wire;
  }

  #connect(): Promise<Wire> {
    const opening = connectTo(this.host, this.port, this.credentials, this.clientId).then(
      (wire) => {
        this.#known = true;
        if (this.#closed) cut(wire, 'closed');
        return (this.#current = wire);
      },
      async (error: unknown) => {
        const mismatch = this.#known ? undefined : await mismatchOf(error, this, this.credentials.ssl !== undefined);
        if (this.#wire === opening) this.#wire = undefined;
        // Without its cause, which looks like something that passes.
        if (mismatch) throw new Error(`Kafka: ${mismatch}`);
        throw new Error(`Kafka: no connection to ${this.address}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      },
    );
    return opening;
  }

  #drop(wire: Wire, error: unknown): void {
    if (this.#current === wire) this.#wire = this.#current = undefined;
    cut(wire, error instanceof Error ? error.message : String(error));
  }

  close(): void {
    this.#closed = true;
    if (this.#current) cut(this.#current, 'closed');
    this.#wire = this.#current = undefined;
  }
}

async function connectTo(host: string, port: number, { ssl, sasl }: Credentials, clientId: string): Promise<Wire> {
  const pool = kafkaJs().pool({
    host, port, ssl: ssl ?? null, sasl: sasl ?? null, clientId, logger: silent, socketFactory: openSocket,
    connectionTimeout: TIMES.connect, requestTimeout: TIMES.request, enforceRequestTimeout: true,
  });
  const broker = kafkaJs().broker({ connectionPool: pool, logger: silent, authenticationTimeout: TIMES.request });
  try {
    await broker.connect();
    await pool.getConnection(1); // here and not at need: two requests at once would open it twice
  } catch (error) {
    cut({ pool }, 'not connected');
    throw error;
  }
  const lifetime = Math.max(...pool.pool.map((c) => Number(c.sessionLifetime.toString())));
  return { pool, versions: broker.versions ?? {}, wornAt: lifetime > 0 ? performance.now() + lifetime * WORN : Infinity, busy: 0, retired: false };
}

async function ask<T>({ pool, versions }: Wire, { api, name, version, body, timeout, parse }: KafkaRequest<T>, address: string): Promise<T> {
  const known = versions[api];
  if (!known || version < known.minVersion || version > known.maxVersion)
    throw new KafkaTooOld(`Kafka: ${address} does not speak ${name} version ${version}: Kafka 2.4 or newer is needed`);
  const answer = await pool.send({
    request: { apiKey: api, apiName: name, apiVersion: version, encode: () => Promise.resolve({ buf: body, buffer: body }) },
    response: { decode: (bytes: Buffer) => Promise.resolve({ bytes }), parse: ({ bytes }: { bytes: Buffer }) => Promise.resolve({ parsed: parse(new WireReader(bytes)) }) },
    requestTimeout: timeout ?? null,
    logResponseError: false,
  });
  return (answer as { parsed: T }).parsed;
}

/** With an error, because only then the requests that wait for an answer are told. */
function cut({ pool }: Pick<Wire, 'pool'>, reason: string): void {
  for (const { socket } of pool.pool) if (socket && !socket.destroyed) socket.destroy(new Error(reason));
}
