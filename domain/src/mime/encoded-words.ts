import { type Binary, bytesOf } from './binary.js';
import { guessCharset } from './charset-guess.js';
import { decodeText } from './charsets.js';
import { decodeBase64 } from './transfer.js';

/** RFC 2047 §2; RFC 2231 §5 adds a language behind the charset. */
const START = String.raw`=\?([^?* \t]{1,60})(?:\*[^? \t]{0,40})?\?`;
/** `?=20x?=` is no end: the text has a raw question mark, against the rules, and an encoded blank behind it. */
const END = String.raw`\?=(?![0-9A-F]{2}[^ \t?]*\?=)`;
/** A whole word, with blanks in it as many programs write them; a word with raw question marks; a word cut off at the end of the field. */
const WORD = new RegExp(String.raw`${START}([BQ])\?([^?]*)${END}|${START}Q\?((?:(?!=\?)[^]){0,300}?)${END}|${START}([BQ])\?([\w+/=-]*)\??$`, 'gi');

type Word = { readonly encoding: string; text: Binary };
/** Raw text, or words of one charset that follow each other: a character may be split between them. */
type Piece = { readonly raw: Binary } | { readonly charset: string; readonly words: Word[] };

/**
 * Readable text of an unstructured field value or a phrase: encoded words (RFC 2047) undone, also where they touch other text, stand in
 * quotes, split a character between them or name a wrong charset; raw bytes read in the charset that fits them.
 * @param value unfolded. @returns text without control characters; never throws.
 */
export function decodeHeader(value: Binary): string {
  if (!/=\?|[\x1b\x80-\xff]/.test(value)) return clean(value);
  const pieces = value.includes('=?') ? split(value) : [{ raw: value }];
  // One charset for all raw pieces: a short one alone would be guessed wrong.
  const raw = pieces.map((piece) => ('raw' in piece ? piece.raw : ' ')).join('');
  const charset = /[\x1b\x80-\xff]/.test(raw) ? guessCharset(bytesOf(raw)) : 'ascii';
  return clean(pieces.map((piece) => ('raw' in piece ? decodeRaw(piece.raw, charset) : decodeWords(piece.words, piece.charset))).join(''));
}

const clean = (text: string): string => text.replace(/[\x00-\x1f\x7f]+/g, ' ');

const decodeRaw = (raw: Binary, charset: string): string => (charset === 'ascii' ? raw : decodeText(bytesOf(raw), charset));

function split(value: Binary): readonly Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const found of value.matchAll(WORD)) {
    const between = value.slice(end, found.index);
    // Blanks between two words are not shown (RFC 2047 §6.2).
    const joins = pieces.length > 0 && /^[ \t]*$/.test(between) && end > 0;
    if (!joins && between !== '') pieces.push({ raw: between });
    const charset = (found[1] ?? found[4] ?? found[6] ?? '').toLowerCase();
    const word = { encoding: (found[2] ?? found[7] ?? 'q').toLowerCase(), text: found[3] ?? found[5] ?? found[8] ?? '' };
    const before = pieces.at(-1);
    if (joins && before && 'words' in before && before.charset === charset) append(before.words, word);
    else pieces.push({ charset, words: [word] });
    end = found.index + found[0].length;
  }
  if (end < value.length) pieces.push({ raw: value.slice(end) });
  return pieces;
}

/** Some programs cut the base64 itself, anywhere: a word that ends within a group of four is continued by the next. */
function append(words: Word[], word: Word): void {
  const last = words.at(-1);
  if (last?.encoding === 'b' && word.encoding === 'b' && last.text.length % 4 !== 0 && !last.text.endsWith('=')) last.text += word.text;
  else words.push(word);
}

function decodeWords(words: readonly Word[], charset: string): string {
  const decoded = words.map(({ encoding, text }) => (encoding === 'b' ? decodeBase64(bytesOf(text)) : bytesOf(unQ(text))));
  const bytes = new Uint8Array(decoded.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of decoded) {
    bytes.set(one, at);
    at += one.length;
  }
  return decodeText(bytes, charset);
}

const unQ = (text: Binary): Binary =>
  text.replace(/_/g, ' ').replace(/=([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
