import { MECHANISMS } from '@kiroku/domain/routing/credentials.js';
import type { CredentialsInfo } from '@kiroku/infra/admin/gateways.js';
import { type Command, Option } from 'commander';
import { Failed } from '../client.js';
import { type Adder, type Columns, leaf, part, type Run } from '../command.js';
import { askSecret, firstLine } from '../terminal.js';
import { say } from '../texts.js';

const COLUMNS: Columns<CredentialsInfo> = {
  name: (c) => c.name, mechanism: (c) => c.mechanism, user: (c) => c.user, createdAt: (c, run) => run.time(c.createdAt), changedAt: (c, run) => run.time(c.changedAt),
};

type Name = readonly [string];
interface Options { user?: string; mechanism?: string; secretStdin?: boolean }

const mechanism = () => new Option('--mechanism <mechanism>', 'how to log in; "any" takes the strongest that is offered').choices(MECHANISMS);
const withSecret = (command: Command): Command => command.option('--secret-stdin', 'read the password or access token from the first line of the input');

/** Never an argument: others on the machine could see it in the process list. */
async function secretFor({ terminal, language }: Run, name: string, { secretStdin }: Options): Promise<string> {
  if (!secretStdin && !terminal.input.isTTY) throw new Failed('noSecret', [], true);
  const secret = secretStdin ? await firstLine(terminal) : await askSecret(terminal, say(language, 'askSecret', name));
  if (secret === undefined || secret === '') throw new Failed('noSecret', [], true);
  return secret;
}

export const addCredentialsCommands: Adder = (program, terminal) => {
  const credentials = program.command('credentials').description('how to log in at gateways; the lines of the gateway table name them');
  withSecret(
    leaf<Name, Options>(credentials, terminal, 'add <name>', 'add credentials; asks for the secret', async (run, [name], options) => {
      const added = await run.api.post<CredentialsInfo>('/credentials', { name, user: options.user, mechanism: options.mechanism, secret: await secretFor(run, name, options) });
      run.done('added', added.name, added);
    })).requiredOption('--user <user>', 'user name').addOption(mechanism());
  withSecret(
    leaf<Name, Options & { secret?: boolean }>(credentials, terminal, 'change <name>', 'change user, mechanism or secret', async (run, [name], options) => {
      const { user, mechanism: way, secret: ask, secretStdin } = options;
      if (user === undefined && way === undefined && !ask && !secretStdin) throw new Failed('nothingToChange', [], true);
      const secret = ask || secretStdin ? await secretFor(run, name, options) : undefined;
      run.done('changed', name, await run.api.patch<CredentialsInfo>(`/credentials/${part(name)}`, { user, mechanism: way, secret }));
    })).option('--user <user>', 'user name').addOption(mechanism()).option('--secret', 'ask for a new secret');
  leaf(credentials, terminal, 'list', 'list credentials, without their secrets', (run) => run.list(run.api.all<CredentialsInfo>('/credentials'), COLUMNS));
  leaf<Name, object>(credentials, terminal, 'remove <name>', 'remove credentials that no line uses', async (run, [name]) => {
    await run.api.delete(`/credentials/${part(name)}`);
    run.done('withdrawn', name);
  });
};
