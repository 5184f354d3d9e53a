import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { printSet } from '@kiroku/domain/imap/grammar/print-set.js';
import type { Copied, Folder } from '@kiroku/domain/mailbox/store-port.js';
import { beside, limited, within } from '../message-limit.js';
import { reach, spansOf, uidsOf } from '../ranges.js';
import { type Completion, No, noTarget, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { writable } from './store.js';

interface Plan {
  readonly to: Folder;
  readonly uids: readonly number[];
  /** How it ends when all goes well. */
  readonly completion: Completion;
}

/** COPY is whole or nothing; of what MOVE names the last ones go, if they are too many (RFC 9738 §3.1). */
async function planOf(session: Session, { verb, set, uid, mailbox }: Of<'COPY'> | Of<'MOVE'>): Promise<Plan | undefined> {
  if (uid) await reach(session, set);
  const named = uidsOf(session, spansOf(session, set, uid));
  const { uids, completion } = verb === 'MOVE' ? limited(session, named, 'Moved') : { uids: within(session, named), completion: ok('Copied') };
  const to = await session.ports.mailboxes.folder(session.accountId, mailbox);
  if (!to) throw noTarget(mailbox);
  return uids.length === 0 ? undefined : { to, uids: Array.from(uids), completion };
}

/** RFC 4315 §3. Who may not read the target learns no UIDs. */
const copyUid = ({ rights }: Folder, { uidValidity, from, to }: Copied): string | undefined =>
  rights.includes('r') ? `COPYUID ${uidValidity} ${printSet(from)} ${printSet(to)}` : undefined;

/** RFC 9051 §6.4.7. */
export async function copy(session: Session, command: Of<'COPY'>): Promise<Completion> {
  const { live } = session.box;
  const plan = await planOf(session, command);
  if (!plan) return ok('Nothing to copy');
  const copied = await session.ports.mailboxes.copy(session.accountId, live.id, plan.uids, plan.to.id, session.origin);
  if (copied.from.length === 0) return gone(command);
  if (plan.to.id === live.id) await live.refresh();
  return { ...plan.completion, code: copyUid(plan.to, copied) };
}

/** RFC 6851: COPYUID comes before the messages are gone (§4.3), so in an untagged response. */
export async function move(session: Session, command: Of<'MOVE'>): Promise<Completion> {
  const { live } = writable(session.box);
  const plan = await planOf(session, command);
  if (!plan) return ok('Nothing to move');
  const moved = await session.ports.mailboxes.move(session.accountId, live.id, plan.uids, plan.to.id, session.origin);
  if (moved.from.length === 0) return gone(command);
  const code = copyUid(plan.to, moved);
  if (code !== undefined) session.output.untagged(`OK [${code}] Moved`);
  await live.refresh();
  return session.qresync ? beside(session, plan.completion, ok('Moved', `HIGHESTMODSEQ ${moved.highestModSeq}`)) : plan.completion;
}

/** UIDs that are no longer there are passed over (RFC 9051 §6.4.9); message numbers stood for something. */
function gone({ uid }: Of<'COPY'> | Of<'MOVE'>): Completion {
  if (uid) return ok('They are no longer there');
  throw new No('They are no longer there', 'EXPUNGEISSUED');
}
