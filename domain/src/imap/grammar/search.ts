import { charset, type Decoder, unnamedCharset } from './charset.js';
import { type Cursor, Problem } from './cursor.js';
import { date } from './dates.js';
import { keyword } from './flags.js';
import { SEARCH_LIMITS, type SearchKey } from './search-key.js';
import { NUMBER_LIMIT, type Ranges, sequenceSet } from './sequence-set.js';

const OBJECT_ID = /[A-Za-z0-9_-]{1,255}/y;
const FIELD = /^[!-9;-~]{1,200}$/;
const FLAG_ENTRY = /^\/flags\/(.{1,200})$/i;
const YEARS_100 = 3_155_760_000;

/** `search-program` after its CHARSET: one key or several, all of which must hold. */
export function searchKeys(cursor: Cursor, decode: Decoder = unnamedCharset): SearchKey {
  return new SearchParse(cursor, decode).all(0, () => !cursor.skip(' '));
}

/** `[CHARSET name SP] keys`. @param charsetAllowed false: naming one is refused. */
export function searchProgram(cursor: Cursor, charsetAllowed: boolean): SearchKey {
  if (!cursor.take(/CHARSET(?= )/iy)) return searchKeys(cursor);
  if (!charsetAllowed) throw new Problem('No CHARSET after UTF8=ACCEPT was enabled');
  cursor.space();
  const decode = charset(cursor);
  cursor.space();
  return searchKeys(cursor, decode);
}

/** `charset SP keys`, as SORT and THREAD have it. */
export function sortProgram(cursor: Cursor): SearchKey {
  const decode = charset(cursor);
  cursor.space();
  return searchKeys(cursor, decode);
}

type Leaf = (parse: SearchParse, depth: number) => SearchKey;

const is = (flag: string): SearchKey => ({ key: 'FLAG', flag });
const not = (of: SearchKey): SearchKey => ({ key: 'not', of });
const fixed =
  (key: SearchKey): Leaf =>
  () =>
    key;
const day =
  (of: 'internal' | 'sent' | 'saved', when: 'before' | 'on' | 'since'): Leaf =>
  ({ cursor }) => (cursor.space(), { key: 'DAY', of, when, day: date(cursor) });
const envelope =
  (field: 'from' | 'to' | 'cc' | 'bcc' | 'subject'): Leaf =>
  (parse) => ({ key: 'ENVELOPE', field, text: parse.text() });
const age =
  (than: 'older' | 'younger'): Leaf =>
  // A longer time is the same as for ever, and keeps the subtraction sound.
  ({ cursor }) => (cursor.space(), { key: 'AGE', than, seconds: Math.min(cursor.positive('Seconds'), YEARS_100) });
const size =
  (than: 'larger' | 'smaller'): Leaf =>
  ({ cursor }) => (cursor.space(), { key: 'SIZE', than, octets: cursor.number64('Size') });
const objectId =
  (key: 'EMAILID' | 'THREADID'): Leaf =>
  ({ cursor }) => (cursor.space(), { key, id: cursor.need(OBJECT_ID, 'Object id') });

/** RFC 9738 §3.2; unlike `UID n:*` it never names the last message when that has a lower UID. */
const uidFrom =
  (rangeOf: (uid: number) => Ranges): Leaf =>
  ({ cursor }) => {
    cursor.space();
    const [first = 0, last = 0] = rangeOf(cursor.positive('UID'));
    return { key: 'UID', set: first <= last ? [first, last] : [] };
  };

const LEAVES: Readonly<Record<string, Leaf>> = {
  ALL: fixed({ key: 'ALL' }),
  ANSWERED: fixed(is('\\Answered')),
  DELETED: fixed(is('\\Deleted')),
  DRAFT: fixed(is('\\Draft')),
  FLAGGED: fixed(is('\\Flagged')),
  RECENT: fixed(is('\\Recent')),
  SEEN: fixed(is('\\Seen')),
  UNANSWERED: fixed(not(is('\\Answered'))),
  UNDELETED: fixed(not(is('\\Deleted'))),
  UNDRAFT: fixed(not(is('\\Draft'))),
  UNFLAGGED: fixed(not(is('\\Flagged'))),
  UNSEEN: fixed(not(is('\\Seen'))),
  NEW: fixed({ key: 'and', of: [is('\\Recent'), not(is('\\Seen'))] }),
  OLD: fixed(not(is('\\Recent'))),
  KEYWORD: ({ cursor }) => (cursor.space(), is(keyword(cursor))),
  UNKEYWORD: ({ cursor }) => (cursor.space(), not(is(keyword(cursor)))),
  FROM: envelope('from'),
  TO: envelope('to'),
  CC: envelope('cc'),
  BCC: envelope('bcc'),
  SUBJECT: envelope('subject'),
  HEADER: (parse) => ({ key: 'HEADER', field: parse.field(), text: parse.text() }),
  BODY: (parse) => ({ key: 'BODY', text: parse.text() }),
  TEXT: (parse) => ({ key: 'TEXT', text: parse.text() }),
  BEFORE: day('internal', 'before'),
  ON: day('internal', 'on'),
  SINCE: day('internal', 'since'),
  SENTBEFORE: day('sent', 'before'),
  SENTON: day('sent', 'on'),
  SENTSINCE: day('sent', 'since'),
  SAVEDBEFORE: day('saved', 'before'),
  SAVEDON: day('saved', 'on'),
  SAVEDSINCE: day('saved', 'since'),
  SAVEDATESUPPORTED: fixed({ key: 'SAVEDATESUPPORTED' }),
  OLDER: age('older'),
  YOUNGER: age('younger'),
  LARGER: size('larger'),
  SMALLER: size('smaller'),
  UID: ({ cursor }) => (cursor.space(), { key: 'UID', set: sequenceSet(cursor) }),
  UIDAFTER: uidFrom((uid) => [uid + 1, NUMBER_LIMIT]),
  UIDBEFORE: uidFrom((uid) => [1, uid - 1]),
  MODSEQ: (parse) => parse.modSeq(),
  EMAILID: objectId('EMAILID'),
  THREADID: objectId('THREADID'),
  NOT: (parse, depth) => (parse.cursor.space(), not(parse.key(depth))),
  OR: (parse, depth) => {
    parse.cursor.space();
    const first = parse.key(depth);
    parse.cursor.space();
    return { key: 'or', of: [first, parse.key(depth)] };
  },
};

class SearchParse {
  private keys = 0;

  constructor(
    readonly cursor: Cursor,
    private readonly decode: Decoder,
  ) {}

  /** Keys until `done`, which takes the separator. */
  all(depth: number, done: () => boolean): SearchKey {
    const first = this.key(depth);
    if (done()) return first;
    const of = [first];
    do of.push(this.key(depth));
    while (!done());
    return { key: 'and', of };
  }

  key(depth: number): SearchKey {
    if (++this.keys > SEARCH_LIMITS.keys) throw new Problem('Too many search keys', 'NO', 'LIMIT');
    if (depth > SEARCH_LIMITS.depth) throw new Problem('Search keys are nested too deep', 'NO', 'LIMIT');
    if (this.cursor.skip('(')) return this.all(depth + 1, () => this.closed());
    const name = this.cursor.take(/[A-Za-z]+/y)?.toUpperCase();
    if (name === undefined) return { key: 'SEQUENCE', set: sequenceSet(this.cursor) };
    const leaf = Object.hasOwn(LEAVES, name) ? LEAVES[name] : undefined;
    if (!leaf) throw new Problem('Unknown search key');
    return leaf(this, depth + 1);
  }

  text(): string {
    this.cursor.space();
    return this.decode(this.cursor.astring('Text')) ?? this.mistaken();
  }

  field(): string {
    this.cursor.space();
    const field = this.cursor.astring('Header field');
    if (!FIELD.test(field)) this.cursor.fail('Header field');
    return field.toLowerCase();
  }

  /** RFC 7162 §3.1.5: `MODSEQ ["/flags/\\Seen" SP all SP] n`. */
  modSeq(): SearchKey {
    this.cursor.space();
    if (this.cursor.next !== '"') return { key: 'MODSEQ', modSeq: this.cursor.number64('Mod-sequence') };
    const [, flag] = FLAG_ENTRY.exec(this.cursor.astring('Entry')) ?? [];
    if (flag === undefined) throw new Problem('Unknown metadata item');
    this.cursor.space();
    if (!this.cursor.take(/(?:priv|shared|all)(?= )/iy)) this.cursor.fail('priv, shared or all');
    this.cursor.space();
    return { key: 'MODSEQ', modSeq: this.cursor.number64('Mod-sequence'), flag };
  }

  private closed(): boolean {
    if (this.cursor.skip(')')) return true;
    this.cursor.space();
    return false;
  }

  private mistaken(): never {
    throw new Problem('The text is not in the charset named');
  }
}
