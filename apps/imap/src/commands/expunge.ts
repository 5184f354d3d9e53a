import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import type { LiveMailbox } from '../mailboxes/live-mailbox.js';
import { beside, limited } from '../message-limit.js';
import { reach, spansOf, uidsOf } from '../ranges.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { writable } from './store.js';

/** Messages of one decision; an EXPUNGE of more may stop between two, which no client can tell from two commands. */
const AT_ONCE = 50_000;

/** EXPUNGE (RFC 9051 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1). */
export async function expunge(session: Session, { set }: Of<'EXPUNGE'>): Promise<Completion> {
  const { live } = writable(session.box);
  if (!session.box.may('e')) throw new No('Your rights do not allow that', 'NOPERM');
  if (set) await reach(session, set);
  const chosen = set && limited(session, await counted(session, live, uidsOf(session, spansOf(session, set, true))), 'Expunged');
  if (chosen?.uids.length === 0) return ok('Nothing to expunge');
  const highestModSeq = await (chosen ? expungeThese(session, live, chosen.uids) : expungeAll(session, live));
  await live.refresh();
  const completion = chosen?.completion ?? ok('Expunged');
  return session.qresync ? beside(session, completion, ok('Expunged', `HIGHESTMODSEQ ${highestModSeq}`)) : completion;
}

/** Where there may be too many, only messages marked for deletion count: who asks again for the rest gets on (RFC 9738 §3.1). */
async function counted({ settings: { imapMessageLimit: most } }: Session, live: LiveMailbox, uids: Uint32Array): Promise<Uint32Array> {
  if (most === 0 || uids.length <= most) return uids;
  await live.refresh();
  const deleted = live.flagSets.map((set) => set.includes('\\Deleted'));
  return uids.filter((uid) => deleted[live.flags[live.indexOf(uid)] ?? -1] === true);
}

/** All messages marked for deletion. @returns the mailbox's MODSEQ. @throws MailboxRefusal */
export async function expungeAll(session: Session, live: LiveMailbox): Promise<number> {
  if (live.count <= AT_ONCE) return (await session.ports.mailboxes.expunge(session.accountId, live.id, undefined, session.origin)).highestModSeq;
  await live.refresh();
  const deleted = live.flagSets.map((set) => set.includes('\\Deleted'));
  const { count, flags } = live;
  return expungeThese(session, live, live.uids.subarray(0, count).filter((_, i) => deleted[flags[i] as number]));
}

async function expungeThese(session: Session, { id, status }: LiveMailbox, uids: Uint32Array): Promise<number> {
  let { highestModSeq } = status;
  for (let at = 0; at < uids.length; at += AT_ONCE) {
    const some = Array.from(uids.subarray(at, at + AT_ONCE));
    ({ highestModSeq } = await session.ports.mailboxes.expunge(session.accountId, id, some, session.origin));
  }
  return highestModSeq;
}
