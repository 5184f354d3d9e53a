/** Text as it goes into header fields and reports: whatever a hostile server, sender or recipient put in, a value stays one value. */

/** Controls, line ends of all kinds, and marks that turn the reading direction (they make a text show what it does not say). */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/g;

/** Characters of a header line that every server takes (RFC 5322 §2.1.1 allows 998 octets). */
const LONGEST_WORD = 240;
const WIDTH = 76;

const encoder = new TextEncoder();
export const bytesOf = (text: string): Uint8Array => encoder.encode(text);

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** The text in one line of at most `most` characters. */
export const oneLine = (text: string, most: number): string => cut(text.slice(0, 2 * most + 100).toWellFormed().replace(UNSEEN, ' ').trim(), most);

/** At most `most` UTF-16 units, no half of a pair. */
const cut = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`);

export const asciiOnly = (text: string): string => text.replace(/[^\x20-\x7e]/gu, '?');

/** RFC 3461 §4 `+2B`, as octets of UTF-8; what is malformed stays as it is. */
export function fromXtext(text: string): string {
  return text.replace(/(?:\+[0-9A-Fa-f]{2})+/g, (run) => {
    const octets = Uint8Array.from(run.slice(1).split('+'), (hex) => parseInt(hex, 16));
    return new TextDecoder().decode(octets);
  });
}

/** RFC 6533 §3 `\x{65E5}`. */
export const fromUnitext = (text: string): string =>
  text.replace(/\\x\{([0-9A-Fa-f]{1,6})\}/g, (whole, hex: string) => {
    const point = parseInt(hex, 16);
    return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? String.fromCodePoint(point) : whole;
  });

/** The same the other way, for fields that hold ASCII only: utf-8-addr-xtext. */
export const toUnitext = (text: string): string =>
  text.replace(/[^\x21-\x7e]|[+=\\]/gu, (c) => `\\x{${(c.codePointAt(0) ?? 0xfffd).toString(16).toUpperCase()}}`);

/** A field whose value may be folded at its blanks; with its last CRLF. Control characters must be gone. */
export function foldedField(name: string, value: string): string {
  let text = `${name}:`;
  let width = text.length;
  for (const word of value.split(/ +/).flatMap(pieces)) {
    if (word === '') continue;
    if (width + 1 + word.length > WIDTH && width > 1) {
      text += `\r\n ${word}`;
      width = 1 + word.length;
    } else {
      text += ` ${word}`;
      width += 1 + word.length;
    }
  }
  return `${text}\r\n`;
}

/** A word longer than a line may be is cut: it is no word of anybody's language. */
const pieces = (word: string): readonly string[] => (word.length <= LONGEST_WORD ? [word] : (word.match(/.{1,240}/gu) ?? []));

/** Lines of 76 characters, each with CRLF (RFC 2045 §6.8). */
export function base64Lines(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 57) text += `${base64(bytes.subarray(at, at + 57))}\r\n`;
  return text;
}

const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

/** Octets of UTF-8 per encoded word: 64 characters then, so that name and word fit in the 76 of RFC 2047 §2. */
const WORD_OCTETS = 39;

/** An unstructured value or a display name as header text: words of RFC 2047 where it is not plain ASCII; folded, without last CRLF. */
export function encodedText(text: string): string {
  const line = oneLine(text, 400);
  if (isAscii(line) && !line.includes('=?')) return foldedField('', line).slice(2, -2);
  const words: string[] = [];
  let word: number[] = [];
  for (const c of line) {
    const octets = bytesOf(c);
    if (word.length + octets.length > WORD_OCTETS) {
      words.push(encodedWord(word));
      word = [];
    }
    word.push(...octets);
  }
  return [...words, encodedWord(word)].join('\r\n ');
}

const encodedWord = (octets: readonly number[]): string => `=?UTF-8?B?${base64(Uint8Array.from(octets))}?=`;

const WORD = /=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[A-Za-z0-9-]{1,20})?\?([bBqQ])\?([^?\s]{0,1000})\?=(?:[ \t]+(?==\?[^?\s]{1,60}\?[bBqQ]\?))?/g;

/** Reads the encoded words in a header value; those in an unknown charset or malformed stay as they are. */
export const decodedText = (value: string): string =>
  value.slice(0, 4000).replace(WORD, (whole, charset: string, encoding: string, text: string) => {
    try {
      return new TextDecoder(charset).decode(encoding.toLowerCase() === 'b' ? fromBase64(text) : fromQ(text));
    } catch {
      return whole;
    }
  });

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const fromQ = (text: string): Uint8Array =>
  Uint8Array.from(text.replace(/_/g, ' ').replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))), (c) => c.charCodeAt(0));
