import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { printSet } from '@kiroku/domain/imap/grammar/print-set.js';
import { limited } from '../message-limit.js';
import { spansOf, uidsOf } from '../ranges.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { writable } from './store.js';

interface Plan {
  readonly from: string;
  readonly to: string;
  readonly uids: readonly number[];
  readonly completion: Completion;
}

async function planOf(session: Session, { set, uid, mailbox }: Of<'COPY'> | Of<'MOVE'>, text: string): Promise<Plan | undefined> {
  const { uids, completion } = limited(session, uidsOf(session, spansOf(session, set, uid)), text);
  const to = await session.ports.mailboxes.folder(session.accountId, mailbox);
  if (!to) throw new No('There is no such mailbox', 'TRYCREATE');
  if (uids.length === 0) return undefined;
  return { from: session.box.live.id, to: to.id, uids: Array.from(uids), completion };
}

/** RFC 9051 §6.4.7. */
export async function copy(session: Session, command: Of<'COPY'>): Promise<Completion> {
  const plan = await planOf(session, command, 'Copied');
  if (!plan) return ok('Nothing to copy');
  const { uidValidity, from, to } = await session.ports.mailboxes.copy(session.accountId, plan.from, plan.uids, plan.to, session.origin);
  if (from.length === 0) return ok('They are no longer there', 'EXPUNGEISSUED');
  if (plan.completion.status === 'NO') session.output.untagged(`OK [COPYUID ${uidValidity} ${printSet(from)} ${printSet(to)}] Copied`);
  else return ok('Copied', `COPYUID ${uidValidity} ${printSet(from)} ${printSet(to)}`);
  return plan.completion;
}

/** RFC 6851: COPYUID comes before the messages are gone (§4.3), so in an untagged response. */
export async function move(session: Session, command: Of<'MOVE'>): Promise<Completion> {
  const selected = writable(session.box);
  if (!selected.may('t') || !selected.may('e')) throw new No('Your rights do not allow that', 'NOPERM');
  const plan = await planOf(session, command, 'Moved');
  if (!plan) return ok('Nothing to move');
  const { uidValidity, from, to, highestModSeq } = await session.ports.mailboxes.move(session.accountId, plan.from, plan.uids, plan.to, session.origin);
  if (from.length === 0) return ok('They are no longer there', 'EXPUNGEISSUED');
  session.output.untagged(`OK [COPYUID ${uidValidity} ${printSet(from)} ${printSet(to)}] Moved`);
  await selected.live.refresh();
  if (plan.completion.status === 'NO') return plan.completion;
  return session.qresync ? ok('Moved', `HIGHESTMODSEQ ${highestModSeq}`) : ok('Moved');
}
