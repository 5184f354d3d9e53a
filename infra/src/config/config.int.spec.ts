import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ConfigRefused, readConfig } from './config.js';
import { secretOf } from './secret.js';
import { SECRETS, variableOf } from './settings.js';

const home = mkdtempSync('/tmp/kiroku-config-');
let files = 0;

function yaml(text: string): string {
  const file = join(home, `${++files}.yaml`);
  writeFileSync(file, text);
  return file;
}

function problems(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env, home);
    return [];
  } catch (error) {
    if (error instanceof ConfigRefused) return error.problems;
    throw error;
  }
}

describe('the settings', () => {
  afterAll(() => rmSync(home, { recursive: true }));

  it('have defaults for everything, and bind to this machine only', () => {
    expect(readConfig({}, home)).toMatchObject({
      data: join(home, 'data'),
      bind: '127.0.0.1',
      smtpPort: 2525,
      submissionPort: 2587,
      smtpsPort: 2465,
      pop3Port: 2110,
      pop3sPort: 2995,
      imapPort: 2143,
      imapsPort: 2993,
      httpPort: 8080,
      smtpProcesses: 1,
      deliveryProcesses: 1,
      eventLog: 'postgres',
      eventStore: 'postgres',
      objectStore: 'files',
      warnings: [],
    });
  });

  it.each(['0', ''])('switch a listener off by port %j', (value) => {
    expect(readConfig({ KIROKU_POP3_PORT: value }, home).pop3Port).toBeUndefined();
  });

  it('take an empty variable for none where it is no port', () => {
    expect(readConfig({ KIROKU_BIND: '', KIROKU_POSTGRES_URL: '' }, home)).toMatchObject({ bind: '127.0.0.1' });
  });

  it('come from kiroku.yaml, and the environment wins', () => {
    const file = yaml('smtpPort: 25\npop3Port: 0\nbind: "::"\ndns: [192.0.2.1:5353, "[2001:db8::1]:53"]\nimapPort: 143\n');
    expect(readConfig({ KIROKU_CONFIG: file, KIROKU_IMAP_PORT: '1143' }, home)).toMatchObject({
      smtpPort: 25,
      pop3Port: undefined,
      imapPort: 1143,
      bind: '::',
      dns: ['192.0.2.1:5353', '[2001:db8::1]:53'],
    });
  });

  it('are looked for in the data folder', () => {
    const data = join(home, 'mail');
    mkdirSync(data);
    writeFileSync(join(data, 'kiroku.yaml'), 'smtpProcesses: 4\n');
    expect(readConfig({ KIROKU_DATA: 'mail' }, home)).toMatchObject({ data, smtpProcesses: 4 });
  });

  it('take a data folder relative to the file that names it', () => {
    mkdirSync(join(home, 'etc'));
    writeFileSync(join(home, 'etc/kiroku.yaml'), 'data: ../var\n');
    expect(readConfig({ KIROKU_CONFIG: 'etc/kiroku.yaml' }, home).data).toBe(join(home, 'var'));
  });

  it('mean the same data from whatever folder, and say where a relative path leads', () => {
    mkdirSync(join(home, 'elsewhere'));
    const from = (env: Record<string, string>) => readConfig({ KIROKU_HOME: home, ...env }, join(home, 'elsewhere'));
    expect(from({})).toMatchObject({ data: join(home, 'data'), warnings: [] });
    expect(from({ KIROKU_DATA: '/var/mail' })).toMatchObject({ data: '/var/mail', warnings: [] });
    expect(from({ KIROKU_DATA: './box' })).toMatchObject({ data: join(home, 'box'), warnings: [`KIROKU_DATA is relative to Kiroku's own folder: it means ${join(home, 'box')}`] });
    expect(readConfig({ KIROKU_HOME: home, KIROKU_DATA: './box' }, home).warnings).toEqual([]);
    writeFileSync(join(home, 'named.yaml'), 'smtpProcesses: 3\n');
    expect(from({ KIROKU_CONFIG: 'named.yaml' })).toMatchObject({ smtpProcesses: 3, warnings: [expect.stringContaining(join(home, 'named.yaml'))] });
  });

  it('name an outside PostgreSQL', () => {
    const connectionString = 'postgres://mail:secret@db.test/mail';
    expect(readConfig({ KIROKU_POSTGRES_URL: connectionString }, home).postgres).toEqual({ connectionString });
    expect(readConfig({}, home)).not.toHaveProperty('postgres');
  });

  it('bound the wait for engines that are away, or do not', () => {
    expect(readConfig({}, home)).not.toHaveProperty('waitForEngines');
    expect(readConfig({ KIROKU_WAIT_FOR_ENGINES: '0' }, home).waitForEngines).toBe(0);
    expect(problems({ KIROKU_WAIT_FOR_ENGINES: 'for ever' })).toEqual(['KIROKU_WAIT_FOR_ENGINES must be 0 to 1000000 seconds']);
  });

  it('name a replica of an outside PostgreSQL, and refuse one of the embedded PostgreSQL', () => {
    const connectionString = 'postgres://report:secret@copy.test/mail';
    const both = { KIROKU_POSTGRES_URL: 'postgres://db.test/mail', KIROKU_POSTGRES_REPLICA_URL: connectionString };
    expect(readConfig(both, home)).toMatchObject({ postgresReplica: { connectionString }, postgresReplicaLag: 30 });
    expect(readConfig({ ...both, KIROKU_POSTGRES_REPLICA_LAG: '5' }, home).postgresReplicaLag).toBe(5);
    expect(problems({ ...both, KIROKU_POSTGRES_REPLICA_LAG: '4' })).toEqual(['KIROKU_POSTGRES_REPLICA_LAG must be 5 to 3600 seconds']);
    expect(problems({ KIROKU_POSTGRES_REPLICA_URL: connectionString })).toEqual(['KIROKU_POSTGRES_REPLICA_URL needs KIROKU_POSTGRES_URL']);
    expect(readConfig({}, home)).not.toHaveProperty('postgresReplica');
  });

  it.each([
    ['192.0.2.1', ['192.0.2.1:53']],
    ['localhost:5353', ['127.0.0.1:5353']],
    ['192.0.2.1:53, 192.0.2.2:54', ['192.0.2.1:53', '192.0.2.2:54']],
    ['2001:db8::1', ['[2001:db8::1]:53']],
    ['[2001:db8::1]:54', ['[2001:db8::1]:54']],
  ])('understand the DNS servers %j', (text, servers) => {
    expect(readConfig({ KIROKU_DNS: text }, home).dns).toEqual(servers);
  });

  it('are refused all at once', () => {
    const wrong = { KIROKU_SMTP_PORT: '70000', KIROKU_BIND: 'everywhere', KIROKU_SMTP_PROCESSES: '0', KIROKU_DNS: 'dns.test:53' };
    expect(problems({ ...wrong, KIROKU_CONFIG: yaml('httpPort: many\n') })).toEqual([
      expect.stringMatching(/^KIROKU_BIND must be an IP address/),
      expect.stringMatching(/^KIROKU_SMTP_PORT must be a port/),
      expect.stringMatching(/\.yaml: httpPort must be a port/),
      expect.stringMatching(/^KIROKU_SMTP_PROCESSES must be 1 to 64/),
      expect.stringMatching(/^KIROKU_DNS must be address:port/),
    ]);
  });

  it.each([
    ['KIROKU_EVENT_LOG', 'postgres or kafka'],
    ['KIROKU_EVENT_STORE', 'postgres or kurrentdb'],
    ['KIROKU_OBJECT_STORE', 'files or s3'],
  ])('say of an unknown engine in %s which there are', (variable, engines) => {
    expect(problems({ [variable]: 'mysql' })).toEqual([`${variable} must be ${engines}`]);
  });

  it('name what an engine cannot do without', () => {
    expect(problems({ KIROKU_EVENT_LOG: 'kafka', KIROKU_EVENT_STORE: 'kurrentdb', KIROKU_OBJECT_STORE: 's3', KIROKU_S3_BUCKET: 'mail' })).toEqual([
      'KIROKU_EVENT_LOG=kafka needs KIROKU_KAFKA_BROKERS',
      'KIROKU_EVENT_STORE=kurrentdb needs KIROKU_KURRENTDB_URL',
      'KIROKU_OBJECT_STORE=s3 needs KIROKU_S3_ENDPOINT',
      'KIROKU_OBJECT_STORE=s3 needs KIROKU_S3_ACCESS_KEY',
      'KIROKU_OBJECT_STORE=s3 needs KIROKU_S3_SECRET_KEY',
    ]);
    expect(problems({ KIROKU_KAFKA_SASL: 'plain' })).toEqual(['KIROKU_KAFKA_SASL=plain needs KIROKU_KAFKA_USER', 'KIROKU_KAFKA_SASL=plain needs KIROKU_KAFKA_PASSWORD']);
    expect(problems({ KIROKU_KAFKA_USER: 'ann' })).toEqual(['KIROKU_KAFKA_USER needs KIROKU_KAFKA_SASL']);
  });

  it('name the engines of many machines', () => {
    const env = {
      KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: 'k1.test:9092, k2.test:9092,[2001:db8::1]:9092', KIROKU_KAFKA_PARTITIONS: '48', KIROKU_KAFKA_SASL: 'scram-sha-512',
      KIROKU_KAFKA_USER: 'kiroku', KIROKU_KAFKA_PASSWORD: 'hush', KIROKU_EVENT_STORE: 'kurrentdb', KIROKU_KURRENTDB_URL: 'kurrentdb+discover://db.test:2113',
      KIROKU_OBJECT_STORE: 's3', KIROKU_S3_ENDPOINT: 'https://s3.test:9000', KIROKU_S3_BUCKET: 'mail', KIROKU_S3_ACCESS_KEY: 'a', KIROKU_S3_SECRET_KEY: 'b', KIROKU_S3_PREFIX: 'kiroku/bodies/',
      KIROKU_S3_OBJECT_LOCK: '30', KIROKU_POSTGRES_URL: 'postgres://db.test/mail', KIROKU_EXPECTED_ROLES: 'smtp, imap',
    };
    expect(readConfig(env, home)).toMatchObject({
      eventLog: 'kafka', kafkaBrokers: ['k1.test:9092', 'k2.test:9092', '[2001:db8::1]:9092'], kafkaPrefix: 'kiroku', kafkaPartitions: 48, kafkaTls: false,
      eventStore: 'kurrentdb', objectStore: 's3', s3Endpoint: 'https://s3.test:9000', s3Prefix: 'kiroku/bodies/', s3Encryption: 'none', s3ObjectLock: 30,
      postgres: { connectionString: env.KIROKU_POSTGRES_URL }, expectedRoles: ['smtp', 'imap'], warnings: [],
    });
  });

  it.each([
    ['KIROKU_KAFKA_BROKERS', 'kafka.test'], ['KIROKU_KAFKA_BROKERS', 'kafka.test:99999'], ['KIROKU_KAFKA_PREFIX', '.hidden'], ['KIROKU_KAFKA_PARTITIONS', '0'],
    ['KIROKU_KAFKA_REPLICATION', '10'], ['KIROKU_KAFKA_SASL', 'gssapi'], ['KIROKU_KURRENTDB_URL', 'http://db.test'], ['KIROKU_S3_ENDPOINT', 's3.test'],
    ['KIROKU_S3_ENDPOINT', 'https://s3.test/bucket'], ['KIROKU_S3_ENDPOINT', 'https://me:hush@s3.test'], ['KIROKU_S3_BUCKET', 'My Bucket'], ['KIROKU_S3_PREFIX', '/mail'],
    ['KIROKU_S3_PREFIX', 'a//b'], ['KIROKU_S3_ENCRYPTION', 'rot13'], ['KIROKU_S3_OBJECT_LOCK', '0'],
  ])('refuse %s=%s', (variable, value) => {
    const found = problems({ [variable]: value });
    expect(found).toEqual([expect.stringMatching(`^${variable} must be `)]);
    expect(found.join()).not.toContain('hush');
  });

  it('take the certificates for Kafka from a file, relative as the data folder is', () => {
    expect(readConfig({ KIROKU_KAFKA_TLS: 'on' }, home).kafkaTls).toBe(true);
    expect(readConfig({ KIROKU_KAFKA_TLS: 'kafka.pem' }, home).kafkaTls).toBe(join(home, 'kafka.pem'));
    mkdirSync(join(home, 'certs'));
    writeFileSync(join(home, 'certs/kiroku.yaml'), 'kafkaTls: kafka.pem\n');
    expect(readConfig({ KIROKU_CONFIG: 'certs/kiroku.yaml' }, home).kafkaTls).toBe(join(home, 'certs/kafka.pem'));
  });

  it('warn of a password that the network sees, and of too few copies', () => {
    const env = { KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: 'k:1', KIROKU_KAFKA_SASL: 'plain', KIROKU_KAFKA_USER: 'a', KIROKU_KAFKA_PASSWORD: 'b', KIROKU_KAFKA_REPLICATION: '1' };
    expect(readConfig(env, home).warnings).toEqual([expect.stringMatching(/^KIROKU_KAFKA_SASL=plain without/), expect.stringMatching(/^KIROKU_KAFKA_REPLICATION=1 keeps too few/)]);
    expect(readConfig({ ...env, KIROKU_KAFKA_TLS: 'on', KIROKU_KAFKA_REPLICATION: '3' }, home).warnings).toEqual([]);
  });

  it.each(SECRETS.map((name) => [variableOf(name), name] as const))('take the secret %s from a file', (variable, name) => {
    const value = name.startsWith('postgres') ? 'postgres://hush@db.test/mail' : name === 'kurrentdbUrl' ? 'esdb://hush@db.test' : 'hush';
    const needed = name === 'postgresReplicaUrl' ? { KIROKU_POSTGRES_URL: 'postgres://db.test/mail' } : {};
    const file = join(home, `${name}.secret`);
    writeFileSync(file, `${value}\n`);
    expect(JSON.stringify(readConfig({ ...needed, [`${variable}_FILE`]: file }, home))).toContain(`"${value}"`);
    expect(JSON.stringify(readConfig({ ...needed, KIROKU_CONFIG: yaml(`${name}File: ${name}.secret\n`) }, home))).toContain(`"${value}"`);
  });

  it('refuse a secret given twice, and a file of a secret that is not there, empty or too large', () => {
    writeFileSync(join(home, 'empty'), '\n');
    writeFileSync(join(home, 'large'), 'hush'.repeat(20_000));
    const twice = problems({ KIROKU_S3_SECRET_KEY: 'hush', KIROKU_S3_SECRET_KEY_FILE: join(home, 'empty') });
    expect(twice).toEqual(['KIROKU_S3_SECRET_KEY and KIROKU_S3_SECRET_KEY_FILE are both given: one is enough']);
    expect(problems({ KIROKU_CONFIG: yaml('s3SecretKey: hush\ns3SecretKeyFile: empty\n') })).toEqual([expect.stringMatching(/s3SecretKey and s3SecretKeyFile are both given/)]);
    for (const [name, says] of [['nowhere', 'cannot be read: ENOENT'], ['empty', 'holds nothing'], ['large', 'cannot be read: too large for a secret']] as const)
      expect(problems({ KIROKU_KAFKA_PASSWORD_FILE: join(home, name) })).toEqual([`KIROKU_KAFKA_PASSWORD_FILE: ${join(home, name)} ${says}`]);
  });

  it('never quote a secret from a file', () => {
    writeFileSync(join(home, 'wrong-url'), 'mysql://root:hush@db.test\n');
    expect(problems({ KIROKU_POSTGRES_URL_FILE: join(home, 'wrong-url') })).toEqual(['KIROKU_POSTGRES_URL_FILE must be a URL that begins with postgres://']);
  });

  it('suggest the name that was meant', () => {
    expect(problems({ KIROKU_SMPT_PORT: '25', KIROKU_CONFIG: yaml('pop3port: 110\ncolour: red\n') })).toEqual([
      'KIROKU_SMPT_PORT is unknown: is KIROKU_SMTP_PORT meant?',
      expect.stringMatching(/pop3port is unknown: is pop3Port meant\?$/),
      expect.stringMatching(/colour is unknown$/),
    ]);
  });

  it('only mention variables that resemble none of theirs', () => {
    expect(readConfig({ KIROKU_GREETING_CARD: 'yes', HOME: '/' }, home).warnings).toEqual(['KIROKU_GREETING_CARD is not a setting']);
  });

  it('give no port to two listeners', () => {
    expect(problems({ KIROKU_SMTP_PORT: '2110' })).toEqual(['KIROKU_POP3_PORT is the same port as KIROKU_SMTP_PORT']);
  });

  it('are refused when the named file is missing or no YAML, without quoting it', () => {
    expect(problems({ KIROKU_CONFIG: 'nowhere.yaml' })).toEqual([expect.stringMatching(/nowhere\.yaml: ENOENT/)]);
    expect(problems({ KIROKU_CONFIG: yaml('- a\n- b\n') })).toEqual([expect.stringMatching(/must hold lines/)]);
    const [said] = problems({ KIROKU_CONFIG: yaml('s3SecretKey: "hush\nsmtpPort: [') });
    expect(said).toBeDefined();
    expect(said).not.toContain('hush');
  });

  it('never quote a secret', () => {
    expect(problems({ KIROKU_POSTGRES_URL: 'mysql://root:hush@db.test' }).join()).not.toContain('hush');
  });
});

describe('a secret that is no setting', () => {
  it('is in its variable or in the file that another names', () => {
    const folder = mkdtempSync('/tmp/kiroku-config-');
    const file = join(folder, 'key');
    writeFileSync(file, 'hush\r\n');
    expect(secretOf({ KIROKU_SERVER_KEY: 'hush' }, 'KIROKU_SERVER_KEY')).toBe('hush');
    expect(secretOf({ KIROKU_SERVER_KEY: '', KIROKU_SERVER_KEY_FILE: file }, 'KIROKU_SERVER_KEY')).toBe('hush');
    expect(secretOf({ KIROKU_SERVER_KEY: '' }, 'KIROKU_SERVER_KEY')).toBeUndefined();
    expect(() => secretOf({ KIROKU_SERVER_KEY: 'hush', KIROKU_SERVER_KEY_FILE: file }, 'KIROKU_SERVER_KEY')).toThrow(/^KIROKU_SERVER_KEY and KIROKU_SERVER_KEY_FILE are both given/);
    expect(() => secretOf({ KIROKU_SERVER_KEY_FILE: `${file}.gone` }, 'KIROKU_SERVER_KEY')).toThrow(/^KIROKU_SERVER_KEY_FILE: .* cannot be read: ENOENT$/);
    rmSync(folder, { recursive: true });
  });
});
