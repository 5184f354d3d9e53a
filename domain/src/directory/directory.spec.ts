import { describe, expect, it } from '@jest/globals';
import { Refusal } from '../kernel/decider.js';
import { VersionConflict } from '../kernel/event-store.js';
import { type MemoryStore, NINE, testEngine } from '../kernel/memory-store.js';
import { appendMessage, mailboxStream } from '../mailbox/mailbox.js';
import { DirectoryCommands } from './commands.js';
import type { NewAccount } from './plans.js';
import type { DirectoryRefusal } from './refusals.js';
import { accounts, aliases, domains } from './views.js';
import { fold } from '../kernel/fold.js';

const origin = { actor: 'admin:ann', correlation: 'request-1' };
const ID = '10000000-0000-7000-8000-000000000001';
const OTHER = '10000000-0000-7000-8000-000000000002';

const account = (address: string, accountId = ID): NewAccount => ({
  accountId, address, fullName: 'Ann Lee', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'v1.sealed', reversible: false,
});

const rule = async (reason: DirectoryRefusal, command: () => Promise<unknown>): Promise<void> => {
  const refusal = await Promise.resolve().then(command).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(Refusal);
  expect((refusal as Refusal).reason).toBe(reason);
};

async function directory(...names: string[]) {
  const engine = testEngine();
  const commands = new DirectoryCommands(engine);
  for (const name of names) await commands.addDomain(name, { accountLimit: 0 }, origin);
  const { store } = engine;
  return {
    engine, store, commands,
    types: () => store.history.map((h) => h.event.type),
    tally: (domain: string) => last(store, `tally-${domain}`),
  };
}

const last = (store: MemoryStore, stream: string) => store.history.filter((h) => h.stream === stream).at(-1)?.event.data;

describe('a domain', () => {
  it('is added once, in lower case and A-labels', async () => {
    const { commands, store } = await directory('Bücher.TEST');
    expect(last(store, 'domain-xn--bcher-kva.test')).toEqual({ name: 'xn--bcher-kva.test', accountLimit: 0, enabled: true, createdAt: NINE });
    await rule('domain-exists', () => commands.addDomain('BÜCHER.test', { accountLimit: 5 }, origin));
  });
  it.each(['', 'x..test', 'x_y.test', '192.0.2.1', 'x test', '*.test'])('is not called %j', async (name) => {
    const { commands } = await directory();
    await rule('bad-domain', () => commands.addDomain(name, { accountLimit: 0 }, origin));
  });
  it('has a limit that is a number', async () => {
    const { commands } = await directory();
    for (const accountLimit of [-1, 1.5, NaN]) await rule('bad-domain', () => commands.addDomain('x.test', { accountLimit }, origin));
  });
  it('changes, goes off and on; the same again records nothing', async () => {
    const { commands, types } = await directory('x.test');
    for (let i = 0; i < 2; i++) await commands.changeDomain('x.test', { accountLimit: 3 }, origin);
    for (let i = 0; i < 2; i++) await commands.enableDomain('x.test', false, origin);
    for (let i = 0; i < 2; i++) await commands.enableDomain('x.test', true, origin);
    expect(types()).toEqual(['DomainAdded', 'DomainChanged', 'DomainDisabled', 'DomainEnabled']);
  });
  it('must be there to be changed', async () => {
    const { commands } = await directory();
    await rule('no-such-domain', () => commands.changeDomain('x.test', { accountLimit: 1 }, origin));
    await rule('no-such-domain', () => commands.enableDomain('x.test', false, origin));
    await rule('no-such-domain', () => commands.deleteDomain('x.test', origin));
  });
  it('is deleted only when nothing is left in it', async () => {
    const { commands } = await directory('x.test');
    await commands.addAccount(account('ann@x.test'), origin);
    await commands.addAlias('a@x.test', [{ address: 'ann@x.test' }], origin);
    await rule('not-empty', () => commands.deleteDomain('x.test', origin));
    await commands.deleteAccount(ID, origin);
    await rule('not-empty', () => commands.deleteDomain('x.test', origin));
    await commands.deleteAlias('a@x.test', origin);
    expect((await commands.deleteDomain('x.test', origin)).map((f) => f.type)).toEqual(['DomainDeleted', 'TallyChanged']);
    expect(await commands.deleteDomain('x.test', origin)).toEqual([]);
  });
  it('is not deleted under an account that is added at the same moment', async () => {
    const { commands, store } = await directory('x.test');
    store.meanwhile = () => commands.addAccount(account('ann@x.test'), origin);
    await rule('not-empty', () => commands.deleteDomain('x.test', origin));
  });
  it('takes no account when it is deleted at the same moment', async () => {
    const { commands, store } = await directory('x.test');
    store.meanwhile = () => commands.deleteDomain('x.test', origin);
    await rule('no-such-domain', () => commands.addAccount(account('ann@x.test'), origin));
  });
  it('can come back', async () => {
    const { commands, tally } = await directory('x.test');
    await commands.deleteDomain('x.test', origin);
    await commands.addDomain('x.test', { accountLimit: 0 }, origin);
    await commands.addAccount(account('ann@x.test'), origin);
    expect(tally('x.test')).toEqual({ domain: 'x.test', accounts: 1, aliases: 0 });
  });
});

describe('an account', () => {
  it('comes with its address, its INBOX and its place in the tally, in one append', async () => {
    const { commands, store, tally } = await directory('x.test');
    const before = store.appends;
    expect(await commands.addAccount(account('Ann@X.test'), origin)).toEqual({ result: 'added', accountId: ID, address: 'ann@x.test' });
    expect(store.appends).toBe(before + 1);
    const added = last(store, `account-${ID}`) as { inbox: string };
    expect(added).toEqual({ ...account('ann@x.test'), domain: 'x.test', inbox: added.inbox, enabled: true, createdAt: NINE });
    expect(last(store, mailboxStream(added.inbox))).toMatchObject({ mailboxId: added.inbox, head: { accountId: ID, name: 'INBOX', uidNext: 1 } });
    expect(last(store, 'address-ann@x.test')).toEqual({ address: 'ann@x.test', owner: { kind: 'account', accountId: ID } });
    expect(tally('x.test')).toEqual({ domain: 'x.test', accounts: 1, aliases: 0 });
    expect(await commands.accountIdOf('ANN@x.test')).toBe(ID);
  });
  it('is there once when the same command comes twice', async () => {
    const { commands, store } = await directory('x.test');
    await commands.addAccount(account('ann@x.test'), origin);
    const before = store.history.length;
    expect(await commands.addAccount(account('ann@x.test'), origin)).toMatchObject({ result: 'there' });
    expect(store.history).toHaveLength(before);
  });
  it('does not take the address of another account or alias', async () => {
    const { commands } = await directory('x.test');
    await commands.addAccount(account('ann@x.test'), origin);
    await commands.addAlias('info@x.test', [{ address: 'ann@x.test' }], origin);
    await rule('address-taken', () => commands.addAccount(account('ANN@x.test', OTHER), origin));
    await rule('address-taken', () => commands.addAccount(account('info@x.test', OTHER), origin));
    await rule('address-taken', () => commands.addAlias('ann@x.test', [{ address: 'info@x.test' }], origin));
  });
  it('does not win an address that somebody else takes at the same moment', async () => {
    const { commands, store, tally } = await directory('x.test');
    store.meanwhile = () => commands.addAccount(account('ann@x.test', OTHER), origin);
    await rule('address-taken', () => commands.addAccount(account('ann@x.test'), origin));
    expect(tally('x.test')).toMatchObject({ accounts: 1 });
  });
  it.each([
    ['no-such-domain', account('ann@other.test')],
    ['bad-address', account('ann')],
    ['bad-address', account('*@x.test')],
    ['bad-account', account('ann@x.test', 'not-a-uuid')],
    ['bad-account', { ...account('ann@x.test'), quota: -1 }],
    ['bad-account', { ...account('ann@x.test'), fullName: 'Ann\tLee' }],
    ['bad-account', { ...account('ann@x.test'), credentials: '' }],
    ['bad-account', { ...account('ann@x.test'), credentials: 'x'.repeat(8193) }],
  ] as const)('is refused: %s', async (reason, bad) => {
    const { commands, store } = await directory('x.test');
    await rule(reason, () => commands.addAccount(bad, origin));
    expect(store.history).toHaveLength(1);
  });
  it('never finds its credentials in a refusal', async () => {
    const { commands } = await directory('x.test');
    await expect(commands.addAccount({ ...account('ann@x.test'), credentials: 'my secret' }, origin)).rejects.toEqual(new Refusal('bad-account', 'credentials'));
  });
  it('fits the limit of its domain exactly', async () => {
    const { commands, engine } = await directory('x.test');
    await commands.changeDomain('x.test', { accountLimit: 2 }, origin);
    await commands.addAccount(account('a@x.test'), origin);
    engine.store.meanwhile = () => commands.addAccount(account('b@x.test', OTHER), origin);
    await rule('domain-limit', () => commands.addAccount(account('c@x.test', OTHER.replace(/2$/, '3')), origin));
    await commands.addAlias('alias@x.test', [{ address: 'a@x.test' }], origin);
  });
  it('changes what is given and nothing else', async () => {
    const { commands, store, types } = await directory('x.test');
    await commands.addAccount(account('ann@x.test'), origin);
    await commands.changeAccount(ID, { quota: 1000, fullName: 'Ann Lee' }, origin);
    expect(last(store, `account-${ID}`)).toMatchObject({ quota: 1000, changed: ['quota'], credentials: 'v1.sealed', address: 'ann@x.test' });
    expect(await commands.changeAccount(ID, { quota: 1000 }, origin)).toEqual([]);
    await commands.setPassword(ID, 'v1.other', origin);
    expect(await commands.setPassword(ID, 'v1.other', origin)).toEqual([]);
    for (const enabled of [false, false, true, true]) await commands.enableAccount(ID, enabled, origin);
    expect(types().slice(-4)).toEqual(['AccountChanged', 'PasswordChanged', 'AccountDisabled', 'AccountEnabled']);
    expect(last(store, `account-${ID}`)).toMatchObject({ quota: 1000, credentials: 'v1.other', enabled: true });
    expect(last(store, `account-${ID}`)).not.toHaveProperty('changed');
  });
  it('must be there to be changed', async () => {
    const { commands } = await directory('x.test');
    await rule('no-such-account', () => commands.changeAccount(ID, { quota: 1 }, origin));
    await rule('no-such-account', () => commands.deleteAccount(ID, origin));
    await rule('no-such-account', () => commands.renameAccount(ID, 'bob@x.test', origin));
    await rule('no-such-account', () => commands.accountIdOf('ann@x.test'));
  });
  it('keeps its id, INBOX and creation when it is renamed into another domain', async () => {
    const { commands, store, tally } = await directory('x.test', 'y.test');
    await commands.addAccount(account('ann@x.test'), origin);
    const before = last(store, `account-${ID}`) as object;
    await commands.renameAccount(ID, 'Bea@Y.test', origin);
    expect(last(store, `account-${ID}`)).toEqual({ ...before, address: 'bea@y.test', domain: 'y.test', from: 'ann@x.test' });
    expect([tally('x.test'), tally('y.test')]).toMatchObject([{ accounts: 0 }, { accounts: 1 }]);
    expect(await commands.renameAccount(ID, 'bea@y.test', origin)).toEqual([]);
    await commands.addAccount(account('ann@x.test', OTHER), origin);
    expect(await commands.accountIdOf('bea@y.test')).toBe(ID);
    expect(await commands.accountIdOf('ann@x.test')).toBe(OTHER);
  });
  it('is renamed within its domain even when that is full', async () => {
    const { commands, tally } = await directory('x.test');
    await commands.changeDomain('x.test', { accountLimit: 1 }, origin);
    await commands.addAccount(account('ann@x.test'), origin);
    await commands.renameAccount(ID, 'bea@x.test', origin);
    expect(tally('x.test')).toMatchObject({ accounts: 1 });
  });
  it('is not renamed onto an address in use, into a foreign domain or over a limit', async () => {
    const { commands } = await directory('x.test', 'y.test');
    await commands.changeDomain('y.test', { accountLimit: 1 }, origin);
    await commands.addAccount(account('ann@x.test'), origin);
    await commands.addAccount(account('bob@y.test', OTHER), origin);
    await rule('address-taken', () => commands.renameAccount(ID, 'bob@y.test', origin));
    await rule('no-such-domain', () => commands.renameAccount(ID, 'ann@z.test', origin));
    await rule('domain-limit', () => commands.renameAccount(ID, 'ann@y.test', origin));
    await rule('bad-address', () => commands.renameAccount(ID, 'nonsense', origin));
  });
  it('takes its address and its INBOX along when it is deleted, also while mail comes in', async () => {
    const { commands, store, engine, tally } = await directory('x.test');
    await commands.addAccount(account('ann@x.test'), origin);
    const { inbox } = last(store, `account-${ID}`) as { inbox: string };
    const { head } = last(store, mailboxStream(inbox)) as { head: Parameters<typeof appendMessage>[1] };
    const mail = appendMessage(inbox, head, {
      messageId: 'Q1', sha256: '0'.repeat(64), bodySize: 10, prefix: '', size: 10, receivedAt: NINE, recipient: 'ann@x.test', via: [], deliveredTo: 'ann@x.test',
    });
    const event = { id: engine.ids.uuid(), version: 1, at: NINE, ...origin, ...mail };
    store.meanwhile = () => store.append([{ stream: mailboxStream(inbox), expected: 1, events: [event] }]);
    await commands.deleteAccount(ID, origin);
    expect(last(store, mailboxStream(inbox))).toEqual({ mailboxId: inbox, head: mail.data.head });
    expect(last(store, `account-${ID}`)).toEqual({ accountId: ID, address: 'ann@x.test', domain: 'x.test', inbox });
    expect(tally('x.test')).toMatchObject({ accounts: 0 });
    expect(await commands.deleteAccount(ID, origin)).toEqual([]);
    await commands.addAccount(account('ann@x.test', OTHER), origin);
    await rule('bad-account', () => commands.addAccount(account('bob@x.test', ID), origin));
  });
});

describe('many accounts at once', () => {
  const many = (n: number) => Array.from({ length: n }, (_, i) => account(`user${i}@x.test`, ID.replace(/.{3}$/, String(i).padStart(3, '0'))));

  it('are one append and one event in the tally', async () => {
    const { commands, store, tally } = await directory('x.test');
    const before = store.appends;
    const results = await commands.addAccounts(many(500), origin);
    expect(results.every((r) => r.result === 'added')).toBe(true);
    expect(store.appends).toBe(before + 1);
    expect(store.history.filter((h) => h.stream === 'tally-x.test')).toHaveLength(1);
    expect(tally('x.test')).toMatchObject({ accounts: 500 });
    await expect(commands.addAccounts(many(501), origin)).rejects.toThrow(RangeError);
  });
  it('each get their own answer', async () => {
    const { commands, store } = await directory('x.test');
    await commands.changeDomain('x.test', { accountLimit: 3 }, origin);
    const [a, b, c, d, e, f] = many(6) as [NewAccount, NewAccount, NewAccount, NewAccount, NewAccount, NewAccount];
    await commands.addAccount(a, origin);
    const results = await commands.addAccounts(
      [a, b, { ...c, address: 'USER1@x.test' }, { ...c, address: 'nonsense' }, { ...c, quota: -1 }, d, e, { ...f, address: 'f@y.test' }], origin);
    expect(results.map((r) => (r.result === 'refused' ? r.reason : r.result))).toEqual(
      ['there', 'added', 'address-taken', 'bad-address', 'bad-account', 'added', 'domain-limit', 'no-such-domain']);
    expect(store.history.filter((h) => h.event.type === 'AccountAdded')).toHaveLength(3);
    expect(store.history.filter((h) => h.event.type === 'MailboxCreated')).toHaveLength(3);
    expect(last(store, 'tally-x.test')).toMatchObject({ accounts: 3 });
  });
  it('append nothing when none is taken', async () => {
    const { commands, store } = await directory('x.test');
    const before = store.appends;
    await commands.addAccounts([account('nonsense')], origin);
    expect(await commands.addAccounts([], origin)).toEqual([]);
    expect(store.appends).toBe(before);
  });
});

describe('an alias', () => {
  const ann = [{ address: 'ann@x.test' }];

  it('is kept within its domain and rewritten beyond, unless told otherwise', async () => {
    const { commands, store } = await directory('x.test', 'y.test');
    await commands.addAlias('Info@X.test', [{ address: 'Ann@X.test' }, { address: 'Bob@Y.test' }, { address: 'c@far.test', rewrite: false }], origin);
    expect(last(store, 'alias-info@x.test')).toEqual({
      address: 'info@x.test', domain: 'x.test', wildcard: false, prefix: '', enabled: true, createdAt: NINE,
      targets: [{ address: 'Ann@x.test', rewrite: false }, { address: 'Bob@y.test', rewrite: true }, { address: 'c@far.test', rewrite: false }],
    });
  });
  it('may stand for all addresses of a domain, or all with a prefix', async () => {
    const { commands, store } = await directory('def.test', 'abc.test');
    await commands.addAlias('*@def.test', [{ address: '*@abc.test' }], origin);
    await commands.addAlias('Sales*@def.test', [{ address: 'ann@abc.test' }], origin);
    expect(last(store, 'alias-*@def.test')).toMatchObject({ wildcard: true, prefix: '', targets: [{ address: '*@abc.test', rewrite: true }] });
    expect(last(store, 'alias-sales*@def.test')).toMatchObject({ wildcard: true, prefix: 'sales' });
  });
  it.each([
    ['bad-address', 'info', ann],
    ['bad-address', '*sales@x.test', ann],
    ['bad-address', '**@x.test', ann],
    ['no-such-domain', 'info@y.test', ann],
    ['no-targets', 'info@x.test', []],
    ['bad-target', 'info@x.test', [{ address: 'ann' }]],
    ['bad-target', 'info@x.test', [{ address: 'INFO@x.test' }]],
    ['bad-target', 'info@x.test', [{ address: '*@y.test' }]],
    ['bad-target', '*@x.test', [{ address: '*@x.test' }]],
    ['duplicate-target', 'info@x.test', [{ address: 'ann@x.test' }, { address: 'Ann@X.TEST' }]],
    ['too-many-targets', 'info@x.test', Array.from({ length: 1001 }, (_, i) => ({ address: `u${i}@x.test` }))],
  ] as const)('is refused: %s (%s)', async (reason, address, targets) => {
    const { commands, store } = await directory('x.test');
    await rule(reason, () => commands.addAlias(address, targets, origin));
    expect(store.history).toHaveLength(1);
  });
  it('takes a thousand targets', async () => {
    const { commands } = await directory('x.test');
    const thousand = Array.from({ length: 1000 }, (_, i) => ({ address: `u${i}@x.test` }));
    expect(await commands.addAlias('all@x.test', thousand, origin)).toHaveLength(3);
  });
  it('is added once; other targets are a change', async () => {
    const { commands } = await directory('x.test');
    await commands.addAlias('info@x.test', ann, origin);
    expect(await commands.addAlias('info@x.test', ann, origin)).toEqual([]);
    await rule('address-taken', () => commands.addAlias('info@x.test', [{ address: 'bob@x.test' }], origin));
    expect(await commands.changeAlias('info@x.test', ann, origin)).toEqual([]);
    expect(await commands.changeAlias('info@x.test', [{ address: 'bob@x.test' }], origin)).toHaveLength(1);
  });
  it('goes off and on, and is deleted with its address free again', async () => {
    const { commands, tally, types } = await directory('x.test');
    await commands.addAlias('info@x.test', ann, origin);
    for (const enabled of [false, false, true, true]) await commands.enableAlias('info@x.test', enabled, origin);
    await commands.deleteAlias('info@x.test', origin);
    expect(await commands.deleteAlias('info@x.test', origin)).toEqual([]);
    expect(types().slice(-5)).toEqual(['AliasDisabled', 'AliasEnabled', 'AliasDeleted', 'AddressFreed', 'TallyChanged']);
    expect(tally('x.test')).toMatchObject({ aliases: 0 });
    await commands.addAccount(account('info@x.test'), origin);
    await rule('no-such-alias', () => commands.deleteAlias('other@x.test', origin));
    await rule('no-such-alias', () => commands.changeAlias('info@x.test', ann, origin));
  });
  it('is renamed in one append, with its targets and switched off as it was', async () => {
    const { commands, store, tally } = await directory('x.test', 'y.test');
    await commands.addAlias('info@x.test', ann, origin);
    await commands.enableAlias('info@x.test', false, origin);
    const before = store.appends;
    await commands.renameAlias('info@x.test', 'kontakt@y.test', origin);
    expect(store.appends).toBe(before + 1);
    expect(last(store, 'alias-kontakt@y.test')).toMatchObject({ enabled: false, targets: [{ address: 'ann@x.test', rewrite: false }] });
    expect([tally('x.test'), tally('y.test')]).toMatchObject([{ aliases: 0 }, { aliases: 1 }]);
    expect(await commands.renameAlias('kontakt@y.test', 'kontakt@y.test', origin)).toEqual([]);
    await commands.renameAlias('kontakt@y.test', 'info@y.test', origin);
    expect(tally('y.test')).toMatchObject({ aliases: 1 });
  });
  it('is not renamed onto an address in use, nor onto its own target', async () => {
    const { commands } = await directory('x.test');
    await commands.addAccount(account('bob@x.test'), origin);
    await commands.addAlias('info@x.test', ann, origin);
    await rule('address-taken', () => commands.renameAlias('info@x.test', 'bob@x.test', origin));
    await rule('bad-target', () => commands.renameAlias('info@x.test', 'ann@x.test', origin));
    await rule('no-such-alias', () => commands.renameAlias('nobody@x.test', 'x@x.test', origin));
  });
});

describe('a command that is never fast enough', () => {
  it('gives up at last', async () => {
    const { commands, store } = await directory('x.test');
    let limit = 0;
    const faster = async () => {
      store.meanwhile = undefined;
      await commands.changeDomain('x.test', { accountLimit: ++limit }, origin);
      store.meanwhile = faster;
    };
    store.meanwhile = faster;
    await expect(commands.enableDomain('x.test', false, origin)).rejects.toBeInstanceOf(VersionConflict);
  });
});

describe('the views of the directory', () => {
  it('hold what is there now', async () => {
    const { commands, store } = await directory('x.test', 'y.test', 'z.test');
    await commands.addAccount(account('ann@x.test'), origin);
    await commands.addAccount(account('bob@x.test', OTHER), origin);
    await commands.addAlias('sales*@x.test', [{ address: 'ann@x.test' }], origin);
    await commands.addAlias('old@x.test', [{ address: 'ann@x.test' }], origin);
    await commands.renameAccount(ID, 'ann@y.test', origin);
    await commands.deleteAccount(OTHER, origin);
    await commands.deleteAlias('old@x.test', origin);
    await commands.deleteDomain('z.test', origin);
    await commands.enableDomain('y.test', false, origin);
    const { inbox } = last(store, `account-${ID}`) as { inbox: string };
    expect(fold(domains, store.history)).toEqual([
      { name: 'x.test', enabled: true, account_limit: 0, created_at: NINE, changed_at: NINE },
      { name: 'y.test', enabled: false, account_limit: 0, created_at: NINE, changed_at: NINE },
    ]);
    expect(fold(accounts, store.history)).toEqual([{
      id: ID, address: 'ann@y.test', domain: 'y.test', full_name: 'Ann Lee', enabled: true, smtp: true, pop3: true, imap: true, quota: 0,
      credentials: 'v1.sealed', reversible: false, inbox, created_at: NINE, changed_at: NINE,
    }]);
    expect(fold(aliases, store.history)).toEqual([{
      address: 'sales*@x.test', domain: 'x.test', enabled: true, wildcard: true, prefix: 'sales',
      targets: '[{"address":"ann@x.test","rewrite":false}]', created_at: NINE, changed_at: NINE,
    }]);
  });
});
