import { type Cursor, Problem } from './cursor.js';

/** The flags that RFC 9051 §2.3.2 defines and that clients may set. `\Recent` is the server's. */
export const SYSTEM_FLAGS = ['\\Answered', '\\Deleted', '\\Draft', '\\Flagged', '\\Seen'] as const;
const SYSTEM = new Map(SYSTEM_FLAGS.map((flag): [string, string] => [flag.toLowerCase(), flag]));

/** `count`: flags in one command; `length`: characters of one keyword. */
export const FLAG_LIMITS = { count: 100, length: 128 } as const;

export function keyword(cursor: Cursor): string {
  const name = cursor.atom('Flag');
  if (name.length > FLAG_LIMITS.length) throw new Problem('The keyword is too long', 'NO', 'LIMIT');
  return name;
}

function flag(cursor: Cursor): string {
  if (!cursor.skip('\\')) return keyword(cursor);
  const known = SYSTEM.get(`\\${cursor.atom('Flag')}`.toLowerCase());
  if (known === undefined) throw new Problem('There is no such system flag, or it is not for clients to set');
  return known;
}

/** `flag-list`, each flag once (compared without case, as first written). */
export function flagList(cursor: Cursor): readonly string[] {
  const flags = new Flags();
  cursor.list('Flags', FLAG_LIMITS.count, () => flags.add(flag(cursor)), 0);
  return flags.all;
}

/** STORE takes flags without parentheses too. */
export function flagListOrBare(cursor: Cursor): readonly string[] {
  if (cursor.next === '(') return flagList(cursor);
  const flags = new Flags();
  for (let count = 1; count === 1 || cursor.skip(' '); count++) {
    if (count > FLAG_LIMITS.count) throw new Problem('Flags: too many', 'NO', 'LIMIT');
    flags.add(flag(cursor));
  }
  return flags.all;
}

class Flags {
  private readonly seen = new Set<string>();
  readonly all: string[] = [];

  add(name: string): void {
    const key = name.toLowerCase();
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.all.push(name);
  }
}
