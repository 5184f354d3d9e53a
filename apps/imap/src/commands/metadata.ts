import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { metadataLine } from '@kiroku/domain/imap/grammar/responses.js';
import { LONGEST_VALUE } from '@kiroku/domain/mailbox/folders.js';
import { MailboxRefusal, type MailboxTrouble } from '@kiroku/domain/mailbox/store-port.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';

/** RFC 5464 §4.2. Values above MAXSIZE are left out, and the client hears of the largest. */
export async function getMetadata(session: Session, command: Of<'GETMETADATA'>): Promise<Completion> {
  const { mailbox, entries, depth, maxSize = Infinity } = command;
  const values = await session.ports.mailboxes.metadata(session.accountId, mailbox);
  const found: [string, string | null][] = [];
  let longest = 0;
  for (const [entry, value] of values) {
    if (!entries.some((asked) => isAsked(entry, asked, depth))) continue;
    const size = Buffer.byteLength(value);
    if (size > maxSize) longest = Math.max(longest, size);
    else found.push([entry, value]);
  }
  if (depth === 0) for (const asked of entries) if (!values.has(asked)) found.push([asked, null]);
  if (found.length > 0) session.output.untagged(metadataLine(mailbox, found, session.utf8));
  return longest > 0 ? ok('Some are longer', `METADATA LONGENTRIES ${longest}`) : ok('Listed');
}

function isAsked(entry: string, asked: string, depth: 0 | 1 | 'infinity'): boolean {
  if (entry === asked) return true;
  if (depth === 0 || !entry.startsWith(asked.endsWith('/') ? asked : `${asked}/`)) return false;
  return depth === 'infinity' || !entry.includes('/', asked.length + 1);
}

/** RFC 5464 §4.3, §5. */
const CODES: { readonly [T in MailboxTrouble]?: string } = { 'too-big': `METADATA MAXSIZE ${LONGEST_VALUE}`, 'too-many': 'METADATA TOOMANY' };

/** RFC 5464 §4.3. Entries for all (`/shared`) of the whole server are the administrator's. */
export async function setMetadata(session: Session, { mailbox, entries }: Of<'SETMETADATA'>): Promise<Completion> {
  if (mailbox === '' && entries.some(([entry]) => entry.startsWith('/shared'))) throw new No('Administrators set that', 'NOPERM');
  try {
    await session.ports.mailboxes.setMetadata(session.accountId, mailbox, entries, session.origin);
  } catch (error) {
    if (error instanceof MailboxRefusal && error.trouble === 'bad-name') throw new No('Entries begin with /private/ or /shared/', undefined, 'BAD');
    const code = error instanceof MailboxRefusal ? CODES[error.trouble] : undefined;
    throw code === undefined ? error : new No('That cannot be kept', code);
  }
  return ok('Set');
}
