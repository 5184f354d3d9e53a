import type { GroupInfo, GroupMember } from '@kiroku/infra/admin/groups.js';
import { type Adder, type Columns, leaf, part } from '../command.js';

const COLUMNS: Columns<GroupInfo> = { name: (g) => g.name, members: (g) => g.members, createdAt: (g, run) => run.time(g.createdAt) };
const MEMBERS: Columns<GroupMember> = { address: (m) => m.address, fullName: (m) => m.fullName, enabled: (m) => m.enabled };

type Name = readonly [string];
type WithAccounts = readonly [string, readonly string[]];

export const addGroupCommands: Adder = (program, terminal) => {
  const group = program.command('group').description('groups of accounts, to share mailboxes with (group:staff@example.com)');
  leaf<WithAccounts, object>(group, terminal, 'add <name> [accounts...]', 'add a group; the name is written like an address, and no mail goes there', async (run, [name, members]) => {
    const added = await run.api.post<GroupInfo>('/groups', { name, members });
    run.done('added', added.name, added);
  });
  leaf<readonly [], { domain?: string; member?: string }>(group, terminal, 'list', 'list groups', (run, _, { domain, member }) => run.list(run.api.all<GroupInfo>('/groups', { domain, member }), COLUMNS))
    .option('--domain <domain>', 'of this domain only')
    .option('--member <account>', 'those that an account is in');
  leaf<Name, object>(group, terminal, 'show <name>', 'list a group’s members', (run, [name]) =>
    run.list(run.api.all<GroupMember>(`/groups/${part(name)}/members`), MEMBERS));
  for (const [verb, saying, description, list] of [['join', 'changed', 'take accounts into a group', 'add'], ['leave', 'changed', 'take accounts out of a group', 'remove']] as const)
    leaf<WithAccounts, object>(group, terminal, `${verb} <name> <accounts...>`, description, async (run, [name, accounts]) =>
      run.done(saying, name, await run.api.patch<GroupInfo>(`/groups/${part(name)}/members`, { [list]: accounts })));
  leaf<readonly [string, string], object>(group, terminal, 'rename <name> <new-name>', 'another name in the same domain; what is shared with it stays so', async (run, [name, to]) =>
    run.done('renamed', `${name} → ${to}`, await run.api.post<GroupInfo>(`/groups/${part(name)}/rename`, { to })));
  leaf<Name, object>(group, terminal, 'delete <name>', 'delete a group; what was shared with it is not any more', async (run, [name]) => {
    await run.api.delete(`/groups/${part(name)}`);
    run.done('deleted', name);
  });
};
