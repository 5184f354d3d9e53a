import { BodyDamaged, BodyMissing } from '@kiroku/domain/kernel/object-store.js';
import { MailboxRefusal, type MailboxTrouble } from '@kiroku/domain/mailbox/store-port.js';

/** How a command ended: its tagged response without the tag. */
export interface Completion {
  readonly status: 'OK' | 'NO' | 'BAD';
  /** Response code without brackets (RFC 9051 §7.1, RFC 5530). */
  readonly code?: string | undefined;
  readonly text: string;
}

export const ok = (text: string, code?: string): Completion => ({ status: 'OK', text, code });

/** A command that is not carried out, for a reason the client may know. */
export class No extends Error implements Completion {
  constructor(
    readonly text: string,
    readonly code?: string,
    readonly status: 'NO' | 'BAD' = 'NO',
  ) {
    super(text);
  }
}

/** There is no mailbox to put messages into; TRYCREATE unless it is certain that it cannot be created (RFC 9051 §6.3.12). */
export const noTarget = (name: string): No => new No('There is no such mailbox', name.startsWith('#') ? 'NONEXISTENT' : 'TRYCREATE');

/** The body failed after its first bytes had been promised: the connection must end now. */
export class BrokenOff extends Error {}

const TROUBLES: Readonly<Record<MailboxTrouble, readonly [code: string, text: string]>> = {
  nonexistent: ['NONEXISTENT', 'There is no such mailbox'],
  'already-exists': ['ALREADYEXISTS', 'There is a mailbox of that name already'],
  'bad-name': ['CANNOT', 'No mailbox can have that name'],
  'no-permission': ['NOPERM', 'Your rights do not allow that'],
  'has-children': ['HASCHILDREN', 'The mailbox has inferiors'],
  inbox: ['CANNOT', 'INBOX stays'],
  'over-quota': ['OVERQUOTA', 'There is not enough room left'],
  'too-many': ['LIMIT', 'There are too many already'],
  'too-big': ['TOOBIG', 'That is too big'],
  'in-use': ['INUSE', 'The mailbox is in use, try again'],
  'read-only': ['READ-ONLY', 'The mailbox is read-only'],
};

/** The tagged response to what a handler threw; undefined when it is trouble of ours. @param create the mailbox could be created (RFC 9051 §7.1 TRYCREATE). */
export function completionOf(error: unknown, create: boolean): Completion | undefined {
  if (error instanceof No) return error;
  if (error instanceof BodyMissing || error instanceof BodyDamaged) return undefined;
  if (!(error instanceof MailboxRefusal)) return undefined;
  const [code, text] = TROUBLES[error.trouble];
  return { status: 'NO', code: create && error.trouble === 'nonexistent' ? 'TRYCREATE' : code, text };
}
