import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readConfig } from '@kiroku/infra/config/config.js';
import { claimEngines, enginesInUse } from '@kiroku/infra/config/engines-in-use.js';
import { Hints } from '@kiroku/infra/event-log/hints.js';
import { openKafkaLog } from '@kiroku/infra/event-log/kafka.js';
import { PostgresEventLog } from '@kiroku/infra/event-log/postgres.js';
import { factsIn } from '@kiroku/infra/migrate-engine/facts.js';
import { openEmptyKafkaLog } from '@kiroku/infra/migrate-engine/kafka-target.js';
import { openFileObjectStore } from '@kiroku/infra/object-store/files.js';
import { PgBodyIndex } from '@kiroku/infra/object-store/pg-index.js';
import { openS3ObjectStore } from '@kiroku/infra/object-store/s3.js';
import { kafkaOptions } from '@kiroku/infra/platform/engines.js';
import { type TestPostgres, testPostgres } from '@kiroku/infra/postgres/testing.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { type KafkaRig, startKafka } from '@kiroku/infra/rig/engines/kafka.js';
import { type S3Rig, startS3 } from '@kiroku/infra/rig/engines/s3.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import type pg from 'pg';
import { addMigrateEngineCommand } from './migrate-engine.js';
import { command, type Spoken } from './testing/api-process.js';

const data = mkdtempSync('/tmp/kiroku-migrate-engine-');
const FACTS = 3_000;
let [kafka, s3, db]: [KafkaRig, S3Rig, TestPostgres] = [undefined, undefined, undefined] as never;
let pool: pg.Pool;
let hints: Hints;
let env: Record<string, string>;
const refs: BodyRef[] = [];
const clock = { now: () => Date.now() };
const trouble = (error: unknown): void => { throw error; };

beforeAll(async () => {
  [kafka, s3, db] = await Promise.all([startKafka(), startS3(), testPostgres()]);
  await migrate(db.connection);
  pool = openPool(db.connection, 4);
  hints = new Hints(db.connection, pool, () => undefined);
  const { host, port, user, database } = db.connection;
  env = {
    LANG: 'C', KIROKU_DATA: data, KIROKU_POSTGRES_URL: `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`,
    KIROKU_KAFKA_BROKERS: kafka.brokers.join(), KIROKU_KAFKA_PARTITIONS: '6',
    KIROKU_S3_ENDPOINT: s3.endpoint, KIROKU_S3_BUCKET: 'mail', KIROKU_S3_ACCESS_KEY: s3.accessKey, KIROKU_S3_SECRET_KEY: s3.secretKey, KIROKU_S3_REGION: s3.region, KIROKU_S3_PREFIX: 'kiroku',
  };
  mkdirSync(join(data, 'objects'), { recursive: true });
  await claimEngines(pool, readConfig(env));
  const log = new PostgresEventLog(pool, hints);
  for (let n = 0; n < FACTS; n += 100)
    await log.append(Array.from({ length: 100 }, (_, i) => ({
      topic: i % 4 === 0 ? 'session' as const : 'mail' as const, key: `K${(n + i) % 53}`,
      event: { id: `e-${n + i}`, type: 'Noted', version: 1, at: n + i, actor: 'system:test', correlation: 'c', data: { n: n + i, text: '記録' } },
    })));
  for (let partition = 0; partition < 4; partition++) await pool.query(`INSERT INTO history.checkpoint VALUES ('delivery', 'mail', $1, $2)`, [partition, await log.head('mail', partition)]);
  const files = await openFileObjectStore({ folder: join(data, 'objects'), index: new PgBodyIndex(pool), trouble, clock });
  await Promise.all(Array.from({ length: 800 }, async (_, n) => {
    const writer = files.create();
    await writer.write(Buffer.from(`body ${n} `.repeat(n < 4 ? 100_000 : 10 + n)));
    refs.push(await writer.commit());
  }));
  await files.close();
}, 120_000);
afterAll(async () => {
  await hints.close();
  await pool.end();
  await Promise.all([kafka.stop(), s3.stop(), db.close()]);
  rmSync(data, { recursive: true });
});

const kiroku = (...args: readonly string[]): Promise<Spoken> => command(env, ['migrate-engine', ...args], undefined, [addMigrateEngineCommand]);

describe('kiroku migrate-engine --to kafka', () => {
  it('says first what there is to do, and changes nothing', async () => {
    expect(await kiroku('--to', 'kafka', '--dry-run')).toEqual({ code: 0, out: `dry run, nothing changed: ${FACTS} facts would be copied to Kafka\n`, err: '' });
    expect((await enginesInUse(pool)).get('event-log')?.engine).toBe('postgres');
  });

  it('joins nothing else, and takes another prefix then', async () => {
    const other = { ...env, KIROKU_KAFKA_PREFIX: 'other' };
    const begun = await openEmptyKafkaLog(kafkaOptions(readConfig(other)), { pool, hints });
    await begun.append([{ topic: 'mail', key: 'K1', event: { id: 'else', type: 'Noted', version: 1, at: 1, actor: 'system:test', correlation: 'c', data: {} } }]);
    await begun.close();
    expect(await command(other, ['migrate-engine', '--to', 'kafka'], undefined, [addMigrateEngineCommand])).toMatchObject({ code: 1, err: expect.stringContaining('is no copy of this log: take another prefix') });
  });

  it('moves all facts, and the log on Kafka is opened by the next start', async () => {
    const { code, out, err } = await kiroku('--to', 'kafka', '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toEqual({ mode: 'move', switched: true, events: FACTS, kept: 0, differences: [] });
    expect((await enginesInUse(pool)).get('event-log')).toEqual({ engine: 'kafka', place: 'kiroku' });
    const log = await openKafkaLog(kafkaOptions(readConfig(env)), { pool, hints });
    expect(log.partitions('mail')).toBe(6);
    expect(await factsIn(log)).toBe(FACTS);
    await log.close();
  });

  it('compares both sides', async () => {
    expect(await kiroku('--to', 'kafka', '--verify', '--lang', 'ja')).toEqual({ code: 0, out: `両側で一致: 事実 ${FACTS} 件\n`, err: '' });
    const log = await openKafkaLog(kafkaOptions(readConfig(env)), { pool, hints });
    await log.append([{ topic: 'mail', key: 'K1', event: { id: 'more', type: 'Noted', version: 1, at: 1, actor: 'system:test', correlation: 'c', data: {} } }]);
    await log.close();
    expect(await kiroku('--to', 'kafka', '--verify')).toMatchObject({ code: 1, out: expect.stringMatching(/^DIFFERENT:\n {2}mail\/\d: \d+ events, \d+ expected\n$/) });
  });
});

describe('kiroku migrate-engine --to s3', () => {
  it('moves all bodies, which are read from there by the next start', async () => {
    expect(await kiroku('--to', 's3', '--dry-run')).toMatchObject({ code: 0, out: expect.stringMatching(/^dry run, nothing changed: 800 bodies/) });
    expect(await kiroku('--to', 's3')).toMatchObject({ code: 0, out: expect.stringMatching(/^moved and checked: 800 bodies/) });
    expect((await enginesInUse(pool)).get('object-store')).toEqual({ engine: 's3', place: 'mail/kiroku' });
    const store = await openS3ObjectStore({ endpoint: s3.endpoint, region: s3.region, bucket: 'mail', accessKey: s3.accessKey, secretKey: s3.secretKey, prefix: 'kiroku', index: new PgBodyIndex(pool), clock, trouble });
    let bytes = 0;
    for (const ref of refs) for await (const chunk of store.read(ref)) bytes += chunk.length; // with the hints of the files
    expect(bytes).toBe(refs.reduce((sum, { size }) => sum + size, 0));
    await store.close();
    expect(await kiroku('--to', 's3', '--verify')).toMatchObject({ code: 0, out: expect.stringMatching(/^all readable in the new store: 800 bodies/) });
  });
});

describe('kiroku migrate-engine', () => {
  it('is refused while a server runs, or without a place to go to', async () => {
    await pool.query(`INSERT INTO ops.process VALUES (gen_random_uuid(), 'smtp', 'mx1', 1, 1, $1, NULL, '', '[]')`, [Date.now()]);
    expect(await kiroku('--to', 'kafka')).toMatchObject({ code: 1, err: expect.stringMatching(/^kiroku: smtp runs on mx1/) });
    const { KIROKU_KAFKA_BROKERS: _, ...without } = env;
    expect(await command(without, ['migrate-engine', '--to', 'kafka'], undefined, [addMigrateEngineCommand])).toMatchObject({ code: 1, err: 'kiroku: KIROKU_KAFKA_BROKERS must say where to\n' });
    expect(await kiroku('--to', 'mysql')).toMatchObject({ code: 2 });
    expect(await kiroku()).toMatchObject({ code: 2 });
  });
});
