import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { printSet } from '@kiroku/domain/imap/grammar/print-set.js';
import { messagesIn } from '@kiroku/domain/mailbox/flag-runs.js';
import type { StoredFlags } from '@kiroku/domain/mailbox/store-port.js';
import { tellFlags } from '../announce.js';
import { Assembly } from '../fetch/assembly.js';
import { FlagLines } from '../fetch/flag-lines.js';
import { beside, limited } from '../message-limit.js';
import { reach, spansOf, uidsOf } from '../ranges.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Selected } from '../selected.js';
import type { Session } from '../session.js';
import { knowsCondstore } from './condstore.js';

/** Messages of one decision: a STORE on more may stop between two, which no client can tell from two commands. */
const AT_ONCE = 50_000;

/** @throws No where the mailbox was opened for reading. */
export function writable(selected: Selected): Selected {
  if (selected.readOnly) throw new No('The mailbox was opened for reading', 'READ-ONLY');
  return selected;
}

/** STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3). */
export async function store(session: Session, command: Of<'STORE'>): Promise<Completion> {
  const { operation, flags, unchangedSince, silent, uid } = command;
  const selected = writable(session.box);
  if (unchangedSince !== undefined) knowsCondstore(session);
  if (uid) await reach(session, command.set);
  const { uids, completion } = limited(session, uidsOf(session, spansOf(session, command.set, uid)), 'Stored');
  if (uids.length === 0) return completion;
  const modified: number[] = [];
  let changed = 0;
  for (let at = 0; at < uids.length; at += AT_ONCE) {
    session.progress = { done: at, of: uids.length };
    const change = { uids: uids.subarray(at, at + AT_ONCE), operation, flags, ...(unchangedSince !== undefined && { unchangedSince }) };
    const lines = silent ? undefined : new FlagLines(session, selected, uid);
    const stored = await session.ports.mailboxes.storeFlags(session.accountId, selected.live.id, change, session.origin, lines && ((decided) => lines.prepare(decided)));
    await selected.live.stored(stored);
    tell(session, selected, stored, lines, uid);
    changed += messagesIn(stored.changed);
    for (const one of stored.modified) modified.push(uid ? one : selected.tracker.seq(one));
    const room = session.output.room();
    if (room) await room;
  }
  if (modified.length > 0) return beside(session, completion, ok('Some had changed and were left alone', `MODIFIED ${printSet(modified)}`));
  if (!uid && changed < uids.length) return beside(session, completion, ok('Some are no longer there', 'EXPUNGEISSUED'));
  return completion;
}

/** What the messages have now. Without `lines` (SILENT) only their MODSEQ, where the client asks for that (RFC 7162 §3.1.3). */
function tell(session: Session, selected: Selected, stored: StoredFlags, lines: FlagLines | undefined, uid: boolean): void {
  const { changed } = stored;
  selected.knows(stored);
  if (lines) {
    // The UID form names UIDs in its answers (RFC 9051 §6.4.9).
    if (!lines.send(stored)) tellFlags(session, selected, changed.map(({ first, last }) => [first, last]), uid);
    return;
  }
  if (!session.condstore) return;
  const out = new Assembly(session.output);
  for (const { first, last, modSeq } of changed)
    for (let one = first; one <= last; one++) {
      if (session.uidOnly) out.counted(1, ['* ', one, ` UIDFETCH (MODSEQ (${modSeq}))\r\n`]);
      else out.counted(1, ['* ', selected.tracker.seq(one), ' FETCH (UID ', one, ` MODSEQ (${modSeq}))\r\n`]);
    }
  out.send();
}
