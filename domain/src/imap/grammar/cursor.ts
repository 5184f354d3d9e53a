import { utf8 } from './binary.js';
import { literalAtEnd } from './literal.js';
import { mailboxFromWire } from './mailbox-name.js';

/** Syntax that is none, or that is refused: ends the parse. Never leaves the grammar's folder. */
export class Problem extends Error {
  constructor(
    readonly text: string,
    readonly status: 'BAD' | 'NO' = 'BAD',
    readonly code?: string,
  ) {
    super(text);
  }
}

/** The parse came to a literal that has not arrived. */
export class Missing extends Error {}
/** Nobody looks where it was thrown, and each APPEND throws one. */
const MISSING = new Missing();

export interface Position {
  readonly line: number;
  readonly at: number;
}

export interface Names {
  /** Mailbox names are UTF-8, not modified UTF-7. */
  readonly utf8: boolean;
}

// Sticky: each matches at the cursor or not at all.
const ATOM = /[^\x00-\x20\x7f-\xff(){%*"\\\]]+/y;
const ASTRING = /[^\x00-\x20\x7f-\xff(){%*"\\]+/y;
const PATTERN = /[^\x00-\x20\x7f-\xff(){"\\]+/y;
const WORD = /[A-Za-z0-9.-]+/y;
const DIGITS = /\d{1,20}/y;
const LIMIT_64 = Number(2n ** 63n);
const NIL = /NIL(?![^\x00-\x20\x7f-\xff(){%*"\\])/iy;

/**
 * Reads tokens from a command's lines (binary strings). Line i ends in a literal's announcement, and literal i is what was announced:
 * its octets, or a number where they were led elsewhere. Every method takes what it names or throws a Problem.
 */
export class Cursor {
  private text: string;

  constructor(
    private readonly lines: readonly string[],
    private readonly literals: readonly (string | number)[],
    readonly names: Names,
    private line = 0,
    private at = 0,
  ) {
    this.text = lines[line] ?? '';
  }

  get position(): Position {
    return { line: this.line, at: this.at };
  }

  goto({ line, at }: Position): void {
    this.line = line;
    this.at = at;
    this.text = this.lines[line] ?? '';
  }

  /** The next character, '' at the end. */
  get next(): string {
    return this.text[this.at] ?? '';
  }

  get atEnd(): boolean {
    return this.at === this.text.length;
  }

  end(): void {
    if (!this.atEnd) throw new Problem('There is more than the command takes');
  }

  /** @param pattern sticky, matches at least one character. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.text)) return undefined;
    const start = this.at;
    this.at = pattern.lastIndex;
    return this.text.slice(start, this.at);
  }

  need(pattern: RegExp, what: string): string {
    return this.take(pattern) ?? this.fail(what);
  }

  fail(expected: string): never {
    throw new Problem(`${expected} expected`);
  }

  /** One character, if it is the next. */
  skip(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  char(char: string, name: string): void {
    if (!this.skip(char)) this.fail(name);
  }

  space(): void {
    if (!this.skip(' ')) this.fail('Space');
  }

  /** Letters, digits, dots and hyphens, in capitals; undefined where there are none. */
  perhapsWord(): string | undefined {
    return this.take(WORD)?.toUpperCase();
  }

  word(what: string): string {
    return this.perhapsWord() ?? this.fail(what);
  }

  atom(what: string): string {
    return this.take(ATOM) ?? this.fail(what);
  }

  number(what: string, limit = 4_294_967_295): number {
    const number = Number(this.take(DIGITS) ?? this.fail(what));
    if (number > limit) throw new Problem(`${what} is too large`);
    return number;
  }

  /** `number64` and `mod-sequence-valzer`: up to 2^63-1, of which the last digits may be rounded. */
  number64(what: string): number {
    return this.number(what, LIMIT_64);
  }

  positive(what: string): number {
    if (this.next === '0') this.fail(what);
    return this.number(what);
  }

  positive64(what: string): number {
    if (this.next === '0') this.fail(what);
    return this.number(what, LIMIT_64);
  }

  nil(): boolean {
    return this.take(NIL) !== undefined;
  }

  /** Quoted or literal, as a binary string; undefined where there is neither. `eight`: literal8 as well. */
  perhapsString(eight = false): string | undefined {
    if (this.next === '"') return this.quoted();
    if (this.next !== '{' && !(eight && this.next === '~')) return undefined;
    const literal = this.literal();
    if (typeof literal === 'number') throw new Error('a message where a string belongs');
    if (!eight && literal.includes('\0')) throw new Problem('A literal holds a NUL');
    return literal;
  }

  /** A literal whose octets were led elsewhere. @throws Missing */
  message(): { readonly literal: number; readonly size: number; readonly binary: boolean } {
    const { size, binary } = literalAtEnd(this.text) ?? this.fail('Literal');
    const literal = this.literal();
    if (typeof literal === 'string') throw new Error('a string where a message belongs');
    return { literal, size, binary };
  }

  /** The literal announced at the cursor, which moves to the line after it. */
  private literal(): string | number {
    if (literalAtEnd(this.text)?.at !== this.at) this.fail('Literal');
    const literal = this.literals[this.line];
    if (literal === undefined) throw MISSING;
    this.goto({ line: this.line + 1, at: 0 });
    return literal;
  }

  perhapsAstring(): string | undefined {
    return this.perhapsString() ?? this.take(ASTRING);
  }

  /** A binary string: its charset is the caller's business. */
  astring(what: string): string {
    return this.perhapsAstring() ?? this.fail(what);
  }

  /** An astring in UTF-8. */
  utf8(what: string): string {
    return asUtf8(this.astring(what), what);
  }

  /** `string` or NIL, in UTF-8. */
  nstring(what: string, eight = false): string | null {
    const text = this.perhapsString(eight);
    if (text !== undefined) return asUtf8(text, what);
    return this.nil() ? null : this.fail(what);
  }

  mailbox(what = 'Mailbox name'): string {
    return this.named(this.astring(what));
  }

  listPattern(): string {
    return this.named(this.perhapsString() ?? this.take(PATTERN) ?? this.fail('Mailbox pattern'));
  }

  /** `(item item …)`; each call of `item` takes one. `min` 0: `()` is allowed. */
  list(what: string, limit: number, item: () => void, min = 1): void {
    this.char('(', `${what} in parentheses`);
    if (min === 0 && this.skip(')')) return;
    for (let count = 1; ; count++) {
      if (count > limit) throw new Problem(`${what}: too many`, 'NO', 'LIMIT');
      item();
      if (this.skip(')')) return;
      this.char(' ', 'Space or closing parenthesis');
    }
  }

  private named(wire: string): string {
    const name = mailboxFromWire(wire, this.names.utf8);
    if (name === undefined) throw new Problem('The mailbox name is not properly encoded', 'NO', 'CANNOT');
    return name;
  }

  private quoted(): string {
    const start = this.at + 1;
    let end = this.text.indexOf('"', start);
    let backslash = this.text.indexOf('\\', start);
    let text = '';
    let from = start;
    while (end >= 0 && backslash >= 0 && backslash < end) {
      const escaped = this.text[backslash + 1];
      if (escaped !== '"' && escaped !== '\\') throw new Problem('A backslash in a quoted string stands before neither quote nor backslash');
      text += this.text.slice(from, backslash) + escaped;
      from = backslash + 2;
      if (end < from) end = this.text.indexOf('"', from);
      backslash = this.text.indexOf('\\', from);
    }
    if (end < 0) throw new Problem('A quoted string has no end');
    this.at = end + 1;
    return text + this.text.slice(from, end);
  }
}

function asUtf8(text: string, what: string): string {
  const decoded = utf8(text);
  if (decoded === undefined) throw new Problem(`${what} is not UTF-8`);
  return decoded;
}
