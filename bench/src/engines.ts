import { type KafkaRig, startKafka } from '@kiroku/infra/rig/engines/kafka.js';
import { type PostgresRig, startPostgresServer } from '@kiroku/infra/rig/engines/postgres.js';
import { startS3, type S3Rig } from '@kiroku/infra/rig/engines/s3.js';
import { processTree } from '@kiroku/infra/rig/processes.js';
import pg from 'pg';
import { cost, type Cost, type Groups } from './engines-cost.js';
import { limit } from './engines-share.js';
import { BROKER_JVM, warmUp } from './engines-warm.js';
import { deliverAll } from './e2e.js';
import { type KirokuUnderTest, startKiroku } from './kiroku-sut.js';
import { send } from './load.js';
import { median, settle } from './settle.js';
import { DOMAIN, stopAtEnd, USERS } from './sut.js';

/** Of one kind of load: medians of the rounds. */
export interface EngineFigures extends Cost {
  /** Messages per second. */
  readonly rate: number;
}

export interface EnginesRow {
  readonly what: string;
  /** Accepted. */
  readonly accept: EngineFigures;
  /** In the mailbox, 50 connections to ten mailboxes. */
  readonly e2e: EngineFigures;
  /** To the embedded engines in the same run, which took turns with it. */
  readonly ratio?: { readonly accept: number; readonly e2e: number };
}

interface Shape {
  readonly partitions: number;
  readonly smtp: number;
  readonly delivery: number;
  readonly connections: number;
  /** Processes of this role get no more than this share of one core each. Without it: as much as they get. */
  readonly held?: { readonly role: 'smtp' | 'delivery'; readonly share: number };
}
interface Side extends KirokuUnderTest {
  readonly groups: Groups;
  /** Processes get no more than their share, until what it returns is called. */
  readonly limited: () => () => void;
}

const COMPARED: Shape = { partitions: 12, smtp: 1, delivery: 1, connections: 50 };
/** Of one core: so little that the cores are not full at once, and what is held is what limits. */
const SHARE = 0.1;
/** So many smtp processes, each with 12 connections of its own. */
const byProcesses = (n: number): Shape => ({ partitions: 12, smtp: n, delivery: n, connections: 12 * n, held: { role: 'smtp', share: SHARE } });
/**
 * A partition is delivered by one process at a time: of four, so many have something to do. What is held may be stopped while others wait for
 * it: at 4 % of a core nothing grew any more.
 */
const byPartitions = (n: number): Shape => ({ partitions: n, smtp: 1, delivery: 4, connections: 50, held: { role: 'delivery', share: SHARE } });
/** How it grows with processes, and with partitions, until the cores are full. */
const CURVE: readonly Shape[] = [byProcesses(1), byProcesses(2), byProcesses(4), byPartitions(1), byPartitions(2), byPartitions(4)];
const SIZE = 3 * 1024;

/**
 * The cluster engines, all on this machine, beside the embedded ones: Kafka with three brokers, an S3 server, a PostgreSQL of its own.
 * Then the same with other numbers of partitions and processes, each on a Kafka prefix, a bucket and a database of its own.
 */
export async function benchEngines(quick: boolean, say: (text: string) => void): Promise<EnginesRow[]> {
  const engines = await startEngines(say);
  const embedded = sideOf(await startKiroku({ name: 'embedded engines' }), {});
  const cluster = await startCluster(engines, COMPARED, 0);
  const [own, other] = await measure([embedded, cluster], COMPARED.connections, quick, say) as [Measured, Measured];
  const ratio = { accept: other.accept.rate / own.accept.rate, e2e: other.e2e.rate / own.e2e.rate };
  const rows: EnginesRow[] = [{ what: embedded.name, ...own }, { what: cluster.name, ...other, ratio }];
  await embedded.stop();
  await cluster.stop();
  for (const [n, shape] of CURVE.entries()) {
    const side = await startCluster(engines, shape, n + 1);
    const [figures] = await measure([side], shape.connections, quick, say) as [Measured];
    rows.push({ what: side.name, ...figures });
    await side.stop();
  }
  await engines.stop();
  return rows;
}

type Measured = Pick<EnginesRow, 'accept' | 'e2e'>;

/** The sides take turns. Before that each gets so many messages that programs which compile themselves have done so. */
async function measure(sides: readonly Side[], connections: number, quick: boolean, say: (text: string) => void): Promise<readonly Measured[]> {
  const compared = sides.length > 1;
  const [seconds, rounds, before] = quick ? [2, compared ? 3 : 1, compared ? 4_000 : 2_000] : [4, compared ? 5 : 2, compared ? 12_000 : 4_000];
  const most = quick ? 2_000 : 5_000;
  const found = sides.map(() => ({ accept: [] as EngineFigures[], e2e: [] as EngineFigures[] }));
  const counts: number[] = [];
  for (const side of sides) {
    await sendTo(side, connections, before);
    await settle(side);
    const trial = await accept(side, connections, quick ? 500 : 1_000);
    counts.push(Math.max(connections, Math.ceil(trial.rate * seconds)));
    await settle(side);
  }
  for (let round = 0; round < rounds; round++)
    for (const [i, side] of sides.entries()) {
      const messages = counts[i] ?? connections;
      found[i]?.accept.push(await accept(side, connections, messages));
      await settle(side);
      const each = Math.ceil(Math.min(most, messages) / USERS.length);
      found[i]?.e2e.push(await figuresOf(side, each * USERS.length, () => deliverAll(side, each)));
      await settle(side);
    }
  return found.map(({ accept: accepted, e2e }, i) => {
    const both = { accept: middle(accepted), e2e: middle(e2e) };
    say(`${sides[i]?.name ?? ''}: accepted ${Math.round(both.accept.rate)}/s (machine ${Math.round(both.accept.busy * 100)} % busy), in the mailbox ${Math.round(both.e2e.rate)}/s (${Math.round(both.e2e.busy * 100)} %)`);
    return both;
  });
}

const sendTo = (side: Side, connections: number, messages: number): Promise<number> =>
  send({ port: side.smtpPort, recipient: `${USERS[0]}@${DOMAIN}`, messages, connections, size: SIZE, keep: true });

const accept = (side: Side, connections: number, messages: number): Promise<EngineFigures> =>
  figuresOf(side, messages, async () => messages / (await sendTo(side, connections, messages)));

/** @param run resolves to messages per second. Only while it runs processes are held to their share. */
async function figuresOf({ groups, limited }: Side, messages: number, run: () => Promise<number>): Promise<EngineFigures> {
  const costs = cost(groups, messages);
  const release = limited();
  try {
    const rate = await run();
    return { rate, ...costs() };
  } finally {
    release();
  }
}

/** The round with the median rate, whole: its costs belong to it. */
function middle(rounds: readonly EngineFigures[]): EngineFigures {
  const rate = median(rounds.map((its) => its.rate));
  return rounds.toSorted((a, b) => Math.abs(a.rate - rate) - Math.abs(b.rate - rate))[0] ?? { rate: NaN, cpu: {}, busy: NaN };
}

const sideOf = (kiroku: KirokuUnderTest, engines: Groups, held?: Shape['held']): Side => ({
  ...kiroku,
  groups: { 'Kiroku': () => kiroku.processes(), ...engines },
  limited: () => (held ? limit(kiroku.kiroku.pidsOf(held.role), held.share) : () => undefined),
});

async function startCluster(engines: Engines, shape: Shape, n: number): Promise<Side> {
  const { partitions, smtp, delivery, connections, held } = shape;
  const processes = (role: 'smtp' | 'delivery', count: number): string => `${role} × ${count}${held?.role === role ? ` at ${held.share * 100} %` : ''}`;
  const kiroku = await startKiroku({
    name: `cluster; ${partitions} partition${partitions === 1 ? '' : 's'}, ${processes('smtp', smtp)}, ${processes('delivery', delivery)}, ${connections} kept`,
    env: {
      ...(await engines.env(n)), KIROKU_KAFKA_PARTITIONS: String(partitions), KIROKU_SMTP_PROCESSES: String(smtp), KIROKU_DELIVERY_PROCESSES: String(delivery),
    },
  });
  return sideOf(kiroku, engines.groups, held);
}

interface Engines {
  readonly groups: Groups;
  /** For a server of its own on them. */
  env(n: number): Promise<Readonly<Record<string, string>>>;
  stop(): Promise<void>;
}

async function startEngines(say: (text: string) => void): Promise<Engines> {
  const engines = await Promise.all([startKafka({ brokers: 3, jvm: BROKER_JVM }), startS3(), startPostgresServer()]);
  const [kafka, s3, postgres] = engines;
  await warmUp(kafka, say);
  return {
    groups: { Kafka: () => [...kafka.pids], S3: () => [s3.pid], PostgreSQL: () => processTree(postgres.pid) },
    env: (n) => placeFor(kafka, s3, postgres, n),
    stop: stopAtEnd(async () => void (await Promise.all(engines.map((engine) => engine.stop())))),
  };
}

async function placeFor(kafka: KafkaRig, s3: S3Rig, postgres: PostgresRig, n: number): Promise<Readonly<Record<string, string>>> {
  const name = `bench${n}`;
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  return {
    KIROKU_POSTGRES_URL: url.href,
    KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: kafka.brokers.join(','), KIROKU_KAFKA_PREFIX: name,
    KIROKU_OBJECT_STORE: 's3', KIROKU_S3_ENDPOINT: s3.endpoint, KIROKU_S3_BUCKET: name, KIROKU_S3_ACCESS_KEY: s3.accessKey, KIROKU_S3_SECRET_KEY: s3.secretKey,
  };
}
