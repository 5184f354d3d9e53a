import { readFile } from 'node:fs/promises';
import { PLAIN } from '@kiroku/domain/routing/ldap.js';
import type { Text } from '@kiroku/domain/story/texts.js';
import type { LdapInfo, LdapServerAnswer, LdapTest } from '@kiroku/infra/admin/ldap.js';
import type { LdapTrouble } from '@kiroku/infra/ldap/failure.js';
import { type Command, Option } from 'commander';
import { Failed } from '../client.js';
import { type Adder, type Columns, leaf, part, type Run, Told } from '../command.js';
import { askSecret, firstLine } from '../terminal.js';
import { say } from '../texts.js';

const COLUMNS: Columns<LdapInfo> = {
  name: (d) => d.name, servers: (d) => d.servers.join(', '), bindDn: (d) => d.bindDn, baseDn: (d) => d.baseDn, relayDomains: (d) => d.relayDomains.length, changedAt: (d, run) => run.time(d.changedAt),
};
const DETAILS: Columns<LdapInfo> = {
  ...COLUMNS, ldapFilter: (d) => d.filter, plainLdap: (d) => d.plain, ldapCa: (d) => d.ca !== '', relayDomains: (d) => d.relayDomains.join(', '), createdAt: (d, run) => run.time(d.createdAt), changedAt: (d, run) => run.time(d.changedAt),
};

/** Why a server was not asked, or did not answer. */
const TROUBLES: Readonly<Record<LdapTrouble, Text>> = {
  unreachable: { en: 'it cannot be reached', ja: '接続できません' },
  tls: { en: 'no TLS that can be trusted; --ca names your own authority', ja: '信頼できる TLS 接続ができません(独自の CA は --ca で指定)' },
  login: { en: 'it refuses the bind DN or the password', ja: 'バインド DN またはパスワードが拒否されました' },
  secret: { en: 'the stored password does not open with this server key: set it again', ja: '保存されたパスワードをサーバー鍵で開けません。再設定してください' },
  base: { en: 'the base DN is not there, or may not be seen', ja: 'ベース DN が存在しないか参照できません' },
  rights: { en: 'the bind DN may not search', ja: 'バインド DN に検索権限がありません' },
  referral: { en: 'it refers to another server, which is not followed', ja: '別のサーバーを参照するよう応答しました(参照は追跡しません)' },
  busy: { en: 'it is too busy', ja: '混雑しています' },
  late: { en: 'it does not answer in time', ja: '時間内に応答がありません' },
  lost: { en: 'the connection broke off', ja: '接続が切れました' },
  refused: { en: 'it refuses the search', ja: '検索が拒否されました' },
};

type Name = readonly [string];
interface Options {
  server?: readonly string[]; bindDn?: string; base?: string; filter?: string; plain?: string; ca?: string | false; secret?: boolean; secretStdin?: boolean;
}

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

const withSettings = (command: Command): Command => command
  .addOption(new Option('--server <url>', 'ldaps://host[:port], or ldap://host[:port] with STARTTLS; again for the next one').argParser(several))
  .option('--bind-dn <dn>', 'log in as this DN, or user@domain; asks for the password; "" is anonymous')
  .option('--base <dn>', 'search below this DN')
  .option('--filter <filter>', 'with {address}, {local} or {domain}; (|(mail={address})(proxyAddresses=smtp:{address})) by default')
  .addOption(new Option('--plain <where>', 'where ldap:// goes without STARTTLS; loopback by default').choices(PLAIN))
  .option('--ca <file>', "certificates (PEM) of who signs the servers'")
  .option('--secret-stdin', 'read the password from the first line of the input');

/** Never an argument: others on the machine could see it in the process list. */
async function bindSecret({ terminal, language }: Run, who: string, { secretStdin }: Options): Promise<string> {
  if (!secretStdin && !terminal.input.isTTY) throw new Failed('noBindSecret', [], true);
  const secret = secretStdin ? await firstLine(terminal) : await askSecret(terminal, say(language, 'askBindSecret', who));
  if (secret === undefined || secret === '') throw new Failed('noBindSecret', [], true);
  return secret;
}

/** Its content goes to the server, which may be another machine. */
async function authority(file: string | false | undefined): Promise<string | undefined> {
  if (file === false) return '';
  return file === undefined ? undefined : readFile(file, 'utf8').catch(() => {
    throw new Failed('cannotRead', [file]);
  });
}

async function settings({ server, bindDn, base, filter, plain, ca }: Options) {
  return { servers: server, bindDn, baseDn: base, filter, plain, ca: await authority(ca) };
}

export const addLdapCommands: Adder = (program, terminal) => {
  const ldap = program.command('ldap').description('LDAP directories that know the recipients of relay domains');
  withSettings(
    leaf<Name, Options>(ldap, terminal, 'add <name>', 'add a directory', async (run, [name], options) => {
      const { bindDn = '' } = options;
      const secret = bindDn === '' ? undefined : await bindSecret(run, bindDn, options);
      const added = await run.api.post<LdapInfo>('/ldap', { name, ...(await settings(options)), secret });
      run.done('added', added.name, added);
    })).hook('preAction', (command) => {
    for (const needed of ['server', 'base']) if (command.opts<Record<string, unknown>>()[needed] === undefined) command.error(`error: required option '--${needed}' not specified`);
  });
  withSettings(
    leaf<Name, Options>(ldap, terminal, 'change <name>', 'change servers, login, base or filter', async (run, [name], options) => {
      const { bindDn, secret: ask, secretStdin } = options;
      const changes = await settings(options);
      const another = ask === true || secretStdin === true || (bindDn !== undefined && bindDn !== '');
      if (!another && Object.values(changes).every((value) => value === undefined)) throw new Failed('nothingToChange', [], true);
      const secret = another ? await bindSecret(run, bindDn ?? name, options) : undefined;
      run.done('changed', name, await run.api.patch<LdapInfo>(`/ldap/${part(name)}`, { ...changes, secret }));
    })).option('--secret', 'ask for a new password').option('--no-ca', 'trust the usual authorities');
  leaf(ldap, terminal, 'list', 'list directories', (run) => run.list(run.api.all<LdapInfo>('/ldap'), COLUMNS));
  leaf<Name, object>(ldap, terminal, 'show <name>', 'show a directory, without its password', async (run, [name]) => run.show(await run.api.get<LdapInfo>(`/ldap/${part(name)}`), DETAILS));
  leaf<readonly [string, string], object>(ldap, terminal, 'test <name> <address>', 'ask every server of a directory for an address, and say what is wrong', async (run, [name, address]) =>
    tell(run, await run.api.get<LdapTest>(`/ldap/${part(name)}/test`, { address })));
  leaf<Name, object>(ldap, terminal, 'remove <name>', 'remove a directory that no relay domain asks', async (run, [name]) => {
    await run.api.delete(`/ldap/${part(name)}`);
    run.done('withdrawn', name);
  });
};

/** @throws Told when no server could be asked. */
function tell(run: Run, test: LdapTest): void {
  if (run.json) run.value(test);
  else {
    run.out(`${say(run.language, 'ldapAsked', test.filter)}\n`);
    for (const answer of test.servers) run.out(`${wordsFor(run, answer)}\n`);
  }
  if (test.servers.every(({ outcome }) => outcome === 'failed')) throw new Told();
}

function wordsFor(run: Run, { server, outcome, as = '', reason = 'refused', detail }: LdapServerAnswer): string {
  if (outcome === 'found') return say(run.language, 'ldapFound', server, as);
  if (outcome === 'not-found') return say(run.language, 'ldapNotFound', server);
  return say(run.language, 'ldapFailed', server, `${run.text(TROUBLES[reason])}${detail === undefined ? '' : ` (${detail})`}`);
}
