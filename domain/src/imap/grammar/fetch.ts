import { type Cursor, Problem } from './cursor.js';
import type { Of } from './commands.js';
import { FETCH_LIMITS, type FetchItem, type FetchName, type OctetRange, type Section, type SectionText } from './fetch-item.js';
import { partialRange } from './return-options.js';
import { sequenceSet } from './sequence-set.js';

const NAMES: ReadonlySet<string> = new Set<FetchName>([
  'BODY', 'BODYSTRUCTURE', 'EMAILID', 'ENVELOPE', 'FLAGS', 'INTERNALDATE', 'MODSEQ', 'RFC822', 'RFC822.HEADER', 'RFC822.SIZE',
  'RFC822.TEXT', 'SAVEDATE', 'THREADID', 'UID',
]);

const FAST: readonly FetchName[] = ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'];
const MACROS: Readonly<Record<string, readonly FetchName[]>> = { FAST, ALL: [...FAST, 'ENVELOPE'], FULL: [...FAST, 'ENVELOPE', 'BODY'] };

const TEXTS: ReadonlySet<string> = new Set<SectionText>(['HEADER', 'HEADER.FIELDS', 'HEADER.FIELDS.NOT', 'TEXT', 'MIME']);
const PART = /[1-9]\d{0,9}(?:\.[1-9]\d{0,9})*/y;
const FIELD_NAME = /^[!-9;-~]{1,200}$/;
const MACRO = /(?:ALL|FAST|FULL)(?= |$)/iy;
const LAZY = / \(LAZY\)/iy;

type FetchArguments = Omit<Of<'FETCH'>, 'tag' | 'uid'>;

/** Arguments after the set. UID FETCH has the item UID, and CHANGEDSINCE has MODSEQ, whether asked for or not. */
export function fetchArguments(cursor: Cursor, uid: boolean): FetchArguments {
  const set = sequenceSet(cursor);
  cursor.space();
  const items = new Items();
  const macro = cursor.take(MACRO)?.toUpperCase();
  if (macro !== undefined) for (const item of MACROS[macro] ?? []) items.add({ item });
  else if (cursor.next === '(') cursor.list('Items', FETCH_LIMITS.items, () => items.add(fetchItem(cursor)));
  else items.add(fetchItem(cursor));
  const modifiers = cursor.skip(' ') ? fetchModifiers(cursor) : { vanished: false };
  if (modifiers.changedSince !== undefined) items.add({ item: 'MODSEQ' });
  if (modifiers.vanished && (!uid || modifiers.changedSince === undefined)) throw new Problem('VANISHED needs UID FETCH and CHANGEDSINCE');
  if (!uid) return { verb: 'FETCH', set, items: items.all, ...modifiers };
  const others = items.all.filter(({ item }) => item !== 'UID');
  return { verb: 'FETCH', set, items: [{ item: 'UID' }, ...others], ...(others.length < items.all.length && { namesUid: true }), ...modifiers };
}

type Modifiers = Pick<FetchArguments, 'changedSince' | 'vanished' | 'partial'>;

function fetchModifiers(cursor: Cursor): Modifiers {
  let found: Modifiers = { vanished: false };
  const seen = new Set<string>();
  cursor.list('Modifiers', 10, () => {
    const name = cursor.word('Modifier');
    if (seen.size === seen.add(name).size) throw new Problem('A modifier is given twice');
    if (name === 'VANISHED') return void (found = { ...found, vanished: true });
    if (name !== 'CHANGEDSINCE' && name !== 'PARTIAL') throw new Problem('Unknown modifier');
    cursor.space();
    found = name === 'PARTIAL' ? { ...found, partial: partialRange(cursor) } : { ...found, changedSince: cursor.number64('Mod-sequence') };
  });
  return found;
}

/** The items of a parenthesised list, as NOTIFY has it. */
export function fetchItems(cursor: Cursor): readonly FetchItem[] {
  const items = new Items();
  cursor.list('Items', FETCH_LIMITS.items, () => items.add(fetchItem(cursor)));
  return items.all;
}

function fetchItem(cursor: Cursor): FetchItem {
  const name = cursor.word('Item');
  if (cursor.next === '[') return sectioned(cursor, name);
  if (name === 'PREVIEW') return { item: name, lazy: cursor.take(LAZY) !== undefined };
  if (!NAMES.has(name)) throw new Problem('Unknown item to fetch');
  return { item: name as FetchName };
}

function sectioned(cursor: Cursor, name: string): FetchItem {
  cursor.char('[', 'Section');
  const peek = name.endsWith('.PEEK');
  switch (name) {
    case 'BODY':
    case 'BODY.PEEK': {
      const section = sectionSpec(cursor);
      return { item: 'BODY[]', peek, section, ...octetRange(cursor) };
    }
    case 'BINARY':
    case 'BINARY.PEEK': {
      const part = partNumber(cursor);
      cursor.char(']', 'End of the section');
      return { item: 'BINARY[]', peek, part, ...octetRange(cursor) };
    }
    case 'BINARY.SIZE': {
      const part = partNumber(cursor);
      cursor.char(']', 'End of the section');
      return { item: name, part };
    }
    default:
      throw new Problem('Unknown item to fetch');
  }
}

function sectionSpec(cursor: Cursor): Section {
  const part = partNumber(cursor);
  if (cursor.skip(']')) return { part, text: 'all', fields: [] };
  if (part.length > 0) cursor.char('.', 'Dot or end of the section');
  const text = cursor.word('Section');
  if (!TEXTS.has(text) || (text === 'MIME' && part.length === 0)) throw new Problem('Unknown section');
  const fields: string[] = [];
  if (text.startsWith('HEADER.FIELDS')) {
    cursor.space();
    cursor.list('Header fields', FETCH_LIMITS.fields, () => fields.push(fieldName(cursor)));
  }
  cursor.char(']', 'End of the section');
  return { part, text: text as SectionText, fields };
}

function fieldName(cursor: Cursor): string {
  const name = cursor.astring('Header field');
  return FIELD_NAME.test(name) ? name : cursor.fail('Header field');
}

/** `1.2.3`, or nothing: the message. */
function partNumber(cursor: Cursor): readonly number[] {
  const part = cursor.take(PART)?.split('.').map(Number) ?? [];
  if (part.length > FETCH_LIMITS.parts) throw new Problem('The part number is nested too deep', 'NO', 'LIMIT');
  return part;
}

function octetRange(cursor: Cursor): { readonly partial?: OctetRange } {
  if (!cursor.skip('<')) return {};
  const from = cursor.number64('Octet');
  cursor.char('.', 'Dot');
  const count = cursor.positive64('Count');
  cursor.char('>', 'End of the range');
  return { partial: { from, count } };
}

class Items {
  private readonly seen = new Set<string>();
  readonly all: FetchItem[] = [];

  add(item: FetchItem): void {
    const key = 'section' in item || 'part' in item ? JSON.stringify(item) : item.item;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.all.push(item);
  }
}
