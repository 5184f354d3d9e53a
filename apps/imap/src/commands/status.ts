import type { Of, StatusItem } from '@kiroku/domain/imap/grammar/commands.js';
import type { Folder, MailboxStatus } from '@kiroku/domain/mailbox/store-port.js';
import { mailboxName } from '@kiroku/domain/imap/grammar/strings.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { knowsCondstore } from './condstore.js';

/** Messages whose sizes are looked up at once. */
const BATCH = 1_000;

/** RFC 9051 §6.3.11, RFC 7162 §3.1.7, RFC 8438, RFC 8474, RFC 9208. */
export async function status(session: Session, { mailbox, items }: Of<'STATUS'>): Promise<Completion> {
  const { mailboxes } = session.ports;
  const folder = await mailboxes.folder(session.accountId, mailbox);
  if (!folder) throw new No('There is no such mailbox', 'NONEXISTENT');
  if (!folder.rights.includes('r')) throw new No('Your rights do not allow that', 'NOPERM');
  // Asked for at once: each would wait for the one before.
  const count = (item: StatusItem, flag: string): Promise<number> | undefined => (items.includes(item) ? mailboxes.count(folder.id, flag) : undefined);
  const [[known], seen, deleted] = await Promise.all([mailboxes.status([folder.id]), count('UNSEEN', '\\Seen'), count('DELETED', '\\Deleted')]);
  if (!known) throw new No('There is no such mailbox', 'NONEXISTENT');
  session.output.untagged(await statusResponse(session, folder, known, items, { seen, deleted }));
  return ok('Told');
}

/** Messages that have a flag, where that is known already. */
interface Counts {
  readonly seen?: number | undefined;
  readonly deleted?: number | undefined;
}

/** A STATUS response without `* `. Asking for HIGHESTMODSEQ switches CONDSTORE on (RFC 7162 §3.1). */
export async function statusResponse(session: Session, folder: Folder, known: MailboxStatus, items: readonly StatusItem[], counts: Counts = {}): Promise<string> {
  if (items.includes('HIGHESTMODSEQ')) knowsCondstore(session);
  const values = await Promise.all(items.map(async (item) => `${item} ${await valueOf(session, known, item, counts)}`));
  return `STATUS ${mailboxName(folder.name, session.utf8)} (${values.join(' ')})`;
}

async function valueOf(session: Session, known: MailboxStatus, item: StatusItem, { seen, deleted }: Counts): Promise<string | number> {
  const { mailboxes } = session.ports;
  switch (item) {
    case 'MESSAGES':
      return known.messages;
    case 'RECENT':
      return 0;
    case 'UIDNEXT':
      return known.uidNext;
    case 'UIDVALIDITY':
      return known.uidValidity;
    case 'HIGHESTMODSEQ':
      return known.highestModSeq;
    case 'SIZE':
      return known.bytes;
    case 'MAILBOXID':
      return `(${known.id})`;
    case 'APPENDLIMIT':
      return session.settings.imapAppendLimit || 'NIL';
    case 'UNSEEN':
      return known.messages === 0 ? 0 : Math.max(0, known.messages - (seen ?? (await mailboxes.count(known.id, '\\Seen'))));
    case 'DELETED':
      return known.messages === 0 ? 0 : (deleted ?? mailboxes.count(known.id, '\\Deleted'));
    case 'DELETED-STORAGE':
      return known.messages === 0 ? 0 : deletedStorage(session, known.id);
  }
}

/** RFC 9208 §4.1.3: octets that EXPUNGE would give back. */
async function deletedStorage({ ports }: Session, mailbox: string): Promise<number> {
  const live = await ports.live.acquire(mailbox);
  if (!live) return 0;
  try {
    const uids: number[] = [];
    for (let i = 0; i < live.count; i++) if (live.flagsOf(i).includes('\\Deleted')) uids.push(live.uids[i] as number);
    let bytes = 0;
    for (let at = 0; at < uids.length; at += BATCH) for (const { size } of await ports.mailboxes.messages(mailbox, uids.slice(at, at + BATCH))) bytes += size;
    return bytes;
  } finally {
    ports.live.release(live);
  }
}
