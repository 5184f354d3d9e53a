import type { Of, Qresync } from '@kiroku/domain/imap/grammar/commands.js';
import { printSet } from '@kiroku/domain/imap/grammar/print-set.js';
import { resolveRanges } from '@kiroku/domain/imap/grammar/sequence-set.js';
import { type Folder, MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import { rangesOf, uidsIn } from '@kiroku/domain/mailbox/uid-set.js';
import { flagsResponse, tellFlags } from '../announce.js';
import type { LiveMailbox } from '../mailboxes/live-mailbox.js';
import { mailboxName } from '@kiroku/domain/imap/grammar/strings.js';
import { type Completion, No, ok } from '../refusal.js';
import { within } from '../ranges.js';
import { Selected } from '../selected.js';
import type { Session } from '../session.js';
import { expungeAll } from './expunge.js';

/** Letters that change a mailbox: who has none of them reads only (RFC 4314 §5.2). */
const WRITING = /[swite]/;

/** SELECT and EXAMINE (RFC 9051 §6.3.2, RFC 7162 §3.1.8, §3.2.5). The mailbox that was open is closed in any case. */
export async function select(session: Session, command: Of<'SELECT'> | Of<'EXAMINE'>): Promise<Completion> {
  const { mailbox, condstore, qresync, verb } = command;
  if (qresync && !session.qresync) throw new No('ENABLE QRESYNC first', undefined, 'BAD');
  if (qresync?.match && session.uidOnly) throw new No('Only UIDs are in use', 'UIDREQUIRED', 'BAD');
  if (session.selected) {
    session.deselect();
    session.output.untagged('OK [CLOSED] The mailbox before is closed');
  }
  if (condstore) session.enabled.add('CONDSTORE');
  const { folder, live } = await open(session, mailbox);
  const readOnly = verb === 'EXAMINE' || !WRITING.test(folder.rights);
  try {
    session.selected = new Selected(folder, live, session.ports.live, readOnly);
    session.phase = 'selected';
    describe(session, session.selected);
    if (qresync) await resynchronise(session, session.selected, qresync);
  } catch (error) {
    if (session.selected) session.deselect();
    else session.ports.live.release(live);
    throw error;
  }
  session.notifications?.selected();
  return ok(readOnly ? 'Read-only' : 'Selected', readOnly ? 'READ-ONLY' : 'READ-WRITE');
}

async function open(session: Session, name: string): Promise<{ folder: Folder; live: LiveMailbox }> {
  const { mailboxes, live } = session.ports;
  // What the name stood for last is brought up to date while the name is looked up.
  const ahead = live.acquireNamed(session.accountId, name);
  const folder = await mailboxes.folder(session.accountId, name).catch((error: unknown) => {
    void ahead?.then((box) => box && live.release(box));
    throw error;
  });
  const early = await ahead;
  if (early && (early.id !== folder?.id || !folder.rights.includes('r'))) live.release(early);
  if (!folder) throw new No('There is no such mailbox', 'NONEXISTENT');
  if (!folder.rights.includes('r')) throw new No('Your rights do not allow that', 'NOPERM');
  const box = early?.id === folder.id ? early : await live.acquire(folder.id);
  if (!box) throw new No('The mailbox cannot be selected', 'NONEXISTENT');
  live.named(session.accountId, name, folder.id);
  return { folder, live: box };
}

function describe(session: Session, selected: Selected): void {
  const { output, rev2 } = session;
  const { live, tracker, folder } = selected;
  const { uidValidity, uidNext, highestModSeq } = live.status;
  flagsResponse(session, selected);
  output.untagged(`${tracker.size} EXISTS`);
  if (!rev2) {
    output.untagged('0 RECENT');
    // A message number: of no use to who goes by UIDs (RFC 9586 §3).
    const unseen = session.uidOnly ? 0 : firstUnseen(live);
    if (unseen > 0) output.untagged(`OK [UNSEEN ${unseen}] The first unread one`);
  }
  output.untagged(`OK [UIDVALIDITY ${uidValidity}] UIDs are valid`);
  output.untagged(`OK [UIDNEXT ${uidNext}] The next UID`);
  output.untagged(`OK [HIGHESTMODSEQ ${highestModSeq}] Changes are numbered`);
  output.untagged(`OK [MAILBOXID (${folder.id})] The same for ever`);
  if (rev2) output.untagged(`LIST () "/" ${mailboxName(folder.name, session.utf8)}`);
}

function firstUnseen({ count, flags, flagSets }: LiveMailbox): number {
  const seen = flagSets.map((set) => set.includes('\\Seen'));
  for (let i = 0; i < count; i++) if (!seen[flags[i] as number]) return i + 1;
  return 0;
}

/** RFC 7162 §3.2.5: what a client that was here before has missed. Its message numbers (`match`) would only spare it some UIDs. */
async function resynchronise(session: Session, { live, tracker }: Selected, { uidValidity, modSeq, uids }: Qresync): Promise<void> {
  if (uidValidity !== live.status.uidValidity || modSeq >= live.status.highestModSeq) return;
  const changes = await session.ports.mailboxes.changes(live.id, modSeq);
  if (!changes) return;
  const concerned = (all: readonly number[]): readonly number[] => (uids ? within(all, resolveRanges(uids, live.status.uidNext - 1)) : all);
  const vanished = concerned(changes.vanished);
  if (vanished.length > 0) session.output.untagged(`VANISHED (EARLIER) ${printSet(vanished)}`);
  tellFlags(session, { live, tracker }, rangesOf(concerned([...uidsIn(changes.flagged.map(({ first, last }) => [first, last])), ...changes.appended.map(({ uid }) => uid)].sort((a, b) => a - b))));
}

/** RFC 9051 §6.4.1: messages marked for deletion go, and nobody is told which. */
export async function close(session: Session): Promise<Completion> {
  const { readOnly, live } = session.box;
  try {
    if (!readOnly && session.box.may('e')) await expungeAll(session, live);
  } catch (error) {
    // Deleted meanwhile, or the right is gone: then nothing is to be expunged, and the mailbox is closed all the same.
    if (!(error instanceof MailboxRefusal)) throw error;
  }
  session.deselect();
  return ok('Closed');
}

export function unselect(session: Session): Completion {
  session.deselect();
  return ok('Closed, nothing removed');
}

/** RFC 3501 §6.4.1. All is kept at once; so there is nothing to do but to tell what is new. */
export async function check(session: Session): Promise<Completion> {
  await session.box.live.refresh();
  return ok('Checked');
}
