import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import type { Quota } from '@kiroku/domain/mailbox/store-port.js';
import { quotaLine, quotaRootLine } from '@kiroku/domain/imap/grammar/responses.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';

/** RFC 9208: one root per account, named ''. STORAGE counts in units of 1,024 octets; MESSAGE has no limit, so it is not in the list. */
function tell(session: Session, { limit, used }: Quota): void {
  session.output.untagged(quotaLine('', limit > 0 ? [['STORAGE', Math.ceil(used / 1024), Math.floor(limit / 1024)]] : [], session.utf8));
}

export async function getQuota(session: Session, { root }: Of<'GETQUOTA'>): Promise<Completion> {
  if (root !== '') throw new No('There is no such quota root', 'NONEXISTENT');
  tell(session, await session.ports.mailboxes.quota(session.accountId));
  return ok('Listed');
}

/** A mailbox that someone else owns counts against that one's quota, which is nobody else's business. */
export async function getQuotaRoot(session: Session, { mailbox }: Of<'GETQUOTAROOT'>): Promise<Completion> {
  const { mailboxes } = session.ports;
  const folder = await mailboxes.folder(session.accountId, mailbox);
  if (!folder) throw new No('There is no such mailbox', 'NONEXISTENT');
  const own = folder.accountId === session.accountId;
  session.output.untagged(quotaRootLine(mailbox, own ? [''] : [], session.utf8));
  if (own) tell(session, await mailboxes.quota(session.accountId));
  return ok('Listed');
}

export function setQuota(): Completion {
  throw new No('Administrators set quotas', 'NOPERM');
}
