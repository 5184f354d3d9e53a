import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CredentialsInfo, GatewayTableInfo, RouteInfo, TokenInfo } from '@kiroku/infra/admin/gateways.js';
import type { RelayDomainDetails } from '@kiroku/infra/admin/relay-domains.js';
import { oauthError, type TokenServer, tokenServer } from '@kiroku/infra/oauth/testing.js';
import { type ApiProcess, speaker, startApi } from './testing/api-process.js';
import { REASONS } from './texts.js';

let api: ApiProcess;
const folder = mkdtempSync(join(tmpdir(), 'kiroku-cli-'));
const file = join(folder, 'gateway.dat');
beforeAll(async () => { api = await startApi(); }, 60_000);
afterAll(async () => {
  await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

const { kiroku, must, json } = speaker(() => api);

describe('kiroku gateway', () => {
  it('imports a table, lists it and exports it', async () => {
    writeFileSync(file, "' ours\r\n\r\n*.Inner.test, 192.0.2.25, 25\r\n*|ann@x.test,[2001:db8::1],465*\r\n");
    expect(await must(`gateway import ${file}`)).toBe('imported: 4 lines\n');
    expect(await must('gateway export')).toBe("' ours\n\n*.inner.test,192.0.2.25,25\n*|ann@x.test,[2001:db8::1],465*\n");
    expect(await json('gateway export')).toContain('*.inner.test,');
    expect((await must('gateway list')).split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['line', 'target', 'if from', 'gateway', 'port', 'implicit TLS', 'credentials'], ['1', "' ours", '-', '-', '-', '-', '-'],
      ['3', '*.inner.test', '-', '192.0.2.25', '25', 'no', '-'], ['4', '*', 'ann@x.test', '2001:db8::1', '465', 'yes', '-'], ['']]);
    expect(await json<GatewayTableInfo>('gateway list')).toMatchObject({ revision: 1, lines: { length: 4 } });
  });

  it('tells every line at fault, in English or Japanese, and changes nothing', async () => {
    writeFileSync(file, '; fine\nx.test,gw,smtp\nx.test,gw\n');
    const { code, err } = await kiroku(`gateway import ${file}`);
    expect([code, err.split('\n').map((line) => line.slice(0, 20))]).toEqual([1, ['line 2: the port is ', 'line 3: expected tar', 'kiroku: the gateway ', '']]);
    expect((await kiroku(`gateway import ${file} --lang ja`)).err).toMatch(/^2 行目: ポートが.* \(smtp\)\n3 行目: 書式は/);
    expect(await kiroku(`gateway import ${folder}/none`)).toMatchObject({ code: 1, err: `kiroku: cannot read ${folder}/none\n` });
    expect((await json<GatewayTableInfo>('gateway list')).revision).toBe(1);
  });

  it('adds, changes, moves and removes lines', async () => {
    expect(await must('gateway add y.test gw.test 587* --sender <>')).toBe('added: line 5\n');
    expect(await must('gateway add z.test gw.test 25 --at 1 --revision 2')).toBe('added: line 1\n');
    expect(await must('gateway change 6 --no-sender --port 25 --gateway other.test')).toBe('changed: line 6\n');
    expect(await must('gateway move 6 1')).toBe('moved: line 6 → 1\n');
    expect(await must('gateway remove 2')).toBe('removed: line 2\n');
    expect(await must('gateway export')).toBe("y.test,other.test,25\n' ours\n\n*.inner.test,192.0.2.25,25\n*|ann@x.test,[2001:db8::1],465*\n");
    expect(await kiroku('gateway remove 9')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-such-line'].en}: line 9 of 5\n` });
    expect(await kiroku('gateway remove 1 --revision 1')).toMatchObject({ code: 1, err: expect.stringContaining(REASONS['stale-table'].en) });
    for (const wrong of ['gateway add y.test gw.test smtp', 'gateway change 1', 'gateway remove x', 'gateway move 1 x', 'gateway add y.test gw.test 25 --at x']) expect([wrong, (await kiroku(wrong)).code]).toEqual([wrong, 2]);
  });

  it('says where mail goes and why', async () => {
    expect(await must('gateway test Ann@sub.inner.test')).toBe('ann@sub.inner.test goes to 192.0.2.25:25: line 4 is the first that fits\nline 4: *.inner.test,192.0.2.25,25\n');
    expect(await must('gateway test a@far.test --sender ann@x.test')).toBe('a@far.test goes to [2001:db8::1]:465: line 5 is the first that fits\nline 5: *|ann@x.test,[2001:db8::1],465*\n');
    expect(await must('gateway test a@far.test --sender bob@x.test')).toBe(
      'a@far.test goes to the MX of far.test: no line of the gateway table fits\nlines that fit the recipient, but not the sender: 5\n');
    expect(await json<RouteInfo>('gateway test a@far.test')).toMatchObject({ route: { kind: 'mx' }, passedOver: [5] });
    await must('domain add here.test');
    expect(await must('gateway test a@here.test')).toContain('of a local domain: it is delivered here, the gateway table is not asked');
    expect(await must('gateway forward-all on')).toContain('also for local domains');
    expect(await must('gateway list')).toMatch(/^all received mail goes to the gateways/);
    expect(await must('gateway test a@here.test')).toContain('no line of the gateway table fits: it is delivered here');
    await must('gateway forward-all off');
    expect(await kiroku('gateway test nonsense')).toMatchObject({ code: 1 });
  });
});

describe('kiroku credentials', () => {
  it('adds, changes, lists and removes, and takes the secret from the input only', async () => {
    expect(await must('credentials add isp --user kiroku --secret-stdin', 'hunter2\n')).toBe('added: isp\n');
    expect(await must('credentials change isp --mechanism XOAUTH2')).toBe('changed: isp\n');
    expect(await must('credentials change isp --secret-stdin', 'hunter3\n')).toBe('changed: isp\n');
    expect(await json<CredentialsInfo[]>('credentials list')).toMatchObject([{ name: 'isp', mechanism: 'XOAUTH2', user: 'kiroku' }]);
    expect(await must('credentials list')).not.toContain('hunter');
    expect(await kiroku('credentials add other --user x')).toMatchObject({ code: 2, err: expect.stringContaining('--secret-stdin') });
    for (const wrong of ['credentials add other --secret-stdin', 'credentials change isp', 'credentials add other --user x --secret y', 'credentials add other --user x --mechanism APOP --secret-stdin'])
      expect([wrong, (await kiroku(wrong, 'secret\n')).code]).toEqual([wrong, 2]);
    await must('gateway add * smtp.isp.test 587 --credentials isp');
    expect(await kiroku('credentials remove isp')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['credentials-in-use'].en}: line 6: *,smtp.isp.test,587,isp\n` });
    await must('gateway change 6 --no-credentials');
    expect(await must('credentials remove isp')).toBe('removed: isp\n');
  });
});

describe('kiroku credentials with access tokens', () => {
  let server: TokenServer;
  beforeAll(async () => { server = await tokenServer({ tls: false }); });
  afterAll(() => server.close());

  it('adds a client, tests it, and shows neither secret nor token', async () => {
    const { host } = new URL(server.url);
    expect(await must(`credentials add m365 --user ann@x.test --mechanism XOAUTH2 --oauth-token-url ${server.url} --client-id app --scope mail --grant client-credentials --secret-stdin`, 'hunter2\n')).toBe('added: m365\n');
    expect(await must('credentials test m365')).toMatch(new RegExp(`^${host} gives an access token; it is good until \\d{4}-`));
    expect(await must('credentials test m365 --lang ja')).toContain('アクセストークンを取得できました');
    expect(await json<TokenInfo>('credentials test m365')).toEqual({ name: 'm365', user: 'ann@x.test', tokenUrl: server.url, expiresAt: expect.any(Number) });
    expect(server.forms[0]).toEqual({ grant_type: 'client_credentials', client_id: 'app', client_secret: 'hunter2', scope: 'mail' });
    expect(await must('credentials list')).toMatch(/m365 +XOAUTH2 +ann@x\.test +token by client credentials /);
    const shown = await must('credentials show m365');
    expect(shown).toMatch(new RegExp(`token URL +${server.url}\nclient id +app\nscope +mail\n`));
    expect(shown).not.toMatch(/hunter|token-\d/);
  });

  it('changes to a refresh token, with or without the client’s secret', async () => {
    expect(await must('credentials change m365 --grant refresh-token --scope= --secret-stdin', 'refresh-1\nhunter3\n')).toBe('changed: m365\n');
    await must('credentials test m365');
    expect(server.forms.at(-1)).toEqual({ grant_type: 'refresh_token', client_id: 'app', client_secret: 'hunter3', refresh_token: 'refresh-1' });
    await must('credentials change m365 --secret-stdin', 'refresh-2\n');
    await must('credentials test m365');
    expect(server.forms.at(-1)).toMatchObject({ client_secret: 'hunter3', refresh_token: 'refresh-2' });
    expect(await must('credentials list')).toContain('token by refresh token');
  });

  it('says why there is no token, and what is missing', async () => {
    server.answer = () => oauthError('invalid_grant', { error_description: 'AADSTS700082: expired' });
    expect(await kiroku('credentials test m365')).toEqual({ code: 1, out: '', err: `kiroku: ${REASONS['no-access-token'].en}: ${new URL(server.url).host} refuses: invalid_grant (AADSTS700082: expired)\n` });
    expect(await must('credentials change m365 --fixed --secret-stdin', 'password\n')).toBe('changed: m365\n');
    expect(await kiroku('credentials test m365')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['fixed-secret'].en}: m365\n` });
    expect((await json<CredentialsInfo[]>('credentials list')).find(({ name }) => name === 'm365')).not.toHaveProperty('oauth');
    for (const wrong of ['credentials add o --user x --client-id y --secret-stdin', 'credentials add o --user x --oauth-token-url http://127.0.0.1/ --client-id y --grant password --secret-stdin', 'credentials change m365 --fixed --scope x --secret-stdin', 'credentials change m365 --fixed'])
      expect([wrong, (await kiroku(wrong, 'secret\n')).code]).toEqual([wrong, 2]);
  });
});

describe('kiroku relay-domain', () => {
  it('adds, lists, shows, changes and removes', async () => {
    const list = join(folder, 'recipients.txt');
    writeFileSync(list, '# inner\nann\n\nsales*@Inner.test\r\n');
    expect(await must(`relay-domain add Inner.test --verify list --recipients ${list}`)).toBe('added: inner.test\n');
    expect(await must('relay-domain add-recipients inner.test bob cid')).toBe('changed: inner.test\n');
    expect(await must('relay-domain remove-recipients inner.test ann')).toBe('changed: inner.test\n');
    expect(await json<RelayDomainDetails>('relay-domain show inner.test')).toMatchObject({ verify: 'list', recipients: ['bob@inner.test', 'cid@inner.test', 'sales*@inner.test'] });
    expect(await must('relay-domain show inner.test')).toContain('recipients             bob@inner.test, cid@inner.test, sales*@inner.test\n');
    expect(await must('relay-domain change inner.test --verify call-forward')).toBe('changed: inner.test\n');
    expect(await must('relay-domain list')).toMatch(/^name +recipients checked by +LDAP directory +listed +created +changed\ninner\.test +call-forward +- +3 /);
    for (const wrong of ['relay-domain add x.test', 'relay-domain add x.test --verify dns', 'relay-domain change inner.test']) expect([wrong, (await kiroku(wrong)).code]).toEqual([wrong, 2]);
    expect(await kiroku('relay-domain add x.test --verify ldap')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['ldap-directory-needed'].en}\n` });
    expect(await kiroku('relay-domain add here.test --verify none')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['domain-is-local'].en}: here.test\n` });
    expect(await must('relay-domain remove inner.test')).toBe('removed: inner.test\n');
  });
});
