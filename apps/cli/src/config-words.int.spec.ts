import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { readConfig } from '@kiroku/infra/config/config.js';
import { configProblems, configRefusal } from './config-words.js';

const home = mkdtempSync(join(tmpdir(), 'kiroku-config-words-'));
afterAll(() => rmSync(home, { recursive: true }));
const file = (text: string): string => {
  writeFileSync(join(home, 'some.yaml'), text);
  return join(home, 'some.yaml');
};

function refused(env: Record<string, string>): unknown {
  try {
    readConfig({ KIROKU_HOME: home, ...env });
  } catch (error) {
    return error;
  }
  throw new Error('these settings are not wrong');
}

describe('wrong settings', () => {
  it.each<[Record<string, string>]>([
    [{ KIROKU_SMTP_PORT: '70000' }], [{ KIROKU_REMOTE_SMTP: '0' }], [{ KIROKU_BIND: 'everywhere' }], [{ KIROKU_SMTP_PROCESSES: '0' }], [{ KIROKU_SMTP_PROCESSES: 'x' }],
    [{ KIROKU_DNS: 'dns.test:53' }], [{ KIROKU_EVENT_LOG: 'kafka' }], [{ KIROKU_EVENT_LOG: 'x' }], [{ KIROKU_EVENT_STORE: 'kurrentdb' }], [{ KIROKU_OBJECT_STORE: 's3' }], [{ KIROKU_HOSTNAME: 'a_b' }], [{ KIROKU_POSTGRES_URL: 'mysql://x' }],
    [{ KIROKU_SMPT_PORT: '25' }], [{ KIROKU_SMTP_PORT: '2110' }], [{ KIROKU_REMOTE_PATIENCE: '1' }], [{ KIROKU_REMOTE_PATIENCE: 'x' }],
    [{ KIROKU_KAFKA_BROKERS: 'x' }], [{ KIROKU_KAFKA_PREFIX: '.' }], [{ KIROKU_KAFKA_PARTITIONS: '0' }], [{ KIROKU_KAFKA_REPLICATION: 'x' }], [{ KIROKU_KAFKA_SASL: 'x' }],
    [{ KIROKU_KAFKA_SASL: 'plain' }], [{ KIROKU_KAFKA_USER: 'x' }], [{ KIROKU_KURRENTDB_URL: 'x' }], [{ KIROKU_S3_ENDPOINT: 'x' }], [{ KIROKU_S3_BUCKET: 'X' }],
    [{ KIROKU_S3_PREFIX: '/' }], [{ KIROKU_S3_PREFIX: 'x'.repeat(300) }], [{ KIROKU_S3_ENCRYPTION: 'x' }], [{ KIROKU_S3_OBJECT_LOCK: '0' }], [{ KIROKU_S3_REGION: '?' }],
    [{ KIROKU_POSTGRES_REPLICA_URL: 'postgres://x' }], [{ KIROKU_POSTGRES_REPLICA_URL: 'x' }], [{ KIROKU_POSTGRES_REPLICA_LAG: '4' }], [{ KIROKU_POSTGRES_REPLICA_LAG: 'x' }], [{ KIROKU_WAIT_FOR_ENGINES: 'x' }],
    [{ KIROKU_S3_SECRET_KEY_FILE: '/nowhere' }], [{ KIROKU_S3_SECRET_KEY_FILE: '/dev/null' }], [{ KIROKU_EXPECTED_ROLES: 'x' }],
    [{ KIROKU_S3_SECRET_KEY_FILE: '/x', KIROKU_S3_SECRET_KEY: 'x' }],
  ])('of %j are told in both languages', (env) => {
    const error = refused(env);
    const [name] = Object.keys(env) as [string];
    expect(configRefusal(error, 'en')).toMatch(new RegExp(`^wrong settings:\n.*${name}`));
    expect(configRefusal(error, 'ja')).toMatch(/^設定に誤りがあります:\n {2}.*KIROKU_\w+.*[ぁ-ん]/);
  });

  it.each(['- a\n', 'colour: red\n', 'pop3port: 110\n', 'smtpPort: many\n', 'bind: 7\n', 'dns: 7\n', 's3Bucket: 7\n', 'kafkaBrokers: 7\n', 's3SecretKeyFile: 7\n'])('of a file with %j, too', (text) =>
    expect(configRefusal(refused({ KIROKU_CONFIG: file(text) }), 'ja')).toMatch(/\n {2}.*some\.yaml.*[ぁ-ん]/));

  it('are told apart from other errors', () => {
    expect(configRefusal(new Error('else'), 'ja')).toBeUndefined();
    expect(configProblems(new Error('else'), 'ja')).toBeUndefined();
  });
});

describe('warnings about settings', () => {
  it('of Kafka are told in both languages, too', () => {
    const { warnings } = readConfig({
      KIROKU_HOME: home, KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: 'k:1', KIROKU_KAFKA_SASL: 'plain', KIROKU_KAFKA_USER: 'a', KIROKU_KAFKA_PASSWORD: 'b', KIROKU_KAFKA_REPLICATION: '1',
    });
    expect(warnings).toHaveLength(2);
    for (const said of configProblems(warnings, 'ja') ?? []) expect(said).toMatch(/^KIROKU_\w+.*[ぁ-ん]/);
  });

  it('are told in both languages', () => {
    const { warnings } = readConfig({ KIROKU_HOME: home, KIROKU_DATA: 'box', KIROKU_GREETING_CARD: 'yes' });
    expect(configProblems(warnings, 'en')).toEqual(warnings);
    expect(configProblems(warnings, 'ja')).toEqual([
      'KIROKU_GREETING_CARD は設定ではありません', `KIROKU_DATA は Kiroku のフォルダーからの相対パスです: ${join(home, 'box')}`,
    ]);
  });
});
