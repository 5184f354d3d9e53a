import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import type { Verdict } from '@kiroku/domain/routing/verification.js';
import { RelayDomainAdmin } from '../admin/relay-domains.js';
import { CallForward } from './call-forward.js';
import { Rebuild } from './rebuild.js';
import { PostgresRelayDomains } from './relay-domains.js';
import { type TestHistory, testHistory } from './testing.js';
import { INLINE_VIEWS } from './views.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
let h: TestHistory;
let admin: RelayDomainAdmin;
let relays: PostgresRelayDomains;
const asked: string[] = [];
beforeAll(async () => {
  h = await testHistory();
  admin = new RelayDomainAdmin(h.pool, h.engine);
  const ask = async (address: string): Promise<Verdict> => (asked.push(address), address.startsWith('ann') ? 'yes' : 'no');
  relays = new PostgresRelayDomains(h.another().pool, new CallForward(ask, h.engine.clock), () => '+');
});
afterAll(() => h.close());

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

  it('is rebuilt to the same', async () => {
    const view = INLINE_VIEWS.find((v) => v.name === 'relay_domain_1');
    expect((await new Rebuild(h.log, h.pool, view as NonNullable<typeof view>).verify()).differences).toEqual([]);
  });
});
