import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import type { Verdict } from '@kiroku/domain/routing/verification.js';
import { DEFAULT_FILTER } from '@kiroku/domain/routing/ldap-filter.js';
import { LdapAdmin } from '../admin/ldap.js';
import { RelayDomainAdmin } from '../admin/relay-domains.js';
import { LdapDirectories } from '../ldap/directories.js';
import { haveSlapd, person, type Slapd, SLAPD_ROOT, startSlapd } from '../rig/remote/slapd.js';
import { CallForward } from './call-forward.js';
import { PostgresLdapDirectories } from './ldap-directories.js';
import { buildNewViews } from './new-views.js';
import { Rebuild } from './rebuild.js';
import { PostgresRelayDomains } from './relay-domains.js';
import { type TestHistory, testHistory } from './testing.js';
import { INLINE_VIEWS } from './views.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
let h: TestHistory;
let admin: RelayDomainAdmin;
let relays: PostgresRelayDomains;
let ldap: LdapAdmin;
let close: () => void;
let slapd: Slapd | undefined;
const KEY = Buffer.alloc(32, 7);
const asked: string[] = [];
const troubles: string[] = [];
beforeAll(async () => {
  [h, slapd] = await Promise.all([testHistory(), haveSlapd() ? startSlapd({ entries: person('ann', 'ann@dir.test') }) : undefined]);
  admin = new RelayDomainAdmin(h.pool, h.engine);
  const ask = async (address: string): Promise<Verdict> => (asked.push(address), address.startsWith('ann') ? 'yes' : 'no');
  const directories = new LdapDirectories((name) => new PostgresLdapDirectories(h.pool, KEY).load(name), h.engine.clock, (error) => troubles.push(String(error)));
  ldap = new LdapAdmin(h.pool, h.engine, KEY, async () => '+');
  relays = new PostgresRelayDomains(h.another().pool, new CallForward(ask, h.engine.clock), new CallForward((address, source) => directories.verdict(address, source), h.engine.clock), () => '+');
  close = () => directories.close();
});
afterAll(async () => {
  close();
  await Promise.all([h.close(), slapd?.close()]);
});

describe('a relay domain', () => {
  it('is elsewhere until it is added, and elsewhere again when it is removed', async () => {
    expect(await relays.verify('ann@all.test')).toBe('elsewhere');
    await admin.add({ name: 'All.test', verify: 'none', recipients: [] }, ORIGIN);
    expect(await relays.verify('anybody@ALL.test')).toBe('yes');
    expect(await relays.find('all.test')).toBe('none');
    await admin.change('all.test', { type: 'RemoveRelayDomain' }, ORIGIN);
    expect(await relays.verify('anybody@all.test')).toBe('elsewhere');
    expect(await relays.find('all.test')).toBeUndefined();
    expect(await relays.verify('nonsense')).toBe('elsewhere');
  });

  it('with a list takes who is on it, as soon as it is there and no longer', async () => {
    await admin.add({ name: 'list.test', verify: 'list', recipients: ['ann', 'sales*'] }, ORIGIN);
    const verdicts = () => Promise.all(['ann@list.test', 'Ann+x@list.test', 'sales-jp@list.test', 'bob@list.test'].map((a) => relays.verify(a)));
    expect(await verdicts()).toEqual(['yes', 'yes', 'yes', 'no']);
    await admin.change('list.test', { type: 'AddRecipients', recipients: ['bob'] }, ORIGIN);
    await admin.change('list.test', { type: 'RemoveRecipients', recipients: ['sales*'] }, ORIGIN);
    expect(await verdicts()).toEqual(['yes', 'yes', 'no', 'yes']);
    await admin.change('list.test', { type: 'RemoveRelayDomain' }, ORIGIN);
    await admin.add({ name: 'list.test', verify: 'list', recipients: ['sales*'] }, ORIGIN);
    expect(await verdicts()).toEqual(['no', 'no', 'yes', 'no']);
    expect(await admin.get('list.test')).toMatchObject({ listed: 1, recipients: ['sales*@list.test'] });
  });

  it('with call-forward asks the inner server, once', async () => {
    await admin.add({ name: 'call.test', verify: 'call-forward', recipients: [] }, ORIGIN);
    expect(await Promise.all(['ann@call.test', 'bob@call.test', 'ann@call.test'].map((a) => relays.verify(a)))).toEqual(['yes', 'no', 'yes']);
    expect(asked.toSorted()).toEqual(['ann@call.test', 'bob@call.test']);
  });

  if (haveSlapd()) it('with ldap asks its directory, and none other, for the address with and without its tag', async () => {
    await expect(admin.add({ name: 'dir.test', verify: 'ldap', ldap: 'ad', recipients: [] }, ORIGIN)).rejects.toMatchObject({ reason: 'unknown-ldap-directory' });
    const settings = { plain: 'loopback', bindDn: SLAPD_ROOT.dn, baseDn: 'dc=x,dc=test', filter: DEFAULT_FILTER, ca: '' } as const;
    await ldap.add({ name: 'AD', servers: [`ldap://127.0.0.1:${slapd?.port}`], ...settings, secret: 'wrong' }, ORIGIN);
    await admin.add({ name: 'dir.test', verify: 'ldap', ldap: 'ad', recipients: [] }, ORIGIN);
    expect(await relays.verify('ann@dir.test')).toBe('temporary');
    await ldap.change('ad', { secret: SLAPD_ROOT.password }, ORIGIN);
    expect(await Promise.all(['Ann@dir.test', 'ann+news@dir.test', 'bob@dir.test', 'bob+ann@dir.test'].map((a) => relays.verify(a)))).toEqual(['yes', 'yes', 'no', 'no']);
    expect(troubles).toEqual([expect.stringContaining('refuses the bind DN or its password')]);
    expect(await admin.get('dir.test')).toMatchObject({ verify: 'ldap', ldap: 'ad' });
    expect((await admin.list({ limit: 100 })).items.filter((d) => d.ldap !== undefined).map((d) => d.name)).toEqual(['dir.test']);
    await admin.change('dir.test', { type: 'RemoveRelayDomain' }, ORIGIN);
  });

  it('keeps its directory from being removed, however many ask at once', async () => {
    await ldap.add({ name: 'other', servers: ['ldaps://dc.test'], plain: 'never', bindDn: '', baseDn: '', filter: DEFAULT_FILTER, ca: '', secret: '' }, ORIGIN);
    await Promise.all(['a', 'b', 'c'].map((name) => admin.add({ name: `${name}.dir.test`, verify: 'ldap', ldap: 'other', recipients: [] }, ORIGIN)));
    expect((await ldap.get('other')).relayDomains).toEqual(['a.dir.test', 'b.dir.test', 'c.dir.test']);
    await admin.change('a.dir.test', { type: 'ChangeRelayDomain', verify: 'none' }, ORIGIN);
    await ldap.add({ name: 'third', servers: ['ldaps://dc.test'], plain: 'never', bindDn: 'cn=a', baseDn: '', filter: DEFAULT_FILTER, ca: '', secret: 'hunter2' }, ORIGIN);
    await admin.change('b.dir.test', { type: 'ChangeRelayDomain', ldap: 'third' }, ORIGIN);
    await expect(ldap.remove('other', ORIGIN)).rejects.toMatchObject({ reason: 'ldap-directory-in-use' });
    await admin.change('c.dir.test', { type: 'RemoveRelayDomain' }, ORIGIN);
    const [removed, added] = await Promise.allSettled([ldap.remove('other', ORIGIN), admin.add({ name: 'd.dir.test', verify: 'ldap', ldap: 'other', recipients: [] }, ORIGIN)]);
    expect([removed.status, added.status].toSorted()).toEqual(['fulfilled', 'rejected']);
    const there = await ldap.get('other').then(() => true, () => false);
    expect(there).toBe(added.status === 'fulfilled');
    for (const name of ['a', 'b', 'd']) await admin.change(`${name}.dir.test`, { type: 'RemoveRelayDomain' }, ORIGIN).catch(() => undefined);
    expect((await h.engine.store.read('ldap-third')).events.map((e) => [e.type, e.actor])).toEqual([
      ['LdapDirectoryAdded', 'admin:ann'], ['LdapDirectoryUseChanged', 'admin:ann'], ['LdapDirectoryUseChanged', 'admin:ann'],
    ]);
    const rows = (await h.pool.query('SELECT * FROM view.ldap_directory_1')).rows;
    expect(JSON.stringify([rows, (await h.engine.store.read('ldap-third')).events, await ldap.list({ limit: 10 })])).not.toContain('hunter2');
    await ldap.remove('third', ORIGIN);
    await expect(ldap.get('third')).rejects.toMatchObject({ reason: 'no-such-ldap-directory' });
  });

  it('is not one of ours', async () => {
    const commands = new DirectoryCommands(h.engine);
    await commands.addDomain('ours.test', { accountLimit: 0 }, ORIGIN);
    await expect(admin.add({ name: 'Ours.test', verify: 'none', recipients: [] }, ORIGIN)).rejects.toMatchObject({ reason: 'domain-is-local' });
    await commands.deleteDomain('ours.test', ORIGIN);
    await admin.add({ name: 'ours.test', verify: 'none', recipients: [] }, ORIGIN);
  });

  it('is found in lists, page by page, and by who added it', async () => {
    const first = await admin.list({ limit: 2 });
    expect([first.items.map((d) => d.name), first.next]).toEqual([['call.test', 'list.test'], 'list.test']);
    expect((await admin.list({ limit: 2, after: 'list.test' })).items.map((d) => [d.name, d.verify, d.listed])).toEqual([['ours.test', 'none', 0]]);
    expect((await h.engine.store.read('relaydomain-call.test')).events).toMatchObject([{ type: 'RelayDomainAdded', actor: 'admin:ann', correlation: 'r' }]);
    await expect(admin.get('none.test')).rejects.toMatchObject({ reason: 'no-such-relay-domain' });
  });

  it('of the release before, whose events name no directory, is read as it was', async () => {
    const rows = async () => (await h.pool.query<object>('SELECT * FROM view.relay_domain_2 ORDER BY name')).rows;
    const before = await rows();
    expect(before).toContainEqual(expect.objectContaining({ name: 'list.test', verify: 'list', ldap: '', recipients: '["sales*@list.test"]' }));
    await h.pool.query('DELETE FROM view.relay_domain_2'); // as the migration leaves it
    expect(await buildNewViews(h.pool, h.log)).toContain('relay_domain_2');
    expect(await rows()).toEqual(before);
  });

  it.each(['relay_domain_2', 'ldap_directory_1'])('is rebuilt to the same: %s', async (name) => {
    const view = INLINE_VIEWS.find((v) => v.name === name);
    expect((await new Rebuild(h.log, h.pool, view as NonNullable<typeof view>).verify()).differences).toEqual([]);
  });
});
