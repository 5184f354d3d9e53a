import type { AdministratorInfo, NewToken } from '@kiroku/infra/admin/administrators.js';
import { type Adder, type Columns, leaf, part, type Run } from '../command.js';
import { say } from '../texts.js';

interface Row { readonly name: string; readonly addedAt: number; readonly token?: AdministratorInfo['tokens'][number] }
const COLUMNS: Columns<Row> = {
  name: (r) => r.name, createdAt: (r, run) => run.time(r.addedAt), token: (r) => r.token?.id,
  issuedAt: (r, run) => run.time(r.token?.issuedAt ?? null), issuedBy: (r) => r.token?.issuedBy,
};
type Name = readonly [string];

const show = (run: Run, token: NewToken): void =>
  run.json ? run.value(token) : run.out(`${say(run.language, 'added', token.name)}\n${say(run.language, 'token', token.token)}\n`);

export const addAdminCommands: Adder = (program, terminal) => {
  const admin = program.command('admin').description('who may use the admin API and this command line (KIROKU_TOKEN)');
  leaf<Name, object>(admin, terminal, 'add <name>', 'add an administrator and show the token once', async (run, [name]) =>
    show(run, await run.api.post<NewToken>('/administrators', { name })));
  leaf<Name, object>(admin, terminal, 'token <name>', 'issue one more token and show it once', async (run, [name]) =>
    show(run, await run.api.post<NewToken>(`/administrators/${part(name)}/tokens`)));
  leaf(admin, terminal, 'list', 'list administrators and their tokens', async (run) => {
    const { items } = await run.api.get<{ items: readonly AdministratorInfo[] }>('/administrators');
    if (run.json) return run.value(items);
    await run.list(items.flatMap((a): Row[] => (a.tokens.length === 0 ? [a] : a.tokens.map((token) => ({ ...a, token })))), COLUMNS);
  });
  leaf<readonly [string, string | undefined], object>(admin, terminal, 'revoke <name> [token-id]', 'revoke one token, or all', async (run, [name, id]) => {
    await run.api.delete(`/administrators/${part(name)}/tokens${id === undefined ? '' : `/${part(id)}`}`);
    run.done('revoked', id ?? name);
  });
  leaf<Name, object>(admin, terminal, 'remove <name>', 'remove an administrator', async (run, [name]) => {
    await run.api.delete(`/administrators/${part(name)}`);
    run.done('removed', name);
  });
};
