import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { X509Certificate as X509 } from 'node:crypto';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newKey, selfSigned } from '@kiroku/infra/net/self-signed.js';
import { nameOf, writePidFile } from '@kiroku/infra/supervise/pid-file.js';
import { testPostgres } from '@kiroku/infra/postgres/testing.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { addBodiesCommand } from './bodies.js';
import { addDoctorCommand } from './doctor.js';
import { CHECKS, FINDINGS, STATES } from './doctor-words.js';
import { addReplayCommand } from './replay.js';
import { type ApiProcess, command, type Spoken, startApi } from './testing/api-process.js';

const home = mkdtempSync(join(tmpdir(), 'kiroku-doctor-'));
const OFF = Object.fromEntries(['SMTP', 'SUBMISSION', 'SMTPS', 'POP3', 'POP3S', 'IMAP', 'IMAPS', 'HTTP'].map((name) => [`KIROKU_${name}_PORT`, '0']));
const MORE = [addDoctorCommand, addReplayCommand, addBodiesCommand];
let folders = 0;
afterAll(() => rmSync(home, { recursive: true }));

const fresh = (): string => join(home, `data-${++folders}`);
const made = (): string => {
  const data = fresh();
  mkdirSync(join(data, 'tls'), { recursive: true });
  return data;
};
const run = (env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Spoken> => command({ ...OFF, LANG: 'C', ...env }, args, undefined, MORE);
interface Finding { readonly check: string; readonly state: string; readonly says: string }
const findings = async (env: Readonly<Record<string, string>>, check: string): Promise<readonly Finding[]> =>
  (JSON.parse((await run(env, 'doctor', '--json')).out) as readonly Finding[]).filter((f) => f.check === check);

/** A certificate whose validity ends so many days from now; `selfSigned` ones are good for years. */
async function certificate(data: string, name: string, days: number): Promise<void> {
  const key = await newKey();
  const good = await selfSigned('mail.test', key, Date.now());
  const years = new Date(new X509(good).validTo).getTime() - Date.now();
  writeFileSync(join(data, 'tls', `${name}.crt`), await selfSigned('mail.test', key, Date.now() - years + days * 86_400_000));
}

describe('kiroku doctor', () => {
  it('finds nothing wrong before the first start, in either language', async () => {
    const env = { KIROKU_DATA: fresh() };
    const { code, out } = await run(env, 'doctor');
    expect(code).toBe(0);
    expect(out).toMatch(/^ok {6}settings: complete\n/);
    expect(out).toContain('is not there yet: the first start makes it');
    expect(out).toContain('server: does not run on this data folder');
    const japanese = await run(env, 'doctor', '--lang', 'ja');
    expect(japanese.out).toMatch(/^正常設定: 問題なし\n|^正常 +設定: 問題なし\n/);
    const withoutSizes = (text: string): string => text.replaceAll(/[\d.]+ GiB/g, 'GiB'); // others write to the disk meanwhile
    expect(withoutSizes((await command({ ...OFF, ...env, LANG: 'ja_JP.UTF-8' }, ['doctor'], undefined, MORE)).out)).toBe(withoutSizes(japanese.out));
  });

  it('tells wrong settings, and where a relative data folder leads', async () => {
    expect(await run({ KIROKU_SMTP_PORT: 'x' }, 'doctor', '--lang', 'ja')).toMatchObject({ code: 1, out: expect.stringContaining('KIROKU_SMTP_PORT はポート番号') });
    const data = made();
    expect(await findings({ KIROKU_HOME: home, KIROKU_DATA: data.slice(home.length + 1) }, 'settings')).toEqual([{ check: 'settings', state: 'warning', says: expect.stringContaining(data) }]);
  });

  it('looks at certificates three weeks ahead', async () => {
    const data = made();
    expect(await findings({ KIROKU_DATA: data }, 'certificates')).toMatchObject([{ state: 'ok' }]);
    await certificate(data, 'a-good', 30);
    await certificate(data, 'b-soon', 20);
    await certificate(data, 'c-over', -1);
    writeFileSync(join(data, 'tls', 'd-broken.crt'), 'no certificate');
    expect((await findings({ KIROKU_DATA: data }, 'certificates')).map(({ state, says }) => [state, says.split(' ')[0]])).toEqual([
      ['ok', 'tls/a-good.crt'], ['warning', 'tls/b-soon.crt'], ['wrong', 'tls/c-over.crt'], ['wrong', 'tls/d-broken.crt'],
    ]);
  });

  it('names secrets that others can read, and ports that others have', async () => {
    const data = made();
    writeFileSync(join(data, 'admin.token'), 'x');
    chmodSync(join(data, 'admin.token'), 0o644);
    expect(await findings({ KIROKU_DATA: data }, 'secrets')).toMatchObject([{ state: 'wrong', says: expect.stringContaining('chmod 600') }]);
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    expect(await findings({ KIROKU_DATA: data, KIROKU_SMTP_PORT: String(port) }, 'smtp')).toMatchObject([{ state: 'wrong', says: expect.stringContaining('taken') }]);
    taken.close();
  });
});

describe('kiroku doctor beside a running server', () => {
  let api: ApiProcess;
  beforeAll(async () => {
    api = await startApi();
    const { pid, start } = nameOf(process.pid)!;
    writePidFile(api.data, { pid, start, startedAt: 0, ports: {}, roles: [] });
  }, 60_000);
  afterAll(() => api.stop());

  it('asks it how it is', async () => {
    expect(await findings(api.env, 'server')).toEqual([{ check: 'server', state: 'ok', says: `runs (process ${process.pid}) and is healthy` }]);
    const pool = openPool(api.database, 1);
    const warnings = JSON.stringify([{ kind: 'restarts', times: 4 }, { kind: 'disk', freeBytes: 1 }]);
    await pool.query(`INSERT INTO ops.process VALUES (gen_random_uuid(), 'smtp', 'here', 1, 0, $1, NULL, '[]', $2)`, [Date.now() + 60_000, warnings]);
    await pool.query(`INSERT INTO view.quarantine_1 VALUES ('M1', 'aside', '\\xab', 1, 0, 0, 'e', 5, 0, 0)`);
    expect((await findings(api.env, 'server')).map(({ state, says }) => [state, says])).toEqual([
      ['ok', expect.stringContaining('healthy')], ['warning', 'smtp (here): started again 4 times within ten minutes: the log says why'],
      ['warning', 'delivery: messages set aside: 1; see "kiroku quarantine list"'],
    ]);
    await pool.query(`UPDATE ops.process SET trouble = 'no disk'`);
    expect(await findings(api.env, 'server')).toMatchObject([{ state: 'wrong', says: `runs (process ${process.pid}) and is in trouble: smtp: no disk` }, {}, {}]);
    await pool.end();
  });

  it('says so when it cannot ask', async () => {
    const token = join(api.data, 'admin.token');
    const content = readFileSync(token);
    rmSync(token);
    expect(await findings(api.env, 'server')).toMatchObject([{ state: 'warning', says: expect.stringContaining('could not be asked') }]);
    writeFileSync(token, content, { mode: 0o600 });
  });
});

describe('commands that need no server', () => {
  it('take --json and --lang', async () => {
    for (const name of ['doctor', 'replay', 'bodies reindex']) {
      const { out } = await run({}, ...name.split(' '), '--help');
      expect([name, out.includes('--json'), out.includes('--lang')]).toEqual([name, true, true]);
    }
  });

  it('speak the language asked for when they refuse', async () => {
    expect(await run({}, 'replay', 'nonsense', '--lang=ja')).toMatchObject({ code: 2, err: expect.stringMatching(/^kiroku: ビュー nonsense はありません: .*message_2/) });
    expect(await run({}, 'replay')).toMatchObject({ code: 2, err: expect.stringMatching(/^kiroku: which view\? /) });
    expect((await run({}, 'replay', '--list', '--lang', 'ja')).out).toMatch(/^domain_\d\t同期\tdecision$/m);
    expect(await run({ KIROKU_BIND: 'x' }, 'bodies', 'reindex', '--lang', 'ja')).toMatchObject({ code: 2, err: expect.stringContaining('設定に誤りがあります') });
  });

  it('refuse where no server ever kept anything, and leave nothing there', async () => {
    const data = fresh();
    for (const args of [['replay', 'message'], ['bodies', 'reindex']])
      expect(await run({ KIROKU_DATA: data }, ...args)).toMatchObject({ code: 1, out: '', err: `kiroku: no server has kept anything in ${data} yet\n` });
    expect(existsSync(data)).toBe(false);
    const empty = await testPostgres();
    const { host, port, user, database } = empty.connection;
    const url = `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`;
    expect(await run({ KIROKU_DATA: data, KIROKU_POSTGRES_URL: url }, 'replay', 'message', '--lang', 'ja')).toMatchObject({ code: 1, err: expect.stringContaining('まだ何も記録されていません') });
    await empty.close();
  });

  it('have every text twice, with the same blanks', () => {
    for (const { en, ja } of [...Object.values(CHECKS), ...Object.values(STATES), ...Object.values(FINDINGS)]) {
      expect([en, ja]).not.toContain('');
      expect(ja.split('{}')).toHaveLength(en.split('{}').length);
    }
  });
});

describe('kiroku doctor on a machine among many', () => {
  it('looks at the outside PostgreSQL', async () => {
    const db = await testPostgres({ durable: true });
    const { host, port, user, database } = db.connection;
    const env = { KIROKU_DATA: made(), KIROKU_POSTGRES_URL: `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}` };
    expect(await findings(env, 'postgres')).toEqual([{ check: 'postgres', state: 'ok', says: expect.stringMatching(/^version 18\..*; connections: \d+ of \d+ taken$/) }]);
    const pool = openPool(db.connection, 1);
    await pool.query(`ALTER DATABASE ${database} SET synchronous_commit = off`);
    await pool.end();
    expect(await findings(env, 'postgres')).toEqual([{ check: 'postgres', state: 'warning', says: expect.stringMatching(/^synchronous_commit is off/) }]);
    await db.close();
    expect(await findings({ ...env, KIROKU_POSTGRES_URL: 'postgres://me:hush@127.0.0.1:1/none' }, 'postgres')).toEqual([
      { check: 'postgres', state: 'wrong', says: expect.stringMatching(/^does not answer: (?!.*hush)/) }]);
  });

  it('looks at its replica, and shows no secret', async () => {
    const db = await testPostgres();
    const { host, port, user, database } = db.connection;
    const url = `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`;
    const env = { KIROKU_DATA: made(), KIROKU_POSTGRES_URL: url };
    expect(await findings(env, 'replica')).toEqual([]);
    expect(await findings({ ...env, KIROKU_POSTGRES_REPLICA_URL: url }, 'replica')).toEqual([{ check: 'replica', state: 'wrong', says: expect.stringMatching(/leads to the primary itself/) }]);
    expect(await findings({ ...env, KIROKU_POSTGRES_REPLICA_URL: 'postgres://me:hush@127.0.0.1:1/none' }, 'replica')).toEqual([
      { check: 'replica', state: 'warning', says: expect.stringMatching(/^does not answer; the primary answers reports: (?!.*hush)/) }]);
    await db.close();
  });

  it('asks whether the engines answer, and shows no secret', async () => {
    const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const good = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const env = {
      KIROKU_DATA: made(), KIROKU_EVENT_LOG: 'kafka', KIROKU_KAFKA_BROKERS: `${good},127.0.0.1:1`, KIROKU_EVENT_STORE: 'kurrentdb', KIROKU_KURRENTDB_URL: `esdb://admin:hush@${good}?tls=false`,
      KIROKU_OBJECT_STORE: 's3', KIROKU_S3_ENDPOINT: `http://${good}`, KIROKU_S3_BUCKET: 'mail', KIROKU_S3_ACCESS_KEY: 'a', KIROKU_S3_SECRET_KEY: 'b',
    };
    expect(await findings(env, 'kafka')).toEqual([
      { check: 'kafka', state: 'ok', says: `${good} answers` }, { check: 'kafka', state: 'wrong', says: '127.0.0.1:1 does not answer' }]);
    expect(await findings(env, 's3')).toEqual([{ check: 's3', state: 'ok', says: `${good} answers` }]);
    expect(await findings(env, 'kurrentdb')).toEqual([{ check: 'kurrentdb', state: 'ok', says: `${good} answers` }]);
    server.close();
  });
});
