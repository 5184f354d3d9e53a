import { startKafka } from '@kiroku/infra/rig/engines/kafka.js';
import { startPostgresServer } from '@kiroku/infra/rig/engines/postgres.js';
import { startS3 } from '@kiroku/infra/rig/engines/s3.js';
import { benchAccept } from './accept.js';
import { benchEndToEnd } from './e2e.js';
import { type KirokuUnderTest, startKiroku } from './kiroku-sut.js';
import { stopAtEnd } from './sut.js';

export interface EnginesRow {
  readonly what: string;
  /** Messages per second: accepted, and in the mailbox. */
  readonly accept: number;
  readonly e2e: number;
  /** To the embedded engines in the same run. */
  readonly ratio?: { readonly accept: number; readonly e2e: number };
}

const EMBEDDED = 'embedded engines';
const CELL = { size: 3 * 1024, connections: 50, keep: true };

/**
 * The cluster engines, all on this machine, beside the embedded ones: Kafka with three brokers, an S3 server, a PostgreSQL of its own.
 * Then the same with fewer partitions and with more processes: each on a Kafka prefix, a bucket and a database of its own.
 */
export async function benchEngines(quick: boolean, say: (text: string) => void): Promise<EnginesRow[]> {
  const embedded = await startKiroku({ name: EMBEDDED });
  const rows: EnginesRow[] = [];
  for (const { partitions, smtp, delivery } of [
    { partitions: 12, smtp: 1, delivery: 1 }, { partitions: 1, smtp: 1, delivery: 1 }, { partitions: 12, smtp: 2, delivery: 1 }, { partitions: 12, smtp: 2, delivery: 2 },
  ]) {
    const what = `Kafka, S3, PostgreSQL; ${partitions} partitions, smtp × ${smtp}, delivery × ${delivery}`;
    const engines = await startEngines();
    const cluster = await startKiroku({
      name: what,
      env: { ...engines.env, KIROKU_KAFKA_PARTITIONS: String(partitions), KIROKU_SMTP_PROCESSES: String(smtp), KIROKU_DELIVERY_PROCESSES: String(delivery) },
    });
    const pair: readonly KirokuUnderTest[] = [embedded, cluster];
    const accept = (await benchAccept(pair, quick, say, [CELL]))[0]?.rates ?? {};
    const { rates: e2e } = await benchEndToEnd(pair, quick, say);
    const own = { accept: accept[what] ?? NaN, e2e: e2e[what] ?? NaN };
    const other = { accept: accept[EMBEDDED] ?? NaN, e2e: e2e[EMBEDDED] ?? NaN };
    if (rows.length === 0) rows.push({ what: EMBEDDED, ...other });
    rows.push({ what, ...own, ratio: { accept: own.accept / other.accept, e2e: own.e2e / other.e2e } });
    await cluster.stop();
    await engines.stop();
  }
  await embedded.stop();
  return rows;
}

async function startEngines(): Promise<{ readonly env: Readonly<Record<string, string>>; stop(): Promise<void> }> {
  const engines = await Promise.all([startKafka({ brokers: 3 }), startS3(), startPostgresServer()]);
  const [kafka, s3, postgres] = engines;
  return {
    env: {
      KIROKU_POSTGRES_URL: postgres.url,
      KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: kafka.brokers.join(','),
      KIROKU_OBJECT_STORE: 's3', KIROKU_S3_ENDPOINT: s3.endpoint, KIROKU_S3_BUCKET: 'kiroku', KIROKU_S3_ACCESS_KEY: s3.accessKey, KIROKU_S3_SECRET_KEY: s3.secretKey,
    },
    stop: stopAtEnd(async () => void (await Promise.all(engines.map((engine) => engine.stop())))),
  };
}
