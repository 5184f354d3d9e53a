/** Comments in comments deeper than this are nobody's honest header. */
const NESTING = 20;
const CONTROL = /[\0-\x08\n-\x1f\x7f]/;

/**
 * The addresses of a From field (RFC 5322 §3.4 mailbox-list, address-list with groups, and the obsolete forms of §4.4), in order.
 * Display names and comments are skipped, encoded words need no decoding for that.
 * @returns undefined when the text cannot be read for sure: better no answer than one that other readers would not share.
 */
export function addressesIn(text: string): readonly string[] | undefined {
  if (CONTROL.test(text)) return undefined;
  const found: string[] = [];
  const scan = new Scanner(text);
  let group = false;
  for (;;) {
    const token = scan.next();
    switch (token.kind) {
      case 'bad':
        return undefined;
      case 'word': {
        scan.words.push(token.text);
        break;
      }
      case 'angle': {
        // what stood before is the display name
        if (scan.done) return undefined;
        found.push(token.text);
        scan.words.length = 0;
        scan.done = true;
        break;
      }
      case ':': {
        if (group || scan.done) return undefined;
        group = true;
        scan.words.length = 0;
        break;
      }
      case ',':
      case ';':
      case 'end': {
        const bare = joined(scan.words);
        if (bare === undefined || (bare !== '' && !isAddrSpec(bare))) return undefined;
        if (bare !== '') found.push(bare);
        scan.words.length = 0;
        scan.done = false;
        if (token.kind === ';') {
          if (!group) return undefined;
          group = false;
        }
        if (token.kind === 'end') return group ? undefined : found;
        break;
      }
    }
  }
}

const isAddrSpec = (text: string): boolean => /^(?:"(?:[^"\\]|\\.)*"|[^"@\s]+)@[^"@\s]+$/u.test(text);

/** `a @ b . c` is one address; two words side by side are a name without one. */
const joined = (words: readonly string[]): string | undefined =>
  words.every((word, n) => n === 0 || /^[.@]/.test(word) || /[.@]$/.test(words[n - 1] ?? '')) ? words.join('') : undefined;

type Token = { readonly kind: 'word' | 'angle'; readonly text: string } | { readonly kind: ',' | ';' | ':' | 'end' | 'bad' };

class Scanner {
  /** Words of the address under way. */
  readonly words: string[] = [];
  /** An angle address was read and only a separator may follow. */
  done = false;
  private at = 0;

  constructor(private readonly text: string) {}

  next(): Token {
    if (!this.skip()) return { kind: 'bad' };
    const c = this.text[this.at];
    if (c === undefined) return { kind: 'end' };
    if (c === ',' || c === ';' || c === ':') {
      this.at++;
      return { kind: c };
    }
    if (c === '<') return this.angle();
    if (c === '>' || c === ')') return { kind: 'bad' };
    const word = this.word();
    return word === undefined || this.done ? { kind: 'bad' } : { kind: 'word', text: word };
  }

  /** Blanks and comments. */
  private skip(): boolean {
    for (let depth = 0; ; this.at++) {
      const c = this.text[this.at];
      if (c === undefined) return depth === 0;
      if (depth > 0 && c === '\\') this.at++;
      else if (c === '(') {
        if (++depth > NESTING) return false;
      } else if (depth > 0 && c === ')') depth--;
      else if (depth === 0 && c !== ' ' && c !== '\t') return true;
    }
  }

  private word(): string | undefined {
    const start = this.at;
    if (this.text[start] === '"') {
      const end = this.quoteEnd(start);
      if (end === undefined) return undefined;
      this.at = end;
      return this.text.slice(start, end);
    }
    if (this.text[start] === '[') {
      const close = this.text.indexOf(']', start);
      if (close < 0) return undefined;
      this.at = close + 1;
      return this.text.slice(start, this.at);
    }
    while (this.at < this.text.length && !' \t()<>,;:"['.includes(this.text[this.at] ?? '')) this.at++;
    return this.text.slice(start, this.at);
  }

  private quoteEnd(start: number): number | undefined {
    for (let at = start + 1; at < this.text.length; at++) {
      if (this.text[at] === '\\') at++;
      else if (this.text[at] === '"') return at + 1;
    }
    return undefined;
  }

  private angle(): Token {
    this.at++;
    let address = '';
    for (;;) {
      if (!this.skip()) return { kind: 'bad' };
      const c = this.text[this.at];
      if (c === '>') {
        this.at++;
        const plain = address.replace(/^@[^:]*:/, ''); // obsolete source route
        return isAddrSpec(plain) ? { kind: 'angle', text: plain } : { kind: 'bad' };
      }
      if (c === ',' || c === ':') {
        address += c;
        this.at++;
        continue;
      }
      if (c === undefined || c === '<' || c === ';' || c === ')') return { kind: 'bad' };
      const word = this.word();
      if (word === undefined) return { kind: 'bad' };
      address += word;
    }
  }
}
