import type { Arguments, Of } from './commands.js';
import { type Cursor, Problem } from './cursor.js';

/** `entries`: of one METADATA command; `entry`, `identifier`: characters; ID as RFC 2971 §3.3 limits it (octets there). */
export const ADMINISTRATION_LIMITS = {
  entries: 100, entry: 1_024, identifier: 320, resources: 20, capabilities: 100, idFields: 30, idName: 30, idValue: 1_024,
} as const;

type Bare<V extends Arguments['verb']> = Omit<Of<V>, 'tag' | 'uid'>;

export function id(cursor: Cursor): Bare<'ID'> {
  if (cursor.nil()) return { verb: 'ID', fields: null };
  const fields: (readonly [string, string | null])[] = [];
  cursor.list('Fields', ADMINISTRATION_LIMITS.idFields, () => {
    const name = cursor.nstring('Field name') ?? cursor.fail('Field name');
    cursor.space();
    const value = cursor.nstring('Field value');
    if (name.length > ADMINISTRATION_LIMITS.idName || (value?.length ?? 0) > ADMINISTRATION_LIMITS.idValue) throw new Problem('A field is too long');
    fields.push([name, value]);
  }, 0);
  return { verb: 'ID', fields };
}

export function enable(cursor: Cursor): Bare<'ENABLE'> {
  const capabilities = new Set<string>();
  do {
    capabilities.add(cursor.atom('Capability').toUpperCase());
    if (capabilities.size > ADMINISTRATION_LIMITS.capabilities) throw new Problem('Too many capabilities', 'NO', 'LIMIT');
  } while (cursor.skip(' '));
  return { verb: 'ENABLE', capabilities: [...capabilities] };
}

export function setQuota(cursor: Cursor): Bare<'SETQUOTA'> {
  const root = cursor.utf8('Quota root');
  cursor.space();
  const limits: (readonly [string, number])[] = [];
  cursor.list('Resources', ADMINISTRATION_LIMITS.resources, () => {
    const resource = cursor.atom('Resource').toUpperCase();
    cursor.space();
    limits.push([resource, cursor.number64('Limit')]);
  }, 0);
  return { verb: 'SETQUOTA', root, limits };
}

export function identifier(cursor: Cursor): string {
  cursor.space();
  const name = cursor.utf8('Identifier');
  if (name === '' || name.length > ADMINISTRATION_LIMITS.identifier) cursor.fail('Identifier');
  return name;
}

/** RFC 4314 §2.1; c and d of RFC 2086 stand for what they once covered (§2.1.1), as `printedRights` tells them. */
const KNOWN_RIGHTS = 'lrswipkxtea';
const OBSOLETE: Readonly<Record<string, string>> = { c: 'kx', d: 'te' };

export function setAcl(cursor: Cursor): Bare<'SETACL'> {
  const mailbox = cursor.mailbox();
  const who = identifier(cursor);
  cursor.space();
  const text = cursor.astring('Rights');
  const operation = text.startsWith('+') ? 'add' : text.startsWith('-') ? 'remove' : 'replace';
  const letters = [...(operation === 'replace' ? text : text.slice(1))].flatMap((letter) => [...(OBSOLETE[letter] ?? letter)]);
  // RFC 4314 §3.1: a right that is not known is a syntax error; capitals are not rights.
  if (letters.some((letter) => !KNOWN_RIGHTS.includes(letter))) throw new Problem('Unknown right');
  const rights = [...KNOWN_RIGHTS].filter((right) => letters.includes(right)).join('');
  return { verb: 'SETACL', mailbox, identifier: who, operation, rights };
}

const METADATA_OPTIONS = / \((?=MAXSIZE|DEPTH)/iy;
type MetadataOptions = Pick<Of<'GETMETADATA'>, 'maxSize' | 'depth'>;

/** Options may stand before the mailbox, as RFC 5464's grammar has them, or after it, as its examples do. */
export function getMetadata(cursor: Cursor): Bare<'GETMETADATA'> {
  let options: MetadataOptions | undefined;
  if (cursor.skip('(')) {
    options = metadataOptions(cursor);
    cursor.space();
  }
  const mailbox = cursor.mailbox();
  if (!options && cursor.take(METADATA_OPTIONS)) options = metadataOptions(cursor);
  cursor.space();
  const entries = new Set<string>();
  if (cursor.next === '(') cursor.list('Entries', ADMINISTRATION_LIMITS.entries, () => entries.add(entryName(cursor)));
  else entries.add(entryName(cursor));
  return { verb: 'GETMETADATA', mailbox, entries: [...entries], depth: 0, ...options };
}

/** After the opening parenthesis. */
function metadataOptions(cursor: Cursor): MetadataOptions {
  let found: MetadataOptions = { depth: 0 };
  for (let count = 0; count < 2; count++) {
    const name = cursor.word('MAXSIZE or DEPTH');
    cursor.space();
    if (name === 'MAXSIZE') found = { ...found, maxSize: cursor.number('Size') };
    else if (name === 'DEPTH') found = { ...found, depth: depth(cursor) };
    else throw new Problem('Unknown option');
    if (cursor.skip(')')) return found;
    cursor.space();
  }
  throw new Problem('Too many options');
}

function depth(cursor: Cursor): 0 | 1 | 'infinity' {
  switch (cursor.word('Depth')) {
    case '0': return 0;
    case '1': return 1;
    case 'INFINITY': return 'infinity';
    default: return cursor.fail('0, 1 or infinity');
  }
}

export function setMetadata(cursor: Cursor): Bare<'SETMETADATA'> {
  const mailbox = cursor.mailbox();
  cursor.space();
  const entries: (readonly [string, string | null])[] = [];
  cursor.list('Entries', ADMINISTRATION_LIMITS.entries, () => {
    const entry = entryName(cursor);
    cursor.space();
    entries.push([entry, cursor.nstring('Value', true)]);
  });
  return { verb: 'SETMETADATA', mailbox, entries };
}

/** RFC 5464 §3.2: `/private` or `/shared`, and levels of printable ASCII after slashes; neither wildcards nor an empty level. Case means nothing. */
const ENTRY = /^\/(?:private|shared)(?:\/[!-$&-)+-.0-~](?:[ -$&-)+-.0-~]*[!-$&-)+-.0-~])?)*$/i;

function entryName(cursor: Cursor): string {
  const name = cursor.astring('Entry');
  if (name.length > ADMINISTRATION_LIMITS.entry) throw new Problem('The entry name is too long', 'NO', 'LIMIT');
  if (!ENTRY.test(name)) cursor.fail('Entry name');
  return name.toLowerCase();
}
