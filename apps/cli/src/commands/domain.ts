import type { DomainInfo } from '@kiroku/infra/admin/directory.js';
import { type Adder, type Columns, leaf, part, wholeNumber } from '../command.js';

const COLUMNS: Columns<DomainInfo> = {
  name: (d) => d.name, enabled: (d) => d.enabled, accounts: (d) => d.accounts, aliases: (d) => d.aliases,
  accountLimit: (d) => d.accountLimit || undefined, createdAt: (d, run) => run.time(d.createdAt),
};
type Name = readonly [string];

export const addDomainCommands: Adder = (program, terminal) => {
  const domain = program.command('domain').description('domains whose mail is ours');
  leaf<Name, { limit: number }>(domain, terminal, 'add <name>', 'add a domain', async (run, [name], { limit }) => {
    const added = await run.api.post<DomainInfo>('/domains', { name, accountLimit: limit });
    run.done('added', added.name, added);
  }).option('--limit <accounts>', 'most accounts, 0 = no limit', wholeNumber, 0);
  leaf(domain, terminal, 'list', 'list domains', (run) => run.list(run.api.all<DomainInfo>('/domains'), COLUMNS));
  leaf<Name, object>(domain, terminal, 'show <name>', 'show a domain', async (run, [name]) =>
    run.show(await run.api.get<DomainInfo>(`/domains/${part(name)}`), COLUMNS));
  leaf<Name, { limit: number }>(domain, terminal, 'change <name>', 'change a domain', async (run, [name], { limit }) =>
    run.done('changed', name, await run.api.patch(`/domains/${part(name)}`, { accountLimit: limit })),
  ).requiredOption('--limit <accounts>', 'most accounts, 0 = no limit', wholeNumber);
  for (const [verb, saying, description] of [['disable', 'disabled', 'take no mail and let nobody log in'], ['enable', 'enabled', 'take mail again']] as const)
    leaf<Name, object>(domain, terminal, `${verb} <name>`, description, async (run, [name]) =>
      run.done(saying, name, await run.api.post(`/domains/${part(name)}/${verb}`)));
  leaf<Name, object>(domain, terminal, 'delete <name>', 'delete a domain without accounts, aliases and groups', async (run, [name]) => {
    await run.api.delete(`/domains/${part(name)}`);
    run.done('deleted', name);
  });
};
