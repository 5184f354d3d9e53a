import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { printSet } from '@kiroku/domain/imap/grammar/print-set.js';
import { resolveRanges } from '@kiroku/domain/imap/grammar/sequence-set.js';
import { announce } from '../announce.js';
import { planOf } from '../fetch/plan.js';
import { FetchResponder } from '../fetch/responder.js';
import { beside, limited, within as whole } from '../message-limit.js';
import { pageOf } from '../page.js';
import { spansOf, uidsOf, within } from '../ranges.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Selected } from '../selected.js';
import type { Session } from '../session.js';
import { knowsCondstore } from './condstore.js';

/** FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, RFC 9394 §3.2). */
export async function fetch(session: Session, command: Of<'FETCH'>): Promise<Completion> {
  const { items, changedSince, partial, uid, vanished } = command;
  const selected = session.box;
  if (vanished && !session.qresync) throw new No('ENABLE QRESYNC first', undefined, 'BAD');
  if (changedSince !== undefined || items.some(({ item }) => item === 'MODSEQ')) knowsCondstore(session);
  await selected.live.refresh();
  announce(session, false);
  if (vanished && changedSince !== undefined) await tellVanished(session, selected, command, changedSince);
  const named = uidsOf(session, spansOf(session, command.set, uid));
  const page = partial ? named.subarray(...pageOf(named.length, partial)) : named;
  // Who asks for more than one command may work on gets nothing (RFC 9738 §3.1).
  if (partial) whole(session, page);
  const changed = changedSince === undefined ? page : page.filter((one) => (selected.live.modSeqs[selected.live.indexOf(one)] ?? 0) > changedSince);
  const { uids, completion } = limited(session, changed, 'Fetched');
  const plan = planOf(wanted(session, command), session.utf8);
  const { missing, trouble } = await new FetchResponder(session, selected, plan).run(uids);
  if (trouble !== undefined) throw trouble;
  return missing && !uid ? beside(session, completion, ok('Some are no longer there', 'EXPUNGEISSUED')) : completion;
}

/** RFC 9586 §3.3: UIDFETCH names the UID itself, and once more for who asks for it. */
function wanted(session: Session, { items, namesUid }: Of<'FETCH'>): Of<'FETCH'>['items'] {
  return session.uidOnly && !namesUid ? items.filter(({ item }) => item !== 'UID') : items;
}

/** RFC 7162 §3.2.6. */
async function tellVanished(session: Session, { live }: Selected, { set }: Of<'FETCH'>, since: number): Promise<void> {
  const changes = await session.ports.mailboxes.changes(live.id, since);
  const gone = within(changes?.vanished ?? [], resolveRanges(set === '$' ? Array.from(session.saved).flatMap((one) => [one, one]) : set, live.status.uidNext - 1));
  if (gone.length > 0) session.output.untagged(`VANISHED (EARLIER) ${printSet(gone)}`);
}
