import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import type { SpecialUse } from '@kiroku/domain/mailbox/store-port.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';

/** RFC 6154 §2 and RFC 8457; the mailbox of all messages would have to be made by the server. */
const USES: ReadonlyMap<string, SpecialUse> = new Map(
  (['\\Archive', '\\Drafts', '\\Flagged', '\\Important', '\\Junk', '\\Sent', '\\Trash'] as const).map((use) => [use.toLowerCase(), use]),
);

/** RFC 9051 §6.3.4, RFC 6154 §3, RFC 8474 §4.1. */
export async function create(session: Session, { mailbox, specialUse }: Of<'CREATE'>): Promise<Completion> {
  const uses = specialUse.map((use) => USES.get(use.toLowerCase()));
  if (!uses.every((use) => use !== undefined)) throw new No('There is no such use here', 'USEATTR');
  const folder = await session.ports.mailboxes.create(session.accountId, mailbox, uses, session.origin);
  return ok('Created', `MAILBOXID (${folder.id})`);
}

/** RFC 9051 §6.3.5. A mailbox that this session has open is closed first. */
export async function remove(session: Session, { mailbox }: Of<'DELETE'>): Promise<Completion> {
  await session.ports.mailboxes.delete(session.accountId, mailbox, session.origin);
  // By its name nobody knows which one is open: it may have been renamed.
  await session.selected?.live.refresh();
  if (session.selected?.live.gone) {
    session.deselect();
    session.output.untagged('OK [CLOSED] The mailbox is gone');
  }
  return ok('Deleted');
}

/** RFC 9051 §6.3.6. */
export async function rename(session: Session, { from, to }: Of<'RENAME'>): Promise<Completion> {
  await session.ports.mailboxes.rename(session.accountId, from, to, session.origin);
  // INBOX stays and its messages go (RFC 9051 §6.3.6): whoever has it open is told.
  await session.selected?.live.refresh();
  return ok('Renamed');
}

export async function subscribe(session: Session, { mailbox, verb }: Of<'SUBSCRIBE'> | Of<'UNSUBSCRIBE'>): Promise<Completion> {
  const on = verb === 'SUBSCRIBE';
  await session.ports.mailboxes.subscribe(session.accountId, mailbox, on, session.origin);
  return ok(on ? 'Subscribed' : 'Unsubscribed');
}

/** RFC 9051 §6.3.10: own mailboxes, and those of others. */
export function namespace(session: Session): Completion {
  session.output.untagged('NAMESPACE (("" "/")) NIL (("#Shared/" "/"))');
  return ok('Listed');
}
