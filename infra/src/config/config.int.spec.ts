import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ConfigRefused, readConfig } from './config.js';

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
    ['KIROKU_EVENT_LOG', 'kafka'],
    ['KIROKU_EVENT_STORE', 'kurrentdb'],
    ['KIROKU_OBJECT_STORE', 's3'],
  ])('say of %s=%s that this version does not have it', (variable, value) => {
    expect(problems({ [variable]: value })).toEqual([expect.stringMatching(`^${variable} this version has only the embedded engine`)]);
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
