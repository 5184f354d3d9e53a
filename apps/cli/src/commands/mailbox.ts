import type { BodyCacheInfo, MailboxAccess, MailboxInfo } from '@kiroku/infra/admin/mailboxes.js';
import { Option } from 'commander';
import { type Adder, type Columns, leaf, part } from '../command.js';

const USES = ['archive', 'drafts', 'flagged', 'important', 'junk', 'sent', 'trash'] as const;
/** The abbreviations that administrators of other servers know. */
const WORDS: Readonly<Record<string, string>> = { read: 'lrs', write: 'lrswipkxte', all: 'lrswipkxtea' };

const shared = ({ who, rights }: MailboxAccess): string => `${who} ${rights}`;
const COLUMNS: Columns<MailboxInfo> = {
  name: (m) => m.name, messages: (m) => m.messages, unseen: (m) => m.unseen, used: (m) => m.bytes, uidValidity: (m) => m.uidValidity, specialUse: (m) => m.specialUse.join(' '),
  sharedWith: (m) => m.sharedWith.map(shared).join(', '),
};
const CACHE: Columns<BodyCacheInfo> = { used: (c) => c.bytes, bodies: (c) => c.bodies, missing: (c) => c.missing };
const ACCESS: Columns<MailboxAccess> = { who: (a) => a.who, rights: (a) => a.rights };

type Named = readonly [account: string, name: string];
interface Why { readonly reason?: string }
interface AccessItems { readonly items: readonly MailboxAccess[] }
const REASON = ['--reason <text>', 'why: for the record'] as const;
const pathOf = ([account, name]: Named): string => `/accounts/${part(account)}/mailboxes/${part(name)}`;

export const addMailboxCommands: Adder = (program, terminal) => {
  const mailbox = program.command('mailbox').description('mailboxes of accounts, and who may use them');
  leaf<readonly [string], object>(mailbox, terminal, 'list <account>', 'list an account’s mailboxes', (run, [account]) =>
    run.list(run.api.all<MailboxInfo>(`/accounts/${part(account)}/mailboxes`), COLUMNS));
  leaf<Named, Why & { specialUse?: (typeof USES)[number]; subscribe: boolean }>(mailbox, terminal, 'create <account> <name>', 'create a mailbox; levels are separated by /', async (run, [account, name], { specialUse, subscribe, reason }) => {
    const uses = specialUse === undefined ? [] : [`\\${specialUse.charAt(0).toUpperCase()}${specialUse.slice(1)}`];
    const made = await run.api.post<MailboxInfo>(`/accounts/${part(account)}/mailboxes`, { name, specialUse: uses, subscribe, reason });
    run.done('added', made.name, made);
  })
    .addOption(new Option('--special-use <use>', 'what mail programs keep there').choices(USES))
    .option('--no-subscribe', 'do not subscribe its owner; many mail programs show only what is subscribed to').option(...REASON);
  leaf<readonly [string, string, string], Why>(mailbox, terminal, 'rename <account> <name> <new-name>', 'another name for a mailbox and what lies below it', async (run, [account, name, to], { reason }) =>
    run.done('renamed', `${name} → ${to}`, await run.api.post(`${pathOf([account, name])}/rename`, { to, reason }))).option(...REASON);
  leaf<Named, Why>(mailbox, terminal, 'delete <account> <name>', 'delete a mailbox with its messages', async (run, named, { reason }) => {
    await run.api.delete(pathOf(named), { reason });
    run.done('deleted', named[1]);
  }).option(...REASON);
  const acl = mailbox.command('acl').description('who else may use a mailbox (RFC 4314); the owner has all rights');
  leaf<Named, object>(acl, terminal, 'list <account> <name>', 'show the access list', async (run, named) =>
    run.list((await run.api.get<AccessItems>(`${pathOf(named)}/acl`)).items, ACCESS));
  leaf<readonly [string, string, string, string], Why>(
    acl, terminal, 'set <account> <name> <who> <rights>', 'share: who is an address, group:name or anyone (of the same domain); rights are letters (lrswipkxtea), or read, write, all',
    async (run, [account, name, who, rights], { reason }) => {
      const { items } = await run.api.put<AccessItems>(`${pathOf([account, name])}/acl/${part(who)}`, { rights: WORDS[rights] ?? rights, reason });
      run.done('shared', `${name}: ${items.map(shared).join(', ')}`, items);
    }).option(...REASON);
  leaf<readonly [string, string, string], Why>(acl, terminal, 'remove <account> <name> <who>', 'share no longer', async (run, [account, name, who], { reason }) => {
    const { items } = await run.api.delete<AccessItems>(`${pathOf([account, name])}/acl/${part(who)}`, { reason });
    run.done('unshared', `${name}: ${who}`, items);
  }).option(...REASON);
  const cache = mailbox.command('cache').description('what searches and listings know of messages without reading them');
  leaf(cache, terminal, 'show', 'how large it is, and what it lacks', async (run) => run.show(await run.api.get<BodyCacheInfo>('/body-cache'), CACHE));
  leaf(cache, terminal, 'clear', 'empty it; it fills itself again', async (run) => {
    await run.api.delete('/body-cache');
    run.done('cacheCleared', '');
  });
};
