import type { List, Of } from '@kiroku/domain/imap/grammar/commands.js';
import type { Folder, MailboxStatus } from '@kiroku/domain/mailbox/store-port.js';
import { BATCH } from '../announce.js';
import { Listing, type Listed } from '../mailboxes/listing.js';
import { printedRights } from '../rights.js';
import { listLine, myRightsLine } from '@kiroku/domain/imap/grammar/responses.js';
import { type Completion, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { statusResponse } from './status.js';

/** Mailboxes whose STATUS is looked up at once. */
const AT_ONCE = 32;

/** LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440). */
export async function list(session: Session, command: Of<'LIST'>): Promise<Completion> {
  const { reference, patterns } = command;
  if (patterns.length === 1 && patterns[0] === '' && !command.extended) return root(session, reference, 'LIST');
  const { mailboxes } = session.ports;
  const [folders, subscriptions] = await Promise.all([mailboxes.folders(session.accountId), mailboxes.subscriptions(session.accountId)]);
  const found = new Listing(folders, subscriptions).find(reference, patterns, command.select);
  const statuses = await statusesOf(session, found, command.returns.status);
  let text = '';
  for (const listed of found) {
    text += `* ${line(session, listed, command)}\r\n`;
    const { folder } = listed;
    if (folder && command.returns.myRights) text += `* ${myRightsLine(listed.name, printedRights(folder.rights), session.utf8)}\r\n`;
    const status = folder && statuses.get(folder.id);
    if (status !== undefined) text += `* ${status}\r\n`;
    if (text.length < BATCH) continue;
    session.output.write(text);
    text = '';
    const room = session.output.room();
    if (room) await room;
  }
  session.output.write(text);
  return ok('Listed');
}

/** LSUB (RFC 3501 §6.3.9): with `%` a name that only has subscribed inferiors is told as one that cannot be selected. */
export async function lsub(session: Session, { reference, pattern }: Of<'LSUB'>): Promise<Completion> {
  if (pattern === '') return root(session, reference, 'LSUB');
  const { mailboxes } = session.ports;
  const [folders, subscriptions] = await Promise.all([mailboxes.folders(session.accountId), mailboxes.subscriptions(session.accountId)]);
  for (const { name, subscribed } of new Listing(folders, subscriptions).subscribed(reference, pattern)) {
    session.output.untagged(listLine('LSUB', { attributes: subscribed ? [] : ['\\Noselect'], name }, session.utf8));
  }
  return ok('Listed');
}

/** RFC 9051 §6.3.9: an empty pattern asks for the separator and the root of the reference. */
function root(session: Session, reference: string, verb: 'LIST' | 'LSUB'): Completion {
  session.output.untagged(listLine(verb, { attributes: ['\\Noselect'], name: reference.startsWith('#Shared/') ? '#Shared/' : '' }, session.utf8));
  return ok('Listed');
}

function line(session: Session, { name, folder, children, subscribed, below }: Listed, { select, returns }: List): string {
  const attributes = [
    ...(folder ? [] : ['\\NonExistent']),
    ...(folder || children ? [children ? '\\HasChildren' : '\\HasNoChildren'] : []),
    ...((select.subscribed || returns.subscribed) && subscribed ? ['\\Subscribed'] : []),
    ...(folder?.specialUse ?? []),
  ];
  // Who has never heard of RFC 5258 does not know \NonExistent.
  if (!folder) attributes.push('\\Noselect');
  return listLine('LIST', { attributes, name, ...(below && { childInfo: ['SUBSCRIBED'] }) }, session.utf8);
}

async function statusesOf(session: Session, found: readonly Listed[], items: List['returns']['status']): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  if (!items) return texts;
  const folders = found.flatMap(({ folder }) => (folder?.rights.includes('r') ? [folder] : []));
  const known = new Map<string, MailboxStatus>();
  for (const status of await session.ports.mailboxes.status(folders.map(({ id }) => id))) known.set(status.id, status);
  for (let at = 0; at < folders.length; at += AT_ONCE) {
    await Promise.all(folders.slice(at, at + AT_ONCE).map(async (folder: Folder) => {
      const status = known.get(folder.id);
      if (status) texts.set(folder.id, await statusResponse(session, folder, status, items));
    }));
  }
  return texts;
}
