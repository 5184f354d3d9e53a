import type { Section } from '@kiroku/domain/imap/grammar/fetch-item.js';
import { type MessageUrl, parseImapUrl } from '@kiroku/domain/imap/grammar/imap-url.js';
import type { BodyWriter } from '@kiroku/domain/kernel/object-store.js';
import { valueOf } from './fetch/bodies.js';
import { Octets } from './octets.js';
import { No } from './refusal.js';
import type { Session } from './session.js';

/** Section of a URL as FETCH has it; the parts that a part can have end a path of numbers. */
const SECTION = /^(\d{1,9}(?:\.\d{1,9})*)?(?:(?:^|\.)(HEADER|TEXT|MIME))?$/i;

/**
 * Appends what a URL names to a message that is being put together (RFC 4469 §4).
 * @param fits told how many octets come; throws when they are too many.
 * @throws No `BADURL`
 */
export async function copyUrl(session: Session, url: string, writer: BodyWriter, fits: (octets: number) => void): Promise<void> {
  const named = parseImapUrl(url);
  const section = named && sectionOf(named.section);
  const mailbox = named && (await mailboxOf(session, named));
  const [message] = named && mailbox !== undefined ? await session.ports.mailboxes.messages(mailbox, [named.uid]) : [];
  if (!named || !section || !message) throw badUrl(url);
  const octets = new Octets(message, session.ports.bodies);
  const [structure] = await session.ports.structures.of([message]);
  const { partial } = named;
  const range = partial && { from: partial.from, count: partial.count ?? octets.size };
  const value = await valueOf({ kind: 'section', label: '', section, ...(range && { partial: range }) }, octets, structure?.());
  if ('pieces' in value) {
    fits(value.pieces.reduce((sum, { length }) => sum + length, 0));
    for (const piece of value.pieces) await writer.write(piece);
  } else if ('stream' in value) {
    fits(value.size);
    for await (const chunk of value.stream()) await writer.write(chunk);
  } else throw badUrl(url);
}

async function mailboxOf(session: Session, { mailbox, uidValidity }: MessageUrl): Promise<string | undefined> {
  const { mailboxes } = session.ports;
  const folder = mailbox === undefined ? session.selected?.folder : await mailboxes.folder(session.accountId, mailbox);
  if (!folder?.rights.includes('r')) return undefined;
  if (uidValidity === undefined) return folder.id;
  const [status] = await mailboxes.status([folder.id]);
  return status?.uidValidity === uidValidity ? folder.id : undefined;
}

function sectionOf(text: string): Section | undefined {
  const [whole, path, word] = SECTION.exec(text) ?? [];
  if (whole === undefined) return undefined;
  return { part: path?.split('.').map(Number) ?? [], text: (word?.toUpperCase() as 'HEADER' | 'TEXT' | 'MIME' | undefined) ?? 'all', fields: [] };
}

/** The URL is repeated where it can stand in a response code. */
const badUrl = (url: string): No => new No('There is no such part', /^[\x21\x23-\x5b\x5e-\x7e]{1,1000}$/.test(url) ? `BADURL "${url}"` : 'BADURL ""');
