import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AccountInfo, AliasInfo, DomainInfo } from '@kiroku/infra/admin/directory.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import type pg from 'pg';
import { makeProgram } from './program.js';
import { ownTerminal } from './terminal.js';
import { type ApiProcess, command, speaker, startApi } from './testing/api-process.js';
import { REASONS } from './texts.js';

let api: ApiProcess;
const folder = mkdtempSync(join(tmpdir(), 'kiroku-cli-'));
beforeAll(async () => { api = await startApi(); }, 60_000);
afterAll(async () => {
  await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

const { kiroku, must, json } = speaker(() => api);

describe('kiroku domain', () => {
  it('adds, lists, shows, changes, switches off and on, and deletes', async () => {
    expect(await must('domain add D.test --limit 10')).toBe('added: d.test\n');
    expect((await json<DomainInfo[]>('domain list')).map((d) => [d.name, d.accountLimit])).toEqual([['d.test', 10]]);
    expect(await must('domain list')).toMatch(/^name +enabled +accounts +aliases +account limit +created\nd\.test +yes +0 +0 +10 +2\d{3}-.*\+09:00\n$/);
    expect(await must('domain change d.test --limit 5')).toBe('changed: d.test\n');
    expect(await json<DomainInfo>('domain disable d.test')).toMatchObject({ enabled: false, accountLimit: 5 });
    expect(await must('domain enable d.test')).toBe('enabled: d.test\n');
    expect(await must('domain show d.test')).toContain('account limit  5\n');
    expect(await json('domain delete d.test')).toEqual({ done: true });
  });

  it('ends with 1 and the reason when refused, in English or Japanese', async () => {
    expect(await kiroku('domain show none.test')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-such-domain'].en}: none.test\n` });
    expect(await kiroku('domain show none.test --lang ja')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-such-domain'].ja}: none.test\n` });
    expect(await command({ ...api.env, LC_ALL: 'ja_JP.UTF-8' }, ['domain', 'delete', 'none.test'])).toMatchObject({ code: 1, err: `kiroku: ${REASONS['no-such-domain'].ja}\n` });
  });
});

describe('kiroku account', () => {
  beforeAll(() => must('domain add a.test'));

  it('adds with a password from an option or from the input', async () => {
    expect(await must('account add ann@a.test --password correct --name Ann --quota 5M --imap off')).toBe('added: ann@a.test\n');
    expect(await must('account add bob@a.test --password-stdin', 'secret of bob\n')).toBe('added: bob@a.test\n');
    expect(await json<AccountInfo>('account show ann@a.test')).toMatchObject({ fullName: 'Ann', quota: 5 * 1024 * 1024, imap: false, smtp: true });
    expect((await json<AccountInfo[]>('account list --domain a.test')).map((a) => a.address)).toEqual(['ann@a.test', 'bob@a.test']);
  });

  it('asks for no password where nobody can answer', async () => {
    expect(await kiroku('account add cat@a.test')).toMatchObject({ code: 2, err: expect.stringContaining('--password-stdin') });
    expect(await kiroku('account add cat@a.test --password-stdin')).toMatchObject({ code: 2 });
  });

  it('changes, sets passwords, switches off and on, renames and deletes', async () => {
    expect(await kiroku('account change bob@a.test')).toMatchObject({ code: 2 });
    expect(await must('account change bob@a.test --pop3 off')).toBe('changed: bob@a.test\n');
    expect(await kiroku('account change bob@a.test --digest on')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['password-needed'].en}: bob@a.test\n` });
    expect(await must('account password bob@a.test --password other --digest on')).toBe('password set: bob@a.test\n');
    expect(await json<AccountInfo>('account show bob@a.test')).toMatchObject({ pop3: false, reversible: true });
    expect(await must('account disable bob@a.test')).toBe('disabled: bob@a.test\n');
    expect(await must('account enable bob@a.test')).toBe('enabled: bob@a.test\n');
    expect(await must('account rename bob@a.test rob@a.test')).toBe('renamed: bob@a.test → rob@a.test\n');
    expect(await must('account delete rob@a.test')).toBe('deleted: rob@a.test\n');
  });

  it('imports a list, says what became of each row, and ends with 1 when one failed', async () => {
    const file = join(folder, 'list.tsv');
    writeFileSync(file, Buffer.from('u1\tpw1\tユーザー\t-\tHome\t1\t0\t0\nann\tpw\tAnn\t-\tHome\t1\t0\t0\nbroken\trow\n'));
    const dry = await kiroku(`account import ${file} --domain a.test --dry-run`);
    expect(dry).toMatchObject({ code: 1, out: expect.stringContaining('line 1: u1@a.test would be added\n') });
    expect(dry.out).toContain('dry run, nothing changed. 3 rows: 1 would be added, 1 exist already, 1 refused\n');
    const real = await kiroku(`account import ${file} --domain a.test --json`);
    expect(real.code).toBe(1);
    expect(real.out.trim().split('\n').map((line) => (JSON.parse(line) as { result?: string }).result)).toEqual(['added', 'duplicate', 'refused', undefined]);
    expect(real.err).toBe('3/3 rows\n');
    writeFileSync(file, '\ufeffu9\tpw\t"Nine, U"\t-\tHome\t1\t0\t0\r\nU9\tpw\tU9\t-\tHome\t1\t0\t0\r\n\t\t\t\r\n\r\n');
    expect(await kiroku(`account import ${file} --domain a.test --dry-run`)).toMatchObject({
      code: 0, out: 'line 1: u9@a.test would be added\nline 2: u9@a.test named already in line 1, which counts\ndry run, nothing changed. 2 rows: 1 would be added, 1 exist already, 0 refused\n',
    });
    expect((await kiroku(`account import ${file} --domain a.test --dry-run --lang ja`)).out).toContain('行 2: u9@a.test 1 行目と重複(先の行を採用)\n');
    writeFileSync(file, 'u2\tpw2\tU2\t-\tHome\t1\t0\t0\n');
    expect(await kiroku(`account import ${file} --domain a.test --lang ja`)).toEqual({ code: 0, out: '行 1: u2@a.test 追加\n1 行: 追加 1、既存 0、拒否 0\n', err: '1/1 行\n' });
    expect(await kiroku(`account import ${folder}/none.tsv`)).toMatchObject({ code: 1, err: `kiroku: cannot read ${folder}/none.tsv\n` });
  });

  it('exports what it can import', async () => {
    const text = await must('account export --domain a.test');
    expect(text.split('\n').map((line) => line.split('\t')[0])).toEqual(['ann', 'u1', 'u2', '']);
    await must('domain add b.test');
    writeFileSync(join(folder, 'export.tsv'), text);
    expect(await kiroku(`account import ${folder}/export.tsv --domain b.test`)).toMatchObject({ code: 0 });
  });
});

describe('kiroku alias', () => {
  it('adds, lists, shows, changes, switches off and on, renames and deletes', async () => {
    await must('domain add l.test');
    expect(await must('alias add all@l.test x@l.test y@far.test')).toBe('added: all@l.test\n');
    expect(await json<AliasInfo>('alias show all@l.test')).toMatchObject({ targets: [{ address: 'x@l.test', rewrite: false }, { address: 'y@far.test', rewrite: true }] });
    expect(await must('alias change all@l.test z@l.test --rewrite')).toBe('changed: all@l.test\n');
    expect((await json<AliasInfo[]>('alias list --domain l.test'))[0]?.targets).toEqual([{ address: 'z@l.test', rewrite: true }]);
    expect(await must('alias add *@l.test z@l.test')).toBe('added: *@l.test\n');
    for (const line of ['alias disable *@l.test', 'alias enable *@l.test', 'alias rename all@l.test everyone@l.test', 'alias delete everyone@l.test']) await must(line);
    expect(await kiroku('alias add loop@l.test loop@l.test')).toMatchObject({ code: 1 });
    expect(await kiroku('alias add none@l.test')).toMatchObject({ code: 2 });
  });
});

describe('kiroku settings, lockout and admin', () => {
  it('shows and changes settings by their type', async () => {
    expect(await json<Record<string, unknown>>('settings set hops=20 vrfy=on trustedIps=192.0.2.1,192.0.2.0/24')).toMatchObject({ hops: 20, vrfy: true, trustedIps: ['192.0.2.1', '192.0.2.0/24'] });
    expect(await must('settings show hops')).toMatch(/^setting +hops\nvalue +20\ndefault +25\nchanged +yes\nset at +2\d{3}-.*\+09:00\nset by +admin:admin\nunit +number\nmeaning +Received fields .*\n$/);
    expect((await must('settings show --changed --lang ja')).split('\n').map((line) => line.split(' ')[0])).toEqual(['設定', 'hops', 'vrfy', 'trustedIps', '']);
    expect(await must('settings reset hops vrfy trustedIps')).toBe('changed: hops, vrfy, trustedIps\n');
    expect(await json('settings show hops')).toMatchObject({ name: 'hops', value: 25, default: 25, changed: false, setBy: 'admin:admin', unit: 'count' });
    expect(await kiroku('settings show --changed')).toEqual({ code: 0, out: '', err: 'none\n' });
    const untouched = await must('settings show messageSize');
    expect(untouched).toMatch(/value +104857600 \(100 MiB\)\n[^]*changed +no\nset at +-\nset by +-\nunit +bytes/);
    expect(await must('settings show bodyGrace --lang ja')).toMatch(/86400000 \(1 日\)/);
    expect((await json<{ means: { ja: string } }[]>('settings show')).every((s) => s.means.ja !== '')).toBe(true);
    for (const wrong of ['settings set hops=many', 'settings set nonsense=1', 'settings set hops', 'settings reset nonsense', 'settings show nonsense']) expect(await kiroku(wrong)).toMatchObject({ code: 2 });
    expect(await kiroku('settings set tagSeparators=a')).toMatchObject({ code: 1 });
  });

  it('lists lockouts and releases none that is not there', async () => {
    expect(await json('lockout list')).toEqual([]);
    expect(await kiroku('lockout release 192.0.2.9')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['not-locked-out'].en}: 192.0.2.9\n` });
  });

  it('adds administrators, whose tokens work until revoked', async () => {
    const { token } = await json<{ token: string }>('admin add carl');
    const asCarl = { ...api.env, KIROKU_TOKEN: token };
    expect(await command(asCarl, ['domain', 'list', '--json'])).toMatchObject({ code: 0 });
    expect(await command(asCarl, ['admin', 'remove', 'carl'])).toMatchObject({ code: 1, err: `kiroku: ${REASONS['own-token'].en}\n` });
    expect(await must('admin list')).toMatch(/^name +created +token id +issued +by\nadmin .*\ncarl .* admin:admin\n$/);
    expect(await must('admin token carl')).toMatch(/^added: carl\ntoken, shown only now: [\w-]{43}\n$/);
    expect(await must('admin revoke carl')).toBe('revoked: carl\n');
    expect(await command(asCarl, ['domain', 'list'])).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS.unauthorized.en}\n` });
    expect(await must('admin remove carl')).toBe('removed: carl\n');
  });
});

describe('kiroku message, story, health, metrics and view', () => {
  it('say what there is, and that there is nothing', async () => {
    expect(await json('message list --since 2026-01-01')).toEqual([]);
    expect(await kiroku('message list')).toEqual({ code: 0, out: '', err: 'none\n' });
    expect(await kiroku('message show NONE')).toMatchObject({ code: 1 });
    expect(await kiroku('story NONE --wait 0')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-such-message'].en}: NONE\n` });
    expect(await kiroku('message list --state lost')).toMatchObject({ code: 2 });
    expect(await kiroku('message list --since yesterday')).toMatchObject({ code: 2 });
    expect((await json<{ name: string }[]>('view list')).map((v) => v.name)).toContain('message_2');
    expect(await json('metrics')).toHaveProperty('metrics');
    expect(await must('health')).toBe('healthy\n');
  });
});

describe('kiroku audit', () => {
  it('lists what administrators did, in words, filtered and in pages', async () => {
    await must('domain add audited.test');
    await must('domain disable audited.test');
    const lines = async (line: string): Promise<readonly string[]> => (await kiroku(line)).out.trim().split('\n').slice(1);
    const about = await lines('audit --about audited.test');
    expect(about[0]).toMatch(/^2\d{3}-.*\+09:00 +admin +disabled a domain +audited\.test +-$/);
    expect((await lines('audit --about audited.test --lang ja'))[1]).toMatch(/ドメインを追加/);
    const first = await kiroku('audit --limit 1');
    const [, next] = /^there are more: --after (\S+)\n$/.exec(first.err) ?? [];
    expect((await json<{ items: readonly { id: string }[]; next: string }>(`audit --limit 1`)).next).toBe(next);
    expect(await lines(`audit --limit 1 --after ${next}`)).not.toEqual(first.out.trim().split('\n').slice(1));
    expect(await kiroku('audit --actor nobody')).toEqual({ code: 0, out: '', err: 'none\n' });
    expect(await kiroku('audit --type Nonsense')).toMatchObject({ code: 2 });
  });
});

describe('kiroku quarantine', () => {
  const aside = async (pool: pg.Pool, id: string): Promise<void> => void (await pool.query(
    `INSERT INTO view.quarantine_1 (message_id, state, sha256, size, partition, position, error, tries, since, aside_at) VALUES ($1, 'aside', '\\xab', 10, 0, 0, 'TypeError: no', 5, 1, 2)`, [id]));

  it('lists what is set aside, and health tells of it', async () => {
    const pool = openPool(api.database, 1);
    await aside(pool, '01JH0000000000A');
    expect(await must('quarantine list')).toMatch(/^queue id +state +time +tries +size +error\n01JH0000000000A +set aside +1970-.* +5 +10 +TypeError: no\n$/);
    expect(await must('health')).toMatch(/^healthy, but something wants attention\n[^]*warning: delivery: messages set aside: 1; see "kiroku quarantine list"\n$/);
    expect(await must('health --lang ja')).toMatch(/^正常\(注意が必要な項目あり\)\n[^]*隔離メッセージ: 1 通/);
    for (const wrong of ['quarantine retry --reason x', 'quarantine retry M1 --all --reason x', 'quarantine retry M1']) expect([wrong, (await kiroku(wrong)).code]).toEqual([wrong, 2]);
    // Only a row, no history: the decision says that there is no such message.
    expect(await kiroku('quarantine retry 01jh0000000000a --reason ticket')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['not-quarantined'].en}: 01JH0000000000A\n` });
    expect(await json('quarantine retry --all --reason ticket')).toEqual({ retried: 0 });
    expect(await kiroku('quarantine discard 01jh0000000000a --reason spam')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['not-quarantined'].en}: 01JH0000000000A\n` });
    expect((await kiroku('quarantine discard 01jh0000000000a')).code).toBe(2);
    await pool.query('TRUNCATE view.quarantine_1');
    await pool.end();
  });
});

describe('the command line', () => {
  it('says in one line that no server answers', async () => {
    const { code, err } = await command({ ...api.env, KIROKU_HTTP_PORT: '1' }, ['domain', 'list']);
    expect([code, err]).toEqual([1, 'kiroku: no Kiroku server answers at http://127.0.0.1:1: start it with "npm start"\n']);
  });

  it('says where the token should be', async () =>
    expect(await command({ ...api.env, KIROKU_DATA: folder }, ['domain', 'list'])).toMatchObject({ code: 1, err: expect.stringContaining(join(folder, 'admin.token')) }));

  it('ends with 2 when it is used wrongly, and with 0 when help is asked for', async () => {
    for (const wrong of ['domain', 'domain ad x', 'domain add', 'domain add x --limit many', 'nonsense', 'domain list --nonsense', 'domain list extra']) expect([wrong, (await kiroku(wrong)).code]).toEqual([wrong, 2]);
    expect(await command({ ...api.env, KIROKU_HTTP_PORT: 'x' }, ['domain', 'list'])).toMatchObject({ code: 2 });
    for (const help of ['--help', 'domain --help', 'account import --help', '--version']) expect([help, (await kiroku(help)).code]).toEqual([help, 0]);
  });

  it('takes --json on every command', () => {
    const leaves = (c: ReturnType<typeof makeProgram>): readonly (typeof c)[] => (c.commands.length === 0 ? [c] : c.commands.flatMap(leaves));
    for (const leaf of leaves(makeProgram(ownTerminal()))) expect([leaf.name(), leaf.options.map((o) => o.long)]).toEqual([leaf.name(), expect.arrayContaining(['--json', '--lang'])]);
  });
});
