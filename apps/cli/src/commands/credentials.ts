import { createInterface } from 'node:readline';
import { MECHANISMS } from '@kiroku/domain/routing/credentials.js';
import { type Grant, GRANTS } from '@kiroku/domain/routing/oauth-client.js';
import type { Text } from '@kiroku/domain/story/texts.js';
import type { CredentialsInfo, TokenInfo } from '@kiroku/infra/admin/gateways.js';
import { type Command, Option } from 'commander';
import { Failed } from '../client.js';
import { type Adder, type Columns, leaf, part, type Run } from '../command.js';
import { askSecret } from '../terminal.js';
import { say, type Saying } from '../texts.js';

const KINDS: Readonly<Record<Grant | 'fixed', Text>> = {
  fixed: { en: 'fixed', ja: '固定' },
  'client-credentials': { en: 'token by client credentials', ja: 'トークン(クライアント資格情報)' },
  'refresh-token': { en: 'token by refresh token', ja: 'トークン(リフレッシュトークン)' },
};
const COLUMNS: Columns<CredentialsInfo> = {
  name: (c) => c.name, mechanism: (c) => c.mechanism, user: (c) => c.user, secretKind: (c, run) => run.text(KINDS[c.oauth?.grant ?? 'fixed']),
  createdAt: (c, run) => run.time(c.createdAt), changedAt: (c, run) => run.time(c.changedAt),
};
const DETAILS: Columns<CredentialsInfo> = { ...COLUMNS, tokenUrl: (c) => c.oauth?.tokenUrl, clientId: (c) => c.oauth?.clientId, scope: (c) => c.oauth?.scope };

type Name = readonly [string];
interface Options { user?: string; mechanism?: string; secretStdin?: boolean; oauthTokenUrl?: string; clientId?: string; scope?: string; grant?: Grant }
interface ChangeOptions extends Options { secret?: boolean; fixed?: boolean }
interface Secrets { readonly secret?: string; readonly clientSecret?: string; readonly refreshToken?: string }

const mechanism = () => new Option('--mechanism <mechanism>', 'how to log in; "any" takes the strongest that is offered').choices(MECHANISMS);
const withSecret = (command: Command): Command =>
  command
    .option('--secret-stdin', 'read the secret from the first line of the input; with the grant refresh-token: the refresh token, and the client secret, if any, from the second')
    .option('--oauth-token-url <url>', 'fetch access tokens there (OAuth 2.0)').option('--client-id <id>', 'what the authorization server knows this server as')
    .option('--scope <scopes>', 'scopes to ask for, parted by blanks').addOption(new Option('--grant <grant>', 'how access tokens are asked for').choices(GRANTS));

const clientIn = ({ oauthTokenUrl: tokenUrl, clientId, scope, grant }: Options) => ({ tokenUrl, clientId, scope, grant });
const isEmpty = (wish: object): boolean => Object.values(wish).every((value) => value === undefined);

/** Never arguments: others on the machine could see them in the process list. @param grant undefined for a fixed secret. @throws Failed */
async function secretsFor(run: Run, name: string, { secretStdin }: Options, grant: Grant | undefined): Promise<Secrets> {
  const { terminal, language } = run;
  if (!secretStdin && !terminal.input.isTTY) throw new Failed('noSecret', [], true);
  const lines = secretStdin ? await firstLines(run, 2) : undefined;
  const ask = async (question: Saying): Promise<string | undefined> => (lines ? lines.shift() : await askSecret(terminal, say(language, question, name))) || undefined;
  if (grant === 'refresh-token') {
    const refreshToken = await ask('askRefreshToken');
    const clientSecret = await ask('askOptionalClientSecret');
    if (refreshToken === undefined && clientSecret === undefined) throw new Failed('noSecret', [], true);
    return { ...(refreshToken !== undefined && { refreshToken }), ...(clientSecret !== undefined && { clientSecret }) };
  }
  const secret = await ask(grant ? 'askClientSecret' : 'askSecret');
  if (secret === undefined) throw new Failed('noSecret', [], true);
  return grant ? { clientSecret: secret } : { secret };
}

async function firstLines({ terminal }: Run, most: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: terminal.input, crlfDelay: Infinity })) if (lines.push(line) === most) break;
  return lines;
}

async function add(run: Run, name: string, options: Options): Promise<void> {
  const client = clientIn(options);
  if (!isEmpty(client) && (client.tokenUrl === undefined || client.clientId === undefined || client.grant === undefined)) throw new Failed('oauthIncomplete', [], true);
  const { secret, ...secrets } = await secretsFor(run, name, options, client.grant);
  const kind = isEmpty(client) ? { secret } : { oauth: { ...client, ...secrets } };
  const added = await run.api.post<CredentialsInfo>('/credentials', { name, user: options.user, mechanism: options.mechanism, ...kind });
  run.done('added', added.name, added);
}

async function change(run: Run, name: string, options: ChangeOptions): Promise<void> {
  const { user, mechanism: way, fixed, secret: ask, secretStdin } = options;
  const client = clientIn(options);
  if (fixed && !isEmpty(client)) throw new Failed('fixedOrOauth', [], true);
  const wantsSecret = ask || secretStdin || fixed;
  if (user === undefined && way === undefined && !wantsSecret && isEmpty(client)) throw new Failed('nothingToChange', [], true);
  const path = `/credentials/${part(name)}`;
  const grant = fixed || !wantsSecret ? undefined : (client.grant ?? (await run.api.get<CredentialsInfo>(path)).oauth?.grant);
  const { secret, ...secrets }: Secrets = wantsSecret ? await secretsFor(run, name, options, grant) : {};
  const oauth = { ...client, ...secrets };
  run.done('changed', name, await run.api.patch<CredentialsInfo>(path, { user, mechanism: way, secret, ...(!isEmpty(oauth) && { oauth }) }));
}

async function test(run: Run, name: string): Promise<void> {
  const info = await run.api.post<TokenInfo>(`/credentials/${part(name)}/test`);
  if (run.json) return run.value(info);
  const { host } = new URL(info.tokenUrl);
  run.out(`${info.expiresAt === undefined ? say(run.language, 'tokenFetched', host) : say(run.language, 'tokenFetchedUntil', host, run.time(info.expiresAt))}\n`);
}

export const addCredentialsCommands: Adder = (program, terminal) => {
  const credentials = program.command('credentials').description('how to log in at gateways; the lines of the gateway table name them');
  withSecret(leaf<Name, Options>(credentials, terminal, 'add <name>', 'add credentials; asks for the secret', (run, [name], options) => add(run, name, options)))
    .requiredOption('--user <user>', 'user name').addOption(mechanism());
  withSecret(leaf<Name, ChangeOptions>(credentials, terminal, 'change <name>', 'change user, mechanism, secret or where access tokens come from', (run, [name], options) => change(run, name, options)))
    .option('--user <user>', 'user name').addOption(mechanism()).option('--secret', 'ask for a new secret').option('--fixed', 'fetch no access tokens any more: ask for a password or token');
  leaf(credentials, terminal, 'list', 'list credentials, without their secrets', (run) => run.list(run.api.all<CredentialsInfo>('/credentials'), COLUMNS));
  leaf<Name, object>(credentials, terminal, 'show <name>', 'show credentials, without their secrets', async (run, [name]) => run.show(await run.api.get<CredentialsInfo>(`/credentials/${part(name)}`), DETAILS));
  leaf<Name, object>(credentials, terminal, 'test <name>', 'fetch an access token, and say until when it is good', (run, [name]) => test(run, name));
  leaf<Name, object>(credentials, terminal, 'remove <name>', 'remove credentials that no line uses', async (run, [name]) => {
    await run.api.delete(`/credentials/${part(name)}`);
    run.done('withdrawn', name);
  });
};
