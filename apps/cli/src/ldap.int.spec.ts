import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LdapInfo, LdapTest } from '@kiroku/infra/admin/ldap.js';
import { haveSlapd, person, type Slapd, SLAPD_ROOT, startSlapd } from '@kiroku/infra/rig/remote/slapd.js';
import { type ApiProcess, speaker, startApi } from './testing/api-process.js';
import { REASONS } from './texts.js';

let api: ApiProcess;
let slapd: Slapd | undefined;
const folder = mkdtempSync(join(tmpdir(), 'kiroku-cli-'));
beforeAll(async () => {
  [api, slapd] = await Promise.all([startApi(), haveSlapd() ? startSlapd({ entries: person('ann', 'ann@x.test') }) : undefined]);
}, 60_000);
afterAll(async () => {
  await Promise.all([api.stop(), slapd?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

const { kiroku, must } = speaker(() => api);

describe('kiroku ldap', () => {
  it('adds, lists, shows and changes directories, and takes the password from the input only', async () => {
    const add = `ldap add AD --server ldap://127.0.0.1:1 --bind-dn ${SLAPD_ROOT.dn} --base dc=x,dc=test`;
    expect(await kiroku(add)).toMatchObject({ code: 2, err: expect.stringContaining('--secret-stdin') });
    expect(await must(`${add} --secret-stdin`, 'wrong-secret\n')).toBe('added: ad\n');
    expect(await must('ldap list')).toMatch(/^name +servers +bind DN +base DN +relay domains +changed\nad +ldap:\/\/127\.0\.0\.1:1 +cn=root,dc=x,dc=test +dc=x,dc=test +0 /);
    expect(await must('ldap show ad --json') + (await must('ldap show ad'))).not.toContain('secret');
    for (const wrong of ['ldap add x --base dc=x', 'ldap add x --server ldap://a', 'ldap change ad', 'ldap add x --server ldap://a --base dc=x --secret hunter2', 'ldap change ad --plain maybe'])
      expect([wrong, (await kiroku(wrong)).code]).toEqual([wrong, 2]);
    expect(await kiroku('ldap change ad --filter (mail={adress})')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['bad-ldap-filter'].en}: {adress}: expected {address}, {local} or {domain}\n` });
    expect(await kiroku(`ldap change ad --ca ${folder}/none`)).toMatchObject({ code: 1, err: `kiroku: cannot read ${folder}/none\n` });
    expect(await kiroku('ldap test ad ann@x.test')).toMatchObject({ code: 1, out: expect.stringMatching(/^asked: \(\|\(mail=ann@x\.test\)\(proxyAddresses=smtp:ann@x\.test\)\)\nldap:\/\/127\.0\.0\.1:1: not asked: it cannot be reached \(/) });
  });

  if (haveSlapd()) it('says that the password is wrong, until it is set again', async () => {
    const { port } = slapd as Slapd;
    await must(`ldap change ad --server ldap://127.0.0.1:${port}`);
    expect(await kiroku('ldap test ad ann@x.test')).toMatchObject({ code: 1, out: expect.stringContaining(`ldap://127.0.0.1:${port}: not asked: it refuses the bind DN or the password (result 49)\n`) });
    expect((await kiroku('ldap test ad ann@x.test --lang ja')).out).toContain('バインド DN またはパスワードが拒否されました');
    expect(await must('ldap change ad --secret-stdin', `${SLAPD_ROOT.password}\n`)).toBe('changed: ad\n');
  });

  if (haveSlapd()) it('says whether an address is found, with and without its tag, and what is wrong with each server', async () => {
    const { port, tlsPort, ca } = slapd as Slapd;
    const at = `ldap://127.0.0.1:${port}`;
    expect(await must('ldap test ad Ann+news@x.test')).toBe(`asked: (|(mail=ann+news@x.test)(proxyAddresses=smtp:ann+news@x.test))\n${at}: found ann@x.test\n`);
    expect(await must('ldap test ad bob@x.test')).toContain(`${at}: not found\n`);
    const secure = `ldaps://127.0.0.1:${tlsPort}`;
    await must(`ldap change ad --server ldaps://127.0.0.1:1 --server ${secure} --server ${at}`);
    const { servers } = JSON.parse(await must('ldap test ad ann@x.test --json')) as LdapTest;
    expect(servers).toMatchObject([{ server: 'ldaps://127.0.0.1:1', outcome: 'failed', reason: 'unreachable' }, { server: secure, outcome: 'failed', reason: 'tls' }, { server: at, outcome: 'found' }]);
    const file = join(folder, 'ca.pem');
    writeFileSync(file, ca.cert);
    await must(`ldap change ad --ca ${file} --server ${secure}`);
    expect(await must('ldap test ad ann@x.test')).toContain(`${secure}: found ann@x.test\n`);
    expect((JSON.parse(await must('ldap list --json')) as LdapInfo[])[0]?.ca).toBe(ca.cert);
    await must('ldap change ad --no-ca');
    expect((await kiroku('ldap test ad ann@x.test')).code).toBe(1);
    for (const [wrong, reason] of [['none ann@x.test', 'no-such-ldap-directory'], ['ad nonsense', 'bad-address']] as const)
      expect(await kiroku(`ldap test ${wrong}`)).toMatchObject({ code: 1, err: expect.stringContaining(REASONS[reason].en) });
  });

  it('removes a directory that no relay domain asks, and the audit trail tells it all', async () => {
    expect(await must('relay-domain add inner.test --verify ldap --ldap ad')).toBe('added: inner.test\n');
    expect(await must('relay-domain list')).toMatch(/\ninner\.test +ldap +ad +0 /);
    expect(await must('ldap show ad')).toMatch(/relay domains +inner\.test\n/);
    expect(await kiroku('ldap remove ad')).toMatchObject({ code: 1, err: `kiroku: ${REASONS['ldap-directory-in-use'].en}: relay domains: 1\n` });
    expect(await kiroku('relay-domain change inner.test --ldap other')).toMatchObject({ code: 1, err: expect.stringContaining(REASONS['unknown-ldap-directory'].en) });
    expect(await must('relay-domain change inner.test --verify none')).toBe('changed: inner.test\n');
    await must('ldap change ad --plain never');
    expect(await must('ldap remove ad')).toBe('removed: ad\n');
    const trail = await must('audit --about ad');
    expect(['added', 'changed', 'removed'].every((did) => trail.includes(`${did} an LDAP directory`))).toBe(true);
    expect(trail + (await must('audit --about ad --json'))).not.toMatch(/(?:root|wrong)-secret|sealed/);
  });
});
