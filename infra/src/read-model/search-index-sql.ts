import { fold } from '@kiroku/domain/imap/search/fold.js';
import { gramsOf } from '@kiroku/domain/imap/search/grams.js';
import { KEPT_FIELDS, type KeptField } from '@kiroku/domain/imap/search/index-row.js';
import type { ColumnTest, EmailIdTest, HeaderTest, SentTest, TextTest } from '@kiroku/domain/imap/search/source.js';

/** Tests that the database answers, at least in part. */
export type IndexTest = HeaderTest | SentTest | TextTest;

/** A test as two conditions over `m` (the entry), `s` (the search row): surely passed, and perhaps passed. */
export interface Conditions {
  readonly sure: string;
  readonly maybe: string;
}

/** Gathers the values of a statement. */
export class Values {
  readonly list: unknown[] = [];

  /** @returns the parameter's name, `$n`. */
  add(value: unknown): string {
    this.list.push(value);
    return `$${this.list.length}`;
  }
}

const isKept = (field: string): field is KeptField => (KEPT_FIELDS as readonly string[]).includes(field);
export const COLUMN: Readonly<Record<KeptField, string>> = { subject: 's.subject', from: 's.from_text', to: 's.to_text', cc: 's.cc_text', bcc: 's.bcc_text' };
/** No value of a header field has one. */
export const CONTROL = /[\x00-\x1f\x7f]/;

export function conditionsOf(test: IndexTest, values: Values): Conditions {
  switch (test.by) {
    case 'sent': {
      const sure = `coalesce(s.sent_day >= ${day(test.from)} AND s.sent_day < ${day(test.before)}, false)`;
      return { sure, maybe: `(${sure} OR s.sent_day IS NULL AND ${inPrefix('date', values)})` };
    }
    case 'header':
      if (CONTROL.test(test.needle)) return { sure: 'false', maybe: 'false' };
      return isKept(test.field) ? keptField(test.field, test.needle, values) : otherField(test, values);
    case 'text': {
      const grams = gramsOf(test.needle);
      const body = mayContain('s.text_grams', grams);
      if (test.in === 'body') return { sure: 'false', maybe: body };
      return { sure: 'false', maybe: `(${body} OR ${mayContain('s.header_grams', grams)} OR ${prefixMayContain(test.needle, values)})` };
    }
  }
}

/** The database has the field's text: it knows, but for a field that this server put before the body. */
function keptField(field: KeptField, needle: string, values: Values): Conditions {
  const sure = needle === '' ? `${COLUMN[field]} IS NOT NULL` : `coalesce(strpos(${COLUMN[field]}, ${values.add(needle)}) > 0, false)`;
  return { sure, maybe: `(${sure} OR ${inPrefix(field, values)})` };
}

function otherField({ field, needle }: HeaderTest, values: Values): Conditions {
  const own = gramsOf(needle);
  // The field's name is in most headers, so it is asked for only where the needle says little.
  const grams = own.length >= 3 ? own : [...new Set([...own, ...gramsOf(`${fold(field)}:`)])];
  return { sure: 'false', maybe: `(${mayContain('s.header_grams', grams)} OR ${inPrefix(field, values)})` };
}

export const inPrefix = (field: string, values: Values): string => (field.includes('\0') ? 'false' : `(m.prefix <> '' AND strpos(lower(m.prefix COLLATE "C"), ${values.add(`${field}:`)}) > 0)`);

/** The fields before the body are ASCII, or else they are looked at. Unfolding only takes line ends away, which this does everywhere. */
function prefixMayContain(needle: string, values: Values): string {
  if (/[^ -~]/.test(needle)) return `(m.prefix <> '' AND (m.prefix ~ '[^\\x01-\\x7e]' OR ${values.add(CONTROL.test(needle))}))`;
  return `(m.prefix <> '' AND (strpos(replace(upper(m.prefix COLLATE "C"), E'\\r\\n', ''), ${values.add(needle)}) > 0 OR strpos(m.prefix, '=?') > 0 OR m.prefix ~ '[^\\x01-\\x7e]'))`;
}

/** As `mayContain` of the domain: a signature without bytes is that of a text without grams, none at all says nothing. */
function mayContain(column: string, grams: readonly number[]): string {
  if (grams.length === 0) return 'true';
  const bits = grams.map((gram) => `get_bit(${column}, ${gram} % (octet_length(${column}) * 8)) = 1`);
  return `(${column} IS NULL OR octet_length(${column}) > 0 AND ${bits.join(' AND ')})`;
}

const LARGEST_DAY = 2_000_000_000;
const day = (n: number): number => Math.max(-LARGEST_DAY, Math.min(LARGEST_DAY, Math.trunc(n)));

const LARGEST = Number.MAX_SAFE_INTEGER;
const whole = (n: number): number => Math.max(-LARGEST, Math.min(LARGEST, Math.ceil(n)));

/** What the entry itself answers. EMAILID as `MailboxStore` makes it: of the body's name, and of what stands before the body. */
export function columnCondition(test: ColumnTest | EmailIdTest, values: Values): string {
  if (test.by === 'emailId') {
    const name = /^M([0-9a-f]{40})$/.exec(test.id)?.[1];
    if (name === undefined) return 'false';
    const of = `CASE WHEN m.prefix = '' THEN encode(m.sha256, 'hex') ELSE encode(sha256(convert_to(encode(m.sha256, 'hex') || m.prefix, 'UTF8')), 'hex') END`;
    return `left(${of}, 40) = ${values.add(name)}`;
  }
  const column = test.by === 'size' ? 'm.size' : 'm.received_at';
  return `${column} >= ${whole(test.from)} AND ${column} < ${whole(test.before)}`;
}
