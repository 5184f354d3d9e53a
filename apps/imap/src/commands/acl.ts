import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { aclLine, listRightsLine, myRightsLine } from '@kiroku/domain/imap/grammar/responses.js';
import { type Completion, No, ok } from '../refusal.js';
import { ALL_RIGHTS, printedRights } from '../rights.js';
import type { Session } from '../session.js';

/** RFC 4314 §3.3. */
export async function getAcl(session: Session, { mailbox }: Of<'GETACL'>): Promise<Completion> {
  const entries = await session.ports.mailboxes.acl(session.accountId, mailbox);
  session.output.untagged(aclLine(mailbox, entries.map(({ identifier, rights }) => [identifier, printedRights(rights)]), session.utf8));
  return ok('Listed');
}

/** RFC 4314 §3.1: `+` and `-` change what the identifier has. */
export async function setAcl(session: Session, command: Of<'SETACL'>): Promise<Completion> {
  const { mailbox, identifier, operation, rights } = command;
  const { mailboxes } = session.ports;
  const letters = new Set(operation === 'replace' ? '' : await rightsOf(session, mailbox, identifier));
  for (const letter of rights) if (operation === 'remove') letters.delete(letter); else letters.add(letter);
  await mailboxes.setAcl(session.accountId, mailbox, identifier, [...letters].join(''), session.origin);
  return ok('Set');
}

async function rightsOf(session: Session, mailbox: string, identifier: string): Promise<string> {
  const entries = await session.ports.mailboxes.acl(session.accountId, mailbox);
  return entries.find((entry) => entry.identifier.toLowerCase() === identifier.toLowerCase())?.rights ?? '';
}

/** RFC 4314 §3.2. */
export async function deleteAcl(session: Session, { mailbox, identifier }: Of<'DELETEACL'>): Promise<Completion> {
  await session.ports.mailboxes.setAcl(session.accountId, mailbox, identifier, '', session.origin);
  return ok('Deleted');
}

/** RFC 4314 §3.7: the owner has all for good; anyone else may be given each right by itself, and the old ones (§2.1.1). */
export async function listRights(session: Session, { mailbox, identifier }: Of<'LISTRIGHTS'>): Promise<Completion> {
  const entries = await session.ports.mailboxes.acl(session.accountId, mailbox);
  const owner = entries[0]?.identifier.toLowerCase() === identifier.toLowerCase();
  session.output.untagged(listRightsLine(mailbox, identifier, owner ? printedRights(ALL_RIGHTS) : '', owner ? [] : [...ALL_RIGHTS, 'c', 'd'], session.utf8));
  return ok('Listed');
}

/** RFC 4314 §3.5. */
export async function myRights(session: Session, { mailbox }: Of<'MYRIGHTS'>): Promise<Completion> {
  const folder = await session.ports.mailboxes.folder(session.accountId, mailbox);
  if (!folder) throw new No('There is no such mailbox', 'NONEXISTENT');
  session.output.untagged(myRightsLine(mailbox, printedRights(folder.rights), session.utf8));
  return ok('Listed');
}
