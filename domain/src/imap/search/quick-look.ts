const LARGEST = 262_144;
/** What no needle here has: header text shows them as blanks, or leaves them out. */
const CONTROL = /[\x00-\x1f\x7f]/;
/** Only what must be decoded to be read: encoded words, ISO-2022-JP; NUL, which headers lose. */
const DECODED = ['=?', '\x1b', '\0'];
/** Charsets in which ASCII octets are ASCII and nothing else. */
const PLAIN_CHARSET = /CHARSET="?(?:UTF-8|US-ASCII|ISO-8859-\d\d?|WINDOWS-125\d)(?=["; \t\r\n])/y;
const PLAIN_TEXT = /CONTENT-TYPE: TEXT\/PLAIN/y;
const NO_TEXT = /CONTENT-TYPE: (?:MULTIPART\/(?:MIXED|ALTERNATIVE|RELATED|SIGNED)|APPLICATION\/|IMAGE\/|AUDIO\/|VIDEO\/)/y;
const ATTACHED = /CONTENT-TYPE: (?:APPLICATION|IMAGE|AUDIO|VIDEO)\//y;
const AS_IT_IS = /CONTENT-TRANSFER-ENCODING: (?:7BIT|8BIT|BINARY)\r?\n/y;
/** Both begin with what is rare in any text, so that looking for it is quick. */
const TYPE = '-TYPE';
const ENCODING = '-TRANSFER-ENCODING';
/** Of a message; a look at each may go through all of it. */
const MOST_FIELDS = 50;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * A look at a message's octets as they came, which costs a tenth of reading its structure and its texts: mail in plain ASCII, nothing of
 * whose text is encoded, shows at once that it lacks a text. It may say "perhaps" wrongly and never "no" wrongly: whatever it does not
 * know for sure to be as simple as that, it leaves to the structure.
 */
export class QuickLook {
  readonly #needles: readonly { readonly text: string; readonly words: readonly string[] | undefined }[];

  /** @param body what the text must hold. @param all what text or header must hold. All folded. */
  constructor(body: readonly string[], all: readonly string[]) {
    this.#needles = [
      ...body.filter((text) => !CONTROL.test(text)).map((text) => ({ text, words: undefined })),
      ...all.filter((text) => !CONTROL.test(text)).map((text) => ({ text, words: wordsOf(text) })),
    ];
  }

  /** Nothing is ever ruled out. */
  get idle(): boolean {
    return this.#needles.length === 0;
  }

  /** The message lacks one of the texts. @param message whole. @param prefix the fields that stand before it. */
  rulesOut(message: Uint8Array, prefix: string): boolean {
    if (message.length > LARGEST) return false;
    const text = utf8.decode(message);
    // Of the same length only where each octet is a character; a wrong octet is one too, but not its own.
    if (text.length !== message.length || text.includes('\ufffd')) return false;
    const upper = text.toUpperCase();
    return this.#lacks(upper, prefix) && isPlain(upper);
  }

  #lacks(upper: string, prefix: string): boolean {
    let header: string | undefined;
    return this.#needles.some(({ text, words }) => {
      if (upper.includes(text)) return false;
      // A header's text has other blanks than the header, but the same words.
      return words === undefined || !(among(words, (header ??= upper.slice(0, headerEnd(upper)))) || mayHold(prefix, words));
    });
  }
}

const wordsOf = (needle: string): readonly string[] => needle.split(/[ :]+/).filter((word) => word !== '');
const among = (words: readonly string[], text: string): boolean => words.every((word) => text.includes(word));
const mayHold = (prefix: string, words: readonly string[]): boolean => prefix !== '' && (/[^\x01-\x1a\x1c-\x7f]|=\?/.test(prefix) || among(words, prefix.toUpperCase()));

/** Behind the first empty line. */
function headerEnd(text: string): number {
  let line = 0;
  while (line < text.length && !isEmpty(text, line)) line = nextLine(text, line);
  return line;
}

function nextLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

/** -1: there is none. */
const lineBefore = (text: string, line: number): number => (line < 2 ? line - 1 : text.lastIndexOf('\n', line - 2) + 1);

const isEmpty = (text: string, line: number): boolean => text.startsWith('\n', line) || text.startsWith('\r\n', line);

/** All that is text is so as it stands: in ASCII, neither encoded nor HTML, and no message within the message. */
function isPlain(upper: string): boolean {
  return !DECODED.some((mark) => upper.includes(mark)) && each(upper, TYPE, (at) => isPlainType(upper, at - 'CONTENT'.length))
    && each(upper, ENCODING, (at) => matchesAt(AS_IT_IS, upper, at - 'CONTENT'.length) || isAttached(upper, at));
}

/** What is written here, should it be a field, names a type whose octets are its text, or one that has none. */
function isPlainType(upper: string, at: number): boolean {
  if (!matchesAt(PLAIN_TEXT, upper, at)) return matchesAt(NO_TEXT, upper, at);
  let end = nextLine(upper, at);
  while (upper[end] === ' ' || upper[end] === '\t') end = nextLine(upper, end);
  const field = upper.slice(at, end);
  return each(field, 'CHARSET', (charset) => matchesAt(PLAIN_CHARSET, field, charset));
}

/**
 * The header that this field may stand in, if it is one, is that of a part that is no text. What looks like a boundary may be a line of the
 * header or of a text; so the type must stand between the last such line and the next, and be the only one since the last empty line.
 */
function isAttached(upper: string, at: number): boolean {
  let type = -1;
  let begun = false;
  let line = upper.lastIndexOf('\n', at) + 1;
  for (let next = nextLine(upper, line); next < upper.length && !isEmpty(upper, next) && !upper.startsWith('--', next); next = nextLine(upper, next)) {
    if (!upper.slice(next, nextLine(upper, next)).includes(TYPE)) continue;
    if (type >= 0) return false;
    type = next;
  }
  for (let end = upper.length; line >= 0 && !isEmpty(upper, line); line = lineBefore(upper, line)) {
    if (upper.slice(line, Math.min(end, nextLine(upper, line))).includes(TYPE)) {
      if (type >= 0 || begun) return false;
      type = line;
    }
    begun ||= upper.startsWith('--', line);
    end = line;
  }
  return type >= 0 && matchesAt(ATTACHED, upper, type);
}

/** False also where there is too much of it. */
function each(text: string, mark: string, passes: (at: number) => boolean): boolean {
  let left = MOST_FIELDS;
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) if (left-- === 0 || !passes(at)) return false;
  return true;
}

function matchesAt(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = Math.max(0, at);
  return pattern.test(text);
}
