import type { AccountInfo } from '@kiroku/infra/admin/directory.js';
import { Failed } from '../client.js';
import { type Adder, byteCount, type Columns, leaf, onOff, part, type Run } from '../command.js';
import { askSecret, firstLine } from '../terminal.js';
import { say } from '../texts.js';
import { addTransferCommands } from './transfer.js';
import type { Command } from 'commander';

const COLUMNS: Columns<AccountInfo> = {
  address: (a) => a.address, fullName: (a) => a.fullName, enabled: (a) => a.enabled, messages: (a) => a.messages, used: (a) => a.used,
  quota: (a) => a.quota || undefined,
  protocols: (a) => [a.smtp && 'SMTP', a.pop3 && 'POP3', a.imap && 'IMAP', a.reversible && 'APOP/CRAM-MD5'].filter(Boolean).join(' '),
  createdAt: (a, run) => run.time(a.createdAt),
};
const DETAILS: Columns<AccountInfo> = { ...COLUMNS, id: (a) => a.id };

type Address = readonly [string];
interface PasswordOptions { password?: string; passwordStdin?: boolean }
interface SettingOptions { name?: string; smtp?: boolean; pop3?: boolean; imap?: boolean; digest?: boolean; quota?: number }

const withPassword = (command: Command): Command =>
  command
    .option('--password <password>', 'the password (others on this machine can see it in the process list)')
    .option('--password-stdin', 'read the password from the first line of the input');

const withSettings = (command: Command): Command =>
  command
    .option('--name <full name>', 'full name')
    .option('--quota <bytes>', 'bytes, or with K, M, G, T; 0 = no limit', byteCount)
    .option('--smtp <on|off>', 'may send', onOff)
    .option('--pop3 <on|off>', 'may read by POP3', onOff)
    .option('--imap <on|off>', 'may read by IMAP', onOff)
    .option('--digest <on|off>', 'APOP and CRAM-MD5: keeps the password itself, sealed', onOff);

const settingsOf = ({ name, smtp, pop3, imap, digest, quota }: SettingOptions) => ({ fullName: name, smtp, pop3, imap, reversible: digest, quota });

async function passwordFor(run: Run, address: string, { password, passwordStdin }: PasswordOptions): Promise<string> {
  if (password !== undefined) return password;
  const { terminal, language } = run;
  if (passwordStdin) {
    const line = await firstLine(terminal);
    if (line === undefined || line === '') throw new Failed('noPassword', [], true);
    return line;
  }
  if (!terminal.input.isTTY) throw new Failed('noPassword', [], true);
  const first = await askSecret(terminal, say(language, 'askPassword', address));
  if (first !== (await askSecret(terminal, say(language, 'askAgain')))) throw new Failed('passwordsDiffer');
  return first;
}

export const addAccountCommands: Adder = (program, terminal) => {
  const account = program.command('account').description('accounts and their passwords');
  withSettings(withPassword(
    leaf<Address, PasswordOptions & SettingOptions>(account, terminal, 'add <address>', 'add an account with its INBOX', async (run, [address], options) => {
      const password = await passwordFor(run, address, options);
      const added = await run.api.post<AccountInfo>('/accounts', { address, password, ...settingsOf(options) });
      run.done('added', added.address, added);
    })));
  leaf<readonly [], { domain?: string }>(account, terminal, 'list', 'list accounts', (run, _, { domain }) =>
    run.list(run.api.all<AccountInfo>('/accounts', { domain }), COLUMNS)).option('--domain <domain>', 'of this domain only');
  leaf<Address, object>(account, terminal, 'show <address>', 'show an account', async (run, [address]) =>
    run.show(await run.api.get<AccountInfo>(`/accounts/${part(address)}`), DETAILS));
  withSettings(
    leaf<Address, SettingOptions>(account, terminal, 'change <address>', 'change an account', async (run, [address], options) => {
      const changes = settingsOf(options);
      if (Object.values(changes).every((value) => value === undefined)) throw new Failed('nothingToChange', [], true);
      run.done('changed', address, await run.api.patch(`/accounts/${part(address)}`, changes));
    }));
  withPassword(
    leaf<Address, PasswordOptions & { digest?: boolean }>(account, terminal, 'password <address>', 'set a new password', async (run, [address], options) => {
      await run.api.put(`/accounts/${part(address)}/password`, { password: await passwordFor(run, address, options), reversible: options.digest });
      run.done('passwordSet', address);
    }).option('--digest <on|off>', 'APOP and CRAM-MD5 on or off', onOff));
  for (const [verb, saying, description] of [['disable', 'disabled', 'take no mail and refuse logins'], ['enable', 'enabled', 'take mail and allow logins again']] as const)
    leaf<Address, object>(account, terminal, `${verb} <address>`, description, async (run, [address]) =>
      run.done(saying, address, await run.api.post(`/accounts/${part(address)}/${verb}`)));
  leaf<readonly [string, string], object>(account, terminal, 'rename <address> <new-address>', 'another address for the same account and mail', async (run, [address, to]) =>
    run.done('renamed', `${address} → ${to}`, await run.api.post(`/accounts/${part(address)}/rename`, { address: to })));
  leaf<Address, object>(account, terminal, 'delete <address>', 'delete an account with its mail', async (run, [address]) => {
    await run.api.delete(`/accounts/${part(address)}`);
    run.done('deleted', address);
  });
  addTransferCommands(account, terminal);
};
