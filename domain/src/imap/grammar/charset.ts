import { isAscii, octets, utf8 } from './binary.js';
import { type Cursor, Problem } from './cursor.js';

/** What SEARCH, SORT and THREAD take, by the names of the IANA registry. */
export const CHARSETS = ['US-ASCII', 'UTF-8', 'ISO-2022-JP', 'SHIFT_JIS', 'EUC-JP'] as const;
type Charset = (typeof CHARSETS)[number];

const ALIASES: Readonly<Record<string, Charset>> = {
  ASCII: 'US-ASCII',
  UTF8: 'UTF-8',
  SJIS: 'SHIFT_JIS',
  MS_KANJI: 'SHIFT_JIS',
  'SHIFT-JIS': 'SHIFT_JIS',
  'WINDOWS-31J': 'SHIFT_JIS',
  EUCJP: 'EUC-JP',
};

/** Binary string to text; undefined where the octets mean nothing. */
export type Decoder = (text: string) => string | undefined;

/** Without CHARSET: RFC 3501 means US-ASCII and RFC 9051 UTF-8, which is the same where it matters. */
export const unnamedCharset: Decoder = utf8;

/** Takes a charset's name. @throws Problem BADCHARSET */
export function charset(cursor: Cursor): Decoder {
  const name = cursor.astring('Charset').toUpperCase();
  const known = CHARSETS.find((each) => each === name) ?? (Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined);
  switch (known) {
    case undefined:
      throw new Problem('The charset is not known', 'NO', `BADCHARSET (${CHARSETS.join(' ')})`);
    case 'US-ASCII':
      return (text) => (isAscii(text) ? text : undefined);
    case 'UTF-8':
      return utf8;
    case 'ISO-2022-JP':
    case 'SHIFT_JIS':
    case 'EUC-JP':
      return japanese(known);
  }
}

function japanese(name: Charset): Decoder {
  return (text) => {
    try {
      // A new one each time: after an error a decoder may keep its state.
      return new TextDecoder(name, { fatal: true }).decode(octets(text));
    } catch {
      return undefined;
    }
  };
}
