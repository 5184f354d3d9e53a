import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type KafkaRig, startKafka } from '@kiroku/infra/rig/engines/kafka.js';
import { type KurrentRig, startKurrentRig } from '@kiroku/infra/rig/engines/kurrentdb/server.js';
import { type PostgresRig, startPostgresServer } from '@kiroku/infra/rig/engines/postgres.js';
import { type S3Rig, startS3 } from '@kiroku/infra/rig/engines/s3.js';
import { Kiroku } from '@kiroku/infra/rig/kiroku.js';
import { signalAll } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';

const SECOND = 1_000;

let kafka: KafkaRig;
let s3: S3Rig;
let postgres: PostgresRig;
let kurrent: KurrentRig;
let kiroku: Kiroku;

const env = (): Record<string, string> => ({
  KIROKU_POSTGRES_URL: postgres.url,
  KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: kafka.brokers.join(),
  KIROKU_EVENT_STORE: 'kurrentdb', KIROKU_KURRENTDB_URL: kurrent.url,
  KIROKU_OBJECT_STORE: 's3', KIROKU_S3_ENDPOINT: s3.endpoint, KIROKU_S3_BUCKET: 'bodies', KIROKU_S3_ACCESS_KEY: s3.accessKey, KIROKU_S3_SECRET_KEY: s3.secretKey,
  KIROKU_SERVER_KEY: Buffer.alloc(32, 'key').toString('base64'),
});

beforeAll(async () => {
  [kafka, s3, postgres, kurrent] = await Promise.all([startKafka(), startS3(), startPostgresServer(), startKurrentRig()]);
  kiroku = await Kiroku.start({ patience: 120_000, env: env() });
}, 240_000);
afterAll(async () => {
  await kiroku?.remove();
  await Promise.all([kafka, s3, postgres, kurrent].map((engine) => engine?.stop()));
}, 60_000);

/** What `kiroku ready` says, once it is this. */
const says = (what: RegExp): Promise<boolean> =>
  until(`it says ${what}`, 60 * SECOND, async () => {
    const { code, stdout } = await kiroku.cli('ready');
    if (what.test(stdout)) return code === 1;
    throw new Error(stdout);
  });
const logged = (what: string): number => kiroku.logTail(400).split('\n').filter((line) => line.includes(what)).length;

describe('a server whose engines are away', () => {
  it('waits for one after the other when it starts, says so, and then serves', async () => {
    expect(await kiroku.stop()).toBe('by itself');
    await Promise.all([kafka.kill(), s3.kill(), postgres.kill(), kurrent.stop()]);
    const up = kiroku.up();
    up.catch(() => undefined); // looked at below
    await says(/^the start waits for PostgreSQL at 127\.0\.0\.1:\d+$/m);
    expect((await kiroku.cli('ready', '--live')).code).toBe(0);
    await postgres.start();
    await says(/^the start waits for KurrentDB at 127\.0\.0\.1:\d+$/m);
    await kurrent.start();
    await says(/^the start waits for Kafka at 127\.0\.0\.1:\d+$/m);
    await kafka.start();
    await says(/^smtp waits for S3 at http:\/\/127\.0\.0\.1:\d+$/m);
    await s3.start();
    await up;
    await until('it is ready', 30 * SECOND, async () => (await kiroku.cli('ready')).code === 0);
    // On stderr are lines for people, and nothing of Node's own: kafkajs is mended.
    expect(logged('Warning: ')).toBe(0);
    // Once for each that the start waited for, in the log and for people.
    for (const engine of ['PostgreSQL', 'KurrentDB', 'Kafka']) {
      expect(logged(`"for":"${engine} at`)).toBe(1);
      expect(logged(`kiroku: waiting for ${engine} at`)).toBe(1);
    }
  }, 180 * SECOND);

  it('lets a role that was killed meanwhile wait, without starting it again and again', async () => {
    await Promise.all([s3.kill(), kafka.kill()]);
    const [killed = 0] = kiroku.pidsOf('smtp');
    signalAll([killed], 'SIGKILL');
    await says(/^smtp waits for Kafka at /m);
    const [waiting] = kiroku.pidsOf('smtp');
    await until('health says so as well', 30 * SECOND, async () => (await kiroku.cli('health')).stdout.includes('waiting for Kafka at '));
    await kafka.start();
    await says(/^smtp waits for S3 at /m);
    await s3.start();
    await until('it is ready', 60 * SECOND, async () => (await kiroku.cli('ready')).code === 0);
    expect(kiroku.pidsOf('smtp')).toEqual([waiting]);
  }, 180 * SECOND);

  it('ends at once when it is told to', async () => {
    await kiroku.stop();
    await kafka.kill();
    const up = kiroku.up();
    up.catch(() => undefined); // looked at below
    await says(/^the start waits for Kafka at /m);
    const told = performance.now();
    expect(await kiroku.stop()).toBe('by itself');
    expect(performance.now() - told).toBeLessThan(5 * SECOND);
    await expect(up).rejects.toThrow('./kiroku up ended with 0');
  }, 120 * SECOND);

  it('does not wait for what is wrong', async () => {
    await kafka.start();
    for (const [wrong, words] of [
      [{ KIROKU_S3_SECRET_KEY: 'not-the-secret' }, /smtp did not start|the secret key is not/],
      [{ KIROKU_S3_BUCKET: 'elsewhere' }, /KIROKU_S3_BUCKET|settings must be the same/],
      [{ KIROKU_POSTGRES_URL: postgres.url.replace('kiroku@', 'stranger@') }, /stranger/],
    ] as const) {
      const failed = await Kiroku.start({ env: { ...env(), ...wrong } }).then(async (server) => { await server.remove(); return ''; }, (error: Error) => `${error.message}\n${String(error.cause)}`);
      expect(failed).toMatch(words);
      expect(failed).toContain('ended with 1');
      expect(failed).not.toContain('waiting for');
    }
  }, 180 * SECOND);
});
