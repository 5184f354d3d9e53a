import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { STAR } from '@kiroku/domain/imap/grammar/sequence-set.js';
import { printSet } from '@kiroku/domain/imap/grammar/print-set.js';
import type { CommandSource } from '../command-source.js';
import { reach } from '../ranges.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { writable } from './store.js';

/** RFC 9051 §6.3.12, RFC 3502, RFC 4469, RFC 3516, RFC 6855 §4: all messages or none. */
export async function append(session: Session, { mailbox, messages }: Of<'APPEND'>, source: CommandSource): Promise<Completion> {
  const folder = await source.messages.target(mailbox);
  const kept = await source.messages.commit(messages);
  const { uidValidity, uids } = await session.ports.mailboxes.append(session.accountId, folder.id, kept, session.origin);
  if (session.selected?.live.id === folder.id) await session.selected.live.refresh();
  // Who may not read it learns no UIDs (RFC 4315 §3).
  return folder.rights.includes('r') ? ok('Appended', `APPENDUID ${uidValidity} ${printSet(uids)}`) : ok('Appended');
}

/** RFC 8508: the answer names the new message before the old one goes. */
export async function replace(session: Session, command: Of<'REPLACE'>, source: CommandSource): Promise<Completion> {
  const { message, uid, mailbox, replacement } = command;
  const selected = writable(session.box);
  const { tracker, live } = selected;
  if (uid && message !== STAR) await reach(session, [message, message]);
  const old = message === STAR ? tracker.lastUid : uid ? message : message <= tracker.size ? tracker.uid(message) : 0;
  if (tracker.seq(old) === 0) throw new No('There is no such message', undefined, uid ? 'NO' : 'BAD');
  const folder = await source.messages.target(mailbox);
  const [kept] = await source.messages.commit([replacement]);
  if (!kept) throw new Error('a replacement without its message');
  const { uidValidity, uids, highestModSeq } = await session.ports.mailboxes.replace(session.accountId, live.id, old, folder.id, kept, session.origin);
  if (folder.rights.includes('r')) session.output.untagged(`OK [APPENDUID ${uidValidity} ${printSet(uids)}] Replaced`);
  await live.refresh();
  return session.qresync ? ok('Replaced', `HIGHESTMODSEQ ${highestModSeq}`) : ok('Replaced');
}
