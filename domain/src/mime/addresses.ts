import { type Binary, trimBlanks } from './binary.js';
import { commentEnd, maskWords, quoteEnd, unquote } from './lexis.js';
import type { Address } from './structure.js';

/** Of one field. */
export const MOST_ADDRESSES = 5_000;

/** A word or a quoted string of an address or of the name before it. */
interface Word {
  readonly text: Binary;
  readonly quoted: boolean;
  /** Nothing stands between this one and the word before. */
  readonly glued: boolean;
}

/**
 * Reads an address list (RFC 5322 §3.4 with §4.4), in the forms that are really sent: semicolons between addresses, names with
 * unquoted dots and at signs, missing brackets, the name in a comment behind the address. Whatever stands there, each piece between two
 * commas gives one address; an empty piece gives none.
 */
export function readAddresses(text: Binary): readonly Address[] {
  return new AddressReader(text).read();
}

class AddressReader {
  private readonly masked: string;
  private readonly found: Address[] = [];
  private at = 0;
  private inGroup = false;

  private words: Word[] = [];
  private comment: Binary | undefined;
  private angle: Address | undefined;
  private gap = true;
  /** One of the words has an at sign. */
  private sign = false;

  constructor(private readonly text: Binary) {
    this.masked = maskWords(text);
  }

  read(): readonly Address[] {
    while (this.at < this.masked.length && this.found.length < MOST_ADDRESSES) this.step();
    this.finish();
    if (this.inGroup) this.found.push({});
    return this.found;
  }

  private step(): void {
    const c = this.masked[this.at] ?? '';
    if (c === ',') this.separator(false);
    else if (c === ';') this.separator(true);
    else if (c === '<') this.readAngle();
    else if (c === ':' && !this.inGroup && !this.angle && this.words.length > 0 && !this.sign) this.openGroup();
    else this.word();
  }

  private separator(endsGroup: boolean): void {
    this.at++;
    this.finish();
    if (!endsGroup || !this.inGroup) return;
    this.inGroup = false;
    this.found.push({});
  }

  private openGroup(): void {
    this.at++;
    this.found.push({ mailbox: joined(this.words) });
    this.inGroup = true;
    this.clear();
  }

  /** One word, quoted string, comment, blank or stray bracket. */
  private word(): void {
    const { masked, at } = this;
    const c = masked[at] ?? '';
    if (c === ' ' || c === '\t' || c === '>') {
      this.at++;
      this.gap = true;
      return;
    }
    if (c === '(') {
      this.at = commentEnd(masked, at);
      this.gap = true;
      const closed = masked[this.at - 1] === ')' ? this.at - 1 : this.at;
      this.comment = trimBlanks(unquote(this.text, masked, at + 1, closed)) || this.comment;
      return;
    }
    const taken = this.takeWord();
    this.sign ||= hasAt(taken);
    this.words.push(taken);
    this.gap = false;
  }

  private takeWord(): Word {
    const { masked, at } = this;
    const glued = !this.gap;
    if (masked[at] === '"') {
      const close = quoteEnd(masked, at);
      this.at = close + 1;
      return { text: unquote(this.text, masked, at + 1, close), quoted: true, glued };
    }
    this.at = wordEnd(masked, at, this.inGroup || this.sign || !!this.angle);
    return { text: this.text.slice(at, this.at), quoted: false, glued };
  }

  /** `<route:mailbox@host>`; a bracket that is never closed ends at the comma. */
  private readAngle(): void {
    const name = this.words;
    const second = this.angle;
    this.words = [];
    this.gap = true;
    while (this.masked[this.at] === '<') this.at++;
    let route: Binary | undefined;
    if (this.masked[this.at] === '@') {
      const [whole = ''] = /^@[^:<>"();]*:/.exec(this.masked.slice(this.at, this.at + 1_000)) ?? [];
      if (whole) route = this.text.slice(this.at, this.at + whole.length - 1);
      this.at += whole.length;
    }
    while (this.at < this.masked.length) {
      const c = this.masked[this.at];
      if (c === '>' || c === ',' || c === ';' || c === '<') break;
      this.word();
    }
    const inner = placeOf(this.words);
    this.angle = second ?? { ...(route !== undefined && { route }), mailbox: inner ? inner.mailbox : joined(this.words), host: inner?.host ?? '' };
    this.words = name;
    this.gap = true;
    if (this.masked[this.at] === '>') this.at++;
  }

  private finish(): void {
    const { words, angle, comment } = this;
    this.clear();
    if (this.found.length >= MOST_ADDRESSES) return;
    if (angle) {
      this.found.push(named(joined(words) || comment, angle));
      return;
    }
    const place = placeOf(words);
    if (place) this.found.push(named(joined(words.slice(0, place.from)) || joined(words.slice(place.to)) || comment, { mailbox: place.mailbox, host: place.host }));
    else if (words.length === 1 && !words[0]?.quoted) this.found.push(named(comment, { mailbox: words[0]?.text ?? '', host: '' }));
    else if (words.length > 0 || comment) this.found.push(named(joined(words) || comment, { mailbox: '', host: '' }));
  }

  private clear(): void {
    this.words = [];
    this.comment = undefined;
    this.angle = undefined;
    this.gap = true;
    this.sign = false;
  }
}

const hasAt = (word: Word): boolean => !word.quoted && word.text.includes('@');

const named = (name: Binary | undefined, address: Address): Address => (name ? { name, ...address } : address);

/** @param colon whether a colon is an ordinary character here. */
function wordEnd(masked: string, at: number, colon: boolean): number {
  if (masked[at] === '[') {
    const close = /^\[[^\][ \t<>,;]*\]/.exec(masked.slice(at, at + 300));
    if (close) return at + close[0].length;
  }
  const end = colon ? /[ \t()<>,;"[]/g : /[ \t()<>,;:"[]/g;
  end.lastIndex = at + 1; // whatever it is, the first character is taken
  return end.exec(masked)?.index ?? masked.length;
}

/** A phrase: words as they stood, blanks between them made one. */
const joined = (words: readonly Word[]): Binary => trimBlanks(words.map((word, i) => (i > 0 && !word.glued ? ' ' : '') + word.text).join(''));

/** The words that form an address around the last at sign, dots and at signs with blanks around them included (RFC 5322 §4.4). */
function placeOf(words: readonly Word[]): { from: number; to: number; mailbox: Binary; host: Binary } | undefined {
  const sign = words.findLastIndex(hasAt);
  if (sign < 0) return undefined;
  let from = sign;
  while (from > 0 && belongs(words[from - 1], words[from])) from--;
  let to = sign + 1;
  while (to < words.length && belongs(words[to - 1], words[to])) to++;
  const cut = (words[sign]?.text ?? '').lastIndexOf('@');
  const before = words.slice(from, sign).map((word) => word.text).join('') + (words[sign]?.text ?? '').slice(0, cut);
  const after = (words[sign]?.text ?? '').slice(cut + 1) + words.slice(sign + 1, to).map((word) => word.text).join('');
  return { from, to, mailbox: before.replace(/^mailto:/i, ''), host: after };
}

function belongs(left: Word | undefined, right: Word | undefined): boolean {
  if (!left || !right) return false;
  return right.glued || (!left.quoted && /[.@]$/.test(left.text)) || (!right.quoted && /^[.@]/.test(right.text));
}
