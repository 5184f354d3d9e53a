import { describe, expect, it } from '@jest/globals';
import { Refusal } from '../kernel/decider.js';
import { fold } from '../kernel/fold.js';
import { given } from '../kernel/given.js';
import { type MemoryStore, NINE, testEngine } from '../kernel/memory-store.js';
import { DirectoryCommands } from './commands.js';
import { type Group, groupDecider, type GroupEvent, groupNameDecider, membersLeft, MOST_MEMBERS } from './group.js';
import { GroupCommands } from './group-commands.js';
import { membershipsDecider, MOST_GROUPS } from './memberships.js';
import type { DirectoryRefusal } from './refusals.js';
import { groupMembers, groups } from './views.js';

const origin = { actor: 'admin:ann', correlation: 'request-1' };
const GROUP = '30000000-0000-7000-8000-000000000001';
const staff: Group = { groupId: GROUP, name: 'staff@x.test', domain: 'x.test', size: 0, createdAt: NINE };
const idOf = (n: number): string => `10000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const member = (n: number) => ({ accountId: idOf(n), address: `user${n}@x.test` });
const added: GroupEvent = { type: 'GroupAdded', data: staff };
const joined = (size: number, ...members: number[]): GroupEvent => ({ type: 'GroupMembersChanged', data: { ...staff, size, added: members.map(member), removed: [] } });

describe('a group', () => {
  const history = given(groupDecider);
  const change = (add: readonly number[], remove: readonly number[]) => ({ type: 'ChangeMembers' as const, added: add.map(member), removed: remove.map(member) });

  it('begins without members', () => history().when({ type: 'Add', groupId: GROUP, name: 'staff@x.test', now: NINE }).then(added));

  it('counts who joins and who leaves, in one event', () =>
    history(added, joined(2, 1, 2)).when(change([3, 4], [1])).then({ type: 'GroupMembersChanged', data: { ...staff, size: 3, added: [member(3), member(4)], removed: [member(1)] } }));

  it('is not changed by nobody', () => history(added).when(change([], [])).thenNothing());

  it('takes its thousandth member, and no more', () => {
    history(added, joined(MOST_MEMBERS - 1)).when(change([1], [])).then(joined(MOST_MEMBERS, 1));
    history(added, joined(MOST_MEMBERS)).when(change([1], [])).refuses('too-many-members');
    history(added, joined(MOST_MEMBERS)).when(change([1], [2])).then({ type: 'GroupMembersChanged', data: { ...staff, size: MOST_MEMBERS, added: [member(1)], removed: [member(2)] } });
  });

  it('is renamed within its domain', () => {
    history(added).when({ type: 'Rename', name: 'crew@x.test' }).then({ type: 'GroupRenamed', data: { ...staff, name: 'crew@x.test', from: 'staff@x.test' } });
    history(added).when({ type: 'Rename', name: 'staff@x.test' }).thenNothing();
    history(added).when({ type: 'Rename', name: 'staff@y.test' }).refuses('bad-group');
  });

  it('is gone when it is deleted, and does not come back', () => {
    const deleted: GroupEvent = { type: 'GroupDeleted', data: { groupId: GROUP, name: 'staff@x.test', domain: 'x.test' } };
    history(added, joined(1, 1)).when({ type: 'Delete' }).then(deleted);
    history(added, deleted).when({ type: 'Delete' }).thenNothing();
    history(added, deleted).when(change([1], [])).refuses('no-such-group');
    history(added, deleted).when({ type: 'Add', groupId: GROUP, name: 'staff@x.test', now: NINE }).refuses('group-exists');
    history().when({ type: 'Rename', name: 'crew@x.test' }).refuses('no-such-group');
  });

  it('leaves the members that its whole stream leaves', () => {
    const left: GroupEvent = { type: 'GroupMembersChanged', data: { ...staff, size: 1, added: [], removed: [member(1)] } };
    expect(membersLeft([added, joined(2, 1, 2), left])).toEqual([idOf(2)]);
  });
});

describe('the name of a group', () => {
  const history = given(groupNameDecider);
  const claimed = { type: 'GroupNameClaimed' as const, data: { name: 'staff@x.test', groupId: GROUP } };
  const by = (type: 'Claim' | 'Release', groupId = GROUP) => ({ type, name: 'staff@x.test', groupId });

  it('has one group at a time', () => {
    history().when(by('Claim')).then(claimed);
    history(claimed).when(by('Claim')).thenNothing();
    history(claimed).when(by('Claim', idOf(9))).refuses('group-exists');
    history(claimed).when(by('Release', idOf(9))).thenNothing();
    history(claimed, { type: 'GroupNameFreed', data: claimed.data }).when(by('Claim', idOf(9))).then({ type: 'GroupNameClaimed', data: { name: 'staff@x.test', groupId: idOf(9) } });
  });
});

describe('the groups of an account', () => {
  const history = given(membershipsDecider);
  const [account, many] = [{ accountId: idOf(1) }, Array.from({ length: MOST_GROUPS }, (_, i) => idOf(100 + i))];
  const join = { type: 'Join' as const, ...account, address: 'user1@x.test', groupId: GROUP };
  const leave = { type: 'Leave' as const, ...account, groupId: GROUP };
  const changed = (...of: string[]) => ({ type: 'MembershipsChanged' as const, data: { ...account, groups: of } });

  it('are a list without doubles', () => {
    history().when(join).then(changed(GROUP));
    history(changed(GROUP)).when(join).thenNothing();
    history(changed(idOf(100), GROUP)).when(leave).then(changed(idOf(100)));
    history(changed(idOf(100))).when(leave).thenNothing();
  });
  it('are a hundred at most', () => {
    history(changed(...many.slice(1))).when(join).then(changed(...many.slice(1), GROUP));
    history(changed(...many)).when(join).refuses('too-many-groups');
  });
  it('end with the account', () => {
    const dropped = { type: 'MembershipsDropped' as const, data: account };
    history(changed(GROUP)).when({ type: 'Drop', ...account }).then(dropped);
    history(dropped).when({ type: 'Drop', ...account }).thenNothing();
    history(dropped).when(leave).thenNothing();
    history(dropped).when(join).refuses('no-such-account');
  });
});

const rule = async (reason: DirectoryRefusal, command: () => Promise<unknown>): Promise<void> => {
  const refusal = await Promise.resolve().then(command).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(Refusal);
  expect((refusal as Refusal).reason).toBe(reason);
};
const last = (store: MemoryStore, stream: string) => store.history.filter((h) => h.stream === stream).at(-1)?.event.data;

/** `user1@x.test` and so on. */
async function directory(people: number) {
  const engine = testEngine();
  const accounts = new DirectoryCommands(engine);
  for (const name of ['x.test', 'y.test']) await accounts.addDomain(name, { accountLimit: 0 }, origin);
  const settings = { fullName: '', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'v1.sealed', reversible: false };
  for (let n = 1; n <= people; n++) await accounts.addAccount({ ...settings, accountId: idOf(n), address: `user${n}@x.test` }, origin);
  const { store } = engine;
  return {
    accounts, store, groups: new GroupCommands(engine),
    members: () => {
      const names = new Map(fold(groups, store.history).map(({ id, name }) => [id, name]));
      return fold(groupMembers, store.history).map(({ account_id, group_id }) => `${names.get(group_id)} ${Number(account_id.slice(-12))}`).sort();
    },
    sizes: () => Object.fromEntries(fold(groups, store.history).map(({ name, members }) => [name, members])),
    tally: (domain: string) => last(store, `tally-${domain}`),
  };
}

describe('groups in the directory', () => {
  it('are added with their members and their place in the tally, in one append', async () => {
    const { groups: commands, store, members, tally } = await directory(2);
    const before = store.appends;
    await commands.add('Staff@X.test', ['user1@x.test', 'USER2@x.test', 'user1@x.test'], origin);
    expect(store.appends).toBe(before + 1);
    expect(members()).toEqual(['staff@x.test 1', 'staff@x.test 2']);
    expect(tally('x.test')).toEqual({ domain: 'x.test', accounts: 2, aliases: 0, groups: 1 });
    await rule('group-exists', () => commands.add('staff@x.test', [], origin));
  });

  it('are not made of what is no name, no domain of ours or no account', async () => {
    const { groups: commands, accounts, store } = await directory(1);
    await accounts.addAlias('info@x.test', [{ address: 'user1@x.test' }], origin);
    const before = store.history.length;
    await rule('bad-group', () => commands.add('staff', [], origin));
    await rule('bad-group', () => commands.add('*@x.test', [], origin));
    await rule('no-such-domain', () => commands.add('staff@z.test', [], origin));
    await rule('no-such-account', () => commands.add('staff@x.test', ['user1@x.test', 'info@x.test'], origin));
    expect(store.history).toHaveLength(before);
  });

  it('take in and let go, of both together who is in both; twice is once', async () => {
    const { groups: commands, store, members, sizes } = await directory(3);
    await commands.add('staff@x.test', ['user1@x.test'], origin);
    await commands.changeMembers('staff@x.test', ['user2@x.test', 'user3@x.test'], ['user1@x.test', 'user3@x.test'], origin);
    expect(members()).toEqual(['staff@x.test 2', 'staff@x.test 3']);
    expect(sizes()).toEqual({ 'staff@x.test': 2 });
    const before = store.history.length;
    expect(await commands.changeMembers('staff@x.test', ['user2@x.test'], ['user1@x.test'], origin)).toEqual([]);
    expect(store.history).toHaveLength(before);
    await rule('no-such-group', () => commands.changeMembers('crew@x.test', ['user2@x.test'], [], origin));
  });

  it('keep their members under another name, and free the old one', async () => {
    const { groups: commands, members, sizes } = await directory(1);
    await commands.add('staff@x.test', ['user1@x.test'], origin);
    await commands.add('other@x.test', [], origin);
    await rule('group-exists', () => commands.rename('staff@x.test', 'other@x.test', origin));
    await rule('bad-group', () => commands.rename('staff@x.test', 'staff@y.test', origin));
    await commands.rename('staff@x.test', 'Crew@x.test', origin);
    expect(members()).toEqual(['crew@x.test 1']);
    await commands.add('staff@x.test', [], origin);
    expect(sizes()).toEqual({ 'crew@x.test': 1, 'other@x.test': 0, 'staff@x.test': 0 });
  });

  it('lose an account that is deleted, and keep one that is renamed or disabled', async () => {
    const { groups: commands, accounts, members, sizes } = await directory(3);
    for (const name of ['a@x.test', 'b@x.test']) await commands.add(name, ['user1@x.test', 'user2@x.test', 'user3@x.test'], origin);
    await accounts.deleteAccount(idOf(1), origin);
    await accounts.renameAccount(idOf(2), 'moved@y.test', origin);
    await accounts.enableAccount(idOf(3), false, origin);
    expect(members()).toEqual(['a@x.test 2', 'a@x.test 3', 'b@x.test 2', 'b@x.test 3']);
    expect(sizes()).toEqual({ 'a@x.test': 2, 'b@x.test': 2 });
  });

  it('do not take in an account that is deleted at the same moment', async () => {
    const { groups: commands, accounts, store, members } = await directory(1);
    await commands.add('staff@x.test', [], origin);
    store.meanwhile = () => accounts.deleteAccount(idOf(1), origin);
    await rule('no-such-account', () => commands.changeMembers('staff@x.test', ['user1@x.test'], [], origin));
    expect(members()).toEqual([]);
  });

  it('let an account go that joined while it was being deleted', async () => {
    const { groups: commands, accounts, store, members, sizes } = await directory(1);
    await commands.add('staff@x.test', [], origin);
    store.meanwhile = () => commands.changeMembers('staff@x.test', ['user1@x.test'], [], origin);
    await accounts.deleteAccount(idOf(1), origin);
    expect(members()).toEqual([]);
    expect(sizes()).toEqual({ 'staff@x.test': 0 });
  });

  it('are deleted with their memberships, also of who joins at that moment; a later one of the name is another', async () => {
    const { groups: commands, store, members, tally } = await directory(2);
    await commands.add('staff@x.test', ['user1@x.test'], origin);
    store.meanwhile = () => commands.changeMembers('staff@x.test', ['user2@x.test'], [], origin);
    await commands.delete('staff@x.test', origin);
    expect(members()).toEqual([]);
    for (const n of [1, 2]) expect(last(store, `memberships-${idOf(n)}`)).toEqual({ accountId: idOf(n), groups: [] });
    expect(tally('x.test')).toEqual({ domain: 'x.test', accounts: 2, aliases: 0 });
    await rule('no-such-group', () => commands.delete('staff@x.test', origin));
    await commands.add('staff@x.test', ['user2@x.test'], origin);
    expect(new Set(store.history.filter((h) => h.event.type === 'GroupAdded').map((h) => h.stream)).size).toBe(2);
  });

  it('keep their domain from being deleted', async () => {
    const { groups: commands, accounts } = await directory(0);
    await commands.add('staff@y.test', [], origin);
    await rule('not-empty', () => accounts.deleteDomain('y.test', origin));
    await commands.delete('staff@y.test', origin);
    await accounts.deleteDomain('y.test', origin);
  });
});
