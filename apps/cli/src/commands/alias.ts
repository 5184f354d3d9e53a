import type { AliasInfo } from '@kiroku/infra/admin/directory.js';
import { type Adder, type Columns, leaf, part } from '../command.js';

const COLUMNS: Columns<AliasInfo> = {
  address: (a) => a.address, targets: (a) => a.targets.map((t) => `${t.address}${t.rewrite ? ' (rewrite)' : ''}`).join(', '), enabled: (a) => a.enabled,
  createdAt: (a, run) => run.time(a.createdAt),
};
type Address = readonly [string];
type WithTargets = readonly [string, readonly string[]];
interface Rewrite { rewrite?: boolean }
const REWRITE = ['--rewrite', 'the mailbox sees the target as recipient (by default only beyond the domain)'] as const;
const KEEP = ['--no-rewrite', 'the mailbox sees the alias as recipient'] as const;

const targetsOf = (addresses: readonly string[], { rewrite }: Rewrite) => addresses.map((address) => ({ address, rewrite }));

export const addAliasCommands: Adder = (program, terminal) => {
  const alias = program.command('alias').description('aliases, also for all addresses that begin alike (sales*@x.test) or of a domain (*@x.test)');
  leaf<WithTargets, Rewrite>(alias, terminal, 'add <address> <targets...>', 'add an alias', async (run, [address, targets], options) => {
    const added = await run.api.post<AliasInfo>('/aliases', { address, targets: targetsOf(targets, options) });
    run.done('added', added.address, added);
  }).option(...REWRITE).option(...KEEP);
  leaf<readonly [], { domain?: string }>(alias, terminal, 'list', 'list aliases', (run, _, { domain }) => run.list(run.api.all<AliasInfo>('/aliases', { domain }), COLUMNS))
    .option('--domain <domain>', 'of this domain only');
  leaf<Address, object>(alias, terminal, 'show <address>', 'show an alias', async (run, [address]) =>
    run.show(await run.api.get<AliasInfo>(`/aliases/${part(address)}`), COLUMNS));
  leaf<WithTargets, Rewrite>(alias, terminal, 'change <address> <targets...>', 'set the targets', async (run, [address, targets], options) =>
    run.done('changed', address, await run.api.patch(`/aliases/${part(address)}`, { targets: targetsOf(targets, options) })))
    .option(...REWRITE).option(...KEEP);
  for (const [verb, saying, description] of [['disable', 'disabled', 'as if it did not exist'], ['enable', 'enabled', 'in use again']] as const)
    leaf<Address, object>(alias, terminal, `${verb} <address>`, description, async (run, [address]) =>
      run.done(saying, address, await run.api.post(`/aliases/${part(address)}/${verb}`)));
  leaf<readonly [string, string], object>(alias, terminal, 'rename <address> <new-address>', 'another address with the same targets', async (run, [address, to]) =>
    run.done('renamed', `${address} → ${to}`, await run.api.post(`/aliases/${part(address)}/rename`, { address: to })));
  leaf<Address, object>(alias, terminal, 'delete <address>', 'delete an alias', async (run, [address]) => {
    await run.api.delete(`/aliases/${part(address)}`);
    run.done('deleted', address);
  });
};
