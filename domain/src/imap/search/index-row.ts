import { parseDate } from '../../mime/date.js';
import { decodeHeader } from '../../mime/encoded-words.js';
import { messageIds } from '../../mime/envelope.js';
import type { Address, Structure } from '../../mime/structure.js';
import { fold } from './fold.js';
import type { Signer } from './grams.js';
import { type HeaderLine, headerLines, textOf } from './header-text.js';
import type { ThreadHeader } from './thread.js';

const DAY = 86_400_000;

/** What SEARCH, SORT and THREAD keep of a body. All texts folded; what is kept depends on `fold` and `Signer`: a change needs a new table. */
export interface IndexRow {
  readonly headerGrams: Uint8Array;
  /** null: more text than is indexed, it must be read. */
  readonly textGrams: Uint8Array | null;
  /** Epoch ms; null without a Date that can be read. */
  readonly sentAt: number | null;
  /** The day as written, counted from 1970-01-01. */
  readonly sentDay: number | null;
  /** Values of the fields, one to a line; null: no such field. */
  readonly subject: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly cc: string | null;
  readonly bcc: string | null;
  /** One to a line: addr-mailbox of From, To and Cc, display text of From and To (RFC 5256, RFC 5957). */
  readonly keys: string;
  /** The message's id, '' for none, and those it refers to, oldest first; between them blanks. */
  readonly thread: string;
}

/** Fields that are kept as text, so that the database answers for them exactly. */
export const KEPT_FIELDS = ['subject', 'from', 'to', 'cc', 'bcc'] as const;
export type KeptField = (typeof KEPT_FIELDS)[number];

/** @param texts the text parts as they are searched, not folded; undefined: there is more than is indexed. */
export function indexRow(header: Uint8Array, structure: Structure, texts: readonly string[] | undefined, signer: Signer): IndexRow {
  const lines = headerLines(header);
  const { envelope } = structure;
  const date = parseDate(envelope.date ?? '');
  signer.add(textOf(lines));
  const headerGrams = signer.finish();
  for (const text of texts ?? []) signer.add(fold(text));
  return {
    headerGrams, textGrams: texts ? signer.finish() : null,
    sentAt: date?.at ?? null, sentDay: date ? date.day / DAY : null,
    subject: valuesOf(lines, 'subject'), from: valuesOf(lines, 'from'), to: valuesOf(lines, 'to'), cc: valuesOf(lines, 'cc'), bcc: valuesOf(lines, 'bcc'),
    keys: [mailbox(envelope.from[0]), mailbox(envelope.to[0]), mailbox(envelope.cc[0]), display(envelope.from[0]), display(envelope.to[0])].join('\n'),
    thread: [messageIds(envelope.messageId ?? '')[0] ?? '', ...referencesOf(structure)].join(' '),
  };
}

function valuesOf(lines: readonly HeaderLine[], field: KeptField): string | null {
  const values = lines.filter(({ name }) => name === field).map(({ value }) => value);
  return values.length === 0 ? null : values.join('\n');
}

const mailbox = (address: Address | undefined): string => fold(decodeHeader(address?.mailbox ?? ''));

/** RFC 5957 §3: the name, or else the address; of a group its name. */
function display(address: Address | undefined): string {
  if (!address) return '';
  const name = decodeHeader(address.name ?? '').trim();
  if (name !== '') return fold(name);
  return address.host === undefined ? mailbox(address) : `${mailbox(address)}@${fold(decodeHeader(address.host))}`;
}

/** RFC 5256 §3: References, or where there are none the first id of In-Reply-To. */
function referencesOf({ references, envelope }: Structure): readonly string[] {
  return references.length > 0 ? references : messageIds(envelope.inReplyTo ?? '').slice(0, 1);
}

/** What the fields before the body add to a row that lacks them: Date, From and Message-ID that this server gave a message. */
export function completed<R extends Pick<IndexRow, 'sentAt' | 'keys' | 'thread'>>(row: R, prefix: R): R {
  const [own, added] = [row.keys.split('\n'), prefix.keys.split('\n')];
  const thread = row.thread.startsWith(' ') || row.thread === '' ? `${prefix.thread.split(' ', 1)[0]}${row.thread}` : row.thread;
  // The name for people goes with the address.
  const keys = [0, 1, 2, 3, 4].map((i) => own[i] || added[i] || '').join('\n');
  return { ...row, sentAt: row.sentAt ?? prefix.sentAt, keys, thread };
}

/** The kept texts as SORT and THREAD take them. */
export function threadHeader(row: Pick<IndexRow, 'sentAt' | 'subject' | 'keys' | 'thread'>): ThreadHeader {
  const [from = '', to = '', cc = '', displayFrom = '', displayTo = ''] = row.keys.split('\n');
  const [messageId, ...references] = row.thread.split(' ');
  // Of several Subject fields the first counts.
  const subject = row.subject?.split('\n', 1)[0] ?? '';
  return { sentAt: row.sentAt ?? undefined, subject, from, to, cc, displayFrom, displayTo, messageId: messageId === '' ? undefined : messageId, references };
}
