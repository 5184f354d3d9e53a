import { afterAll, beforeAll, it } from '@jest/globals';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { groupNumber, MEMBERS } from '@kiroku/infra/event-log/leases.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { type KafkaRig, startKafka } from '@kiroku/infra/rig/engines/kafka.js';
import { endsOf } from '@kiroku/infra/rig/engines/kafka-topic.js';
import { type Machine, startMachine } from '@kiroku/infra/rig/engines/netns.js';
import { type PostgresRig, startPostgresServer } from '@kiroku/infra/rig/engines/postgres.js';
import { type S3Rig, startS3 } from '@kiroku/infra/rig/engines/s3.js';
import { ImapClient } from '@kiroku/infra/rig/imap-client.js';
import { Kiroku } from '@kiroku/infra/rig/kiroku.js';
import { Pop3Client } from '@kiroku/infra/rig/pop3-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, DOMAIN, inWords, PASSWORD } from '../e2e/harness.js';

/** ms for engines and servers to start; other programs may keep the machine busy. */
const STARTING = 240_000;
/** Its other topics are `<prefix>.session` and `<prefix>.decision`. */
export const MAIL = 'kiroku.mail';
export const DECISIONS = 'kiroku.decision';

interface Engines {
  readonly kafka: KafkaRig;
  readonly s3: S3Rig;
  readonly postgres: PostgresRig;
}

/** What one delivery process works on. */
interface Share {
  readonly node: string;
  readonly partitions: number;
}

/** One of the machines that serve. */
export class Node {
  /** @param deliveries processes of delivery. */
  constructor(readonly name: string, readonly kiroku: Kiroku, readonly deliveries: number) {}

  pop3(user: string): Promise<Pop3Client> {
    return Pop3Client.login({ host: this.kiroku.host, port: this.kiroku.ports.pop3s, tls: true }, addressOf(user), PASSWORD);
  }

  imap(user: string): Promise<ImapClient> {
    return ImapClient.login({ host: this.kiroku.host, port: this.kiroku.ports.imaps, tls: true }, addressOf(user), PASSWORD);
  }
}

/**
 * Two servers with all roles on the same Kafka of three brokers, S3 and PostgreSQL. Where we are root the second is a machine of its own,
 * as far as the network is concerned.
 */
export class Cluster {
  #engines: Engines | undefined;
  #machine: Machine | Error = new Error('not started');
  #nodes: readonly Node[] = [];
  #database: ReturnType<typeof openPool> | undefined;

  constructor(private readonly users: readonly string[]) {}

  get engines(): Engines {
    if (!this.#engines) throw new Error('not started');
    return this.#engines;
  }

  get one(): Node {
    return this.#node(0);
  }

  get two(): Node {
    return this.#node(1);
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** That of the second node. @throws Error why there is none. */
  get machine(): Machine {
    if (this.#machine instanceof Error) throw this.#machine;
    return this.#machine;
  }

  /** Our address as all nodes reach it: engines listen there. */
  get engineHost(): string {
    return this.#machine instanceof Error ? '127.0.0.1' : this.#machine.engines;
  }

  #node(index: number): Node {
    const node = this.#nodes[index];
    if (!node) throw new Error('not started');
    return node;
  }

  async start(): Promise<void> {
    const machine = await startMachine().catch((error: Error) => error);
    this.#machine = machine;
    const at = machine instanceof Error ? {} : { host: machine.engines };
    const [kafka, s3, postgres] = await Promise.all([startKafka({ brokers: 3, ...at }), startS3(at), startPostgresServer(at)]);
    this.#engines = { kafka, s3, postgres };
    this.#database = openPool({ connectionString: postgres.url }, 2);
    // Both are new to an empty database, Kafka without topics and S3 without a bucket, at the same time.
    for (const name of NAMES) await this.query(`CREATE ROLE ${name} LOGIN SUPERUSER`);
    this.#nodes = await Promise.all(
      NAMES.map(async (name, i) => {
        const place = i > 0 && !(machine instanceof Error) ? { host: machine.address, within: machine.within } : {};
        return new Node(name, await Kiroku.start({ patience: 120_000, env: this.#env(name), ...place }), processesAt(name));
      }),
    );
    await this.one.kiroku.addDomain(DOMAIN);
    for (const user of this.users) await this.one.kiroku.addAccount(addressOf(user), PASSWORD);
  }

  async remove(): Promise<void> {
    await Promise.all(this.#nodes.map(({ kiroku }) => kiroku.remove()));
    await this.#database?.end();
    await Promise.all(Object.values(this.#engines ?? {}).map((engine: { stop(): Promise<void> }) => engine.stop()));
    if (!(this.#machine instanceof Error)) await this.#machine.remove();
  }

  /** Each node is another user of the database, so that it can be told who holds what there. */
  #env(user: string): Record<string, string> {
    const { kafka, s3, postgres } = this.engines;
    const url = new URL(postgres.url);
    url.username = user;
    return {
      KIROKU_POSTGRES_URL: url.href,
      KIROKU_EVENT_LOG: 'kafka',
      KIROKU_KAFKA_BROKERS: kafka.brokers.join(),
      KIROKU_OBJECT_STORE: 's3',
      KIROKU_S3_ENDPOINT: s3.endpoint,
      KIROKU_S3_BUCKET: 'bodies',
      KIROKU_S3_ACCESS_KEY: s3.accessKey,
      KIROKU_S3_SECRET_KEY: s3.secretKey,
      KIROKU_S3_REGION: s3.region,
      KIROKU_SMTP_PROCESSES: `${processesAt(user)}`,
      KIROKU_DELIVERY_PROCESSES: `${processesAt(user)}`,
      KIROKU_SERVER_KEY: Buffer.alloc(32, 'key').toString('base64'),
    };
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return ((await this.#database?.query<Row>(text, [...values]))?.rows) ?? [];
  }

  /** Partition of topic `mail` → the node whose delivery holds it. */
  async delivering(): Promise<Map<number, string>> {
    const held = (await this.#locks()).filter(({ number }) => number < MEMBERS);
    return new Map(held.map(({ number, node }) => [number, node]));
  }

  /** Of every member of delivery's group, those without a partition as well. */
  async shares(): Promise<readonly Share[]> {
    const locks = await this.#locks();
    const members = locks.filter(({ number }) => number >= MEMBERS);
    return members.map(({ pid, node }) => ({ node, partitions: locks.filter((lock) => lock.pid === pid && lock.number < MEMBERS).length }));
  }

  /** What delivery's group holds in the database, by whose connection. */
  #locks(): Promise<{ readonly pid: number; readonly number: number; readonly node: string }[]> {
    return this.query(
      `SELECT l.pid, l.objid::integer AS number, a.usename::text AS node FROM pg_locks l JOIN pg_stat_activity a USING (pid)
       WHERE l.locktype = 'advisory' AND l.classid = $1::bigint::oid AND l.granted`,
      [groupNumber('delivery')],
    );
  }

  /** Partition → how far delivery has come, in topic `mail`. */
  async delivered(): Promise<Map<number, number>> {
    const rows = await this.query<{ partition: number; position: number }>(`SELECT partition, position FROM history.checkpoint WHERE consumer = 'delivery' AND topic = 'mail'`);
    return new Map(rows.map(({ partition, position }) => [partition, position]));
  }

  /** Partition → the end of topic `mail`. */
  accepted(): Promise<Map<number, number>> {
    return endsOf(this.engines.kafka, MAIL);
  }

  /** Resolves when delivery has handled all that lies before these positions. */
  async deliveredUpTo(ends: ReadonlyMap<number, number>, ms: number): Promise<void> {
    await until('all that was accepted is delivered', ms, async () => {
      const reached = await this.delivered();
      return [...ends].every(([partition, end]) => (reached.get(partition) ?? 0) >= end);
    });
  }

  /** How many decisions there are. */
  async decisions(): Promise<number> {
    const [head] = await this.query<{ next: number }>(`SELECT next FROM history.head WHERE topic = 'decision'`);
    return head?.next ?? 0;
  }

  /** Queue id → when (epoch ms) it came into its last mailbox, of what did so since there were so many decisions. */
  async arrivals(since: number): Promise<Map<string, number>> {
    const rows = await this.query<{ events: string }>('SELECT events FROM history.decision WHERE position >= $1 ORDER BY position', [since]);
    const events = rows.flatMap((row) => JSON.parse(row.events) as Recorded[]);
    return new Map(events.filter(({ type }) => type === 'MessageAppended').map(({ correlation, at }) => [correlation, at]));
  }

  /** A test whose failure shows the last lines of both logs. */
  it(sentence: string, test: () => Promise<void>, patience?: number): void {
    const explained = async (): Promise<void> => {
      try {
        await test();
      } catch (error) {
        const logs = this.#nodes.map(({ name, kiroku }) => `last lines of ${name}:\n${kiroku.logTail(30)}`);
        throw new Error([inWords(error), ...logs].join('\n\n'), { cause: error });
      }
    };
    it(sentence, explained, patience);
  }
}

const NAMES = ['one', 'two'];

/** Of smtp and of delivery. The second node has several, which share work with their likes on the same machine. */
const processesAt = (node: string): number => (node === NAMES[1] ? 2 : 1);

/** A cluster for all tests of the file. */
export function useCluster(users: readonly string[]): Cluster {
  const cluster = new Cluster(users);
  beforeAll(() => cluster.start(), STARTING);
  afterAll(() => cluster.remove(), 120_000);
  return cluster;
}
