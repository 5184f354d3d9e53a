import { utf8Text } from './binary.js';

export type Guess = 'ascii' | 'utf-8' | 'iso-2022-jp' | 'shift_jis' | 'euc-jp' | 'windows-1252';

/** Bytes that are looked at closely; the rest is like the beginning. */
const SAMPLE = 16_384;

/**
 * The charset of bytes whose charset nobody names, among those that Japanese mail is written in.
 * UTF-8 is sure, ISO-2022-JP nearly; between EUC-JP and Shift_JIS kana decide; what is none of them is taken for Western European.
 */
export function guessCharset(bytes: Uint8Array): Guess {
  const high = bytes.some((byte) => byte > 127);
  if (!high) return hasEscape(bytes) ? 'iso-2022-jp' : 'ascii';
  if (isUtf8(bytes)) return 'utf-8';
  const sample = bytes.subarray(0, SAMPLE);
  const euc = eucScore(sample);
  const sjis = shiftJisScore(sample);
  if (euc <= 0 && sjis <= 0) return 'windows-1252';
  return euc >= sjis ? 'euc-jp' : 'shift_jis';
}

/** UTF-8, but for a character cut off at the end. */
function isUtf8(bytes: Uint8Array): boolean {
  if (utf8Text(bytes) !== undefined) return true;
  for (let cut = 1; cut <= 3 && cut < bytes.length; cut++) {
    if ((bytes[bytes.length - cut] ?? 0) < 0xc2) continue;
    const head = bytes.subarray(0, bytes.length - cut);
    return head.some((byte) => byte > 127) && utf8Text(head) !== undefined;
  }
  return false;
}

function hasEscape(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0x1b); at >= 0; at = bytes.indexOf(0x1b, at + 1)) {
    const [first, second] = [bytes[at + 1], bytes[at + 2]];
    if (first === 0x24 && (second === 0x42 || second === 0x40 || second === 0x28)) return true;
    if (first === 0x28 && second === 0x49) return true;
  }
  return false;
}

const inside = (byte: number | undefined, low: number, high: number): boolean => byte !== undefined && byte >= low && byte <= high;

/** 0 or less: not EUC-JP. Kana count most. */
function eucScore(bytes: Uint8Array): number {
  let score = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte < 0x80) continue;
    const next = bytes[i + 1];
    if (next === undefined) break; // cut off
    if (byte === 0x8e && inside(next, 0xa1, 0xdf)) score += 1;
    else if (byte === 0x8f && inside(next, 0xa1, 0xfe)) i++;
    else if (inside(byte, 0xa1, 0xfe) && inside(next, 0xa1, 0xfe)) score += byte === 0xa4 || byte === 0xa5 ? 4 : byte <= 0xa3 || inside(byte, 0xb0, 0xf4) ? 2 : -1;
    else return 0;
    i++;
  }
  return score;
}

/** 0 or less: not Shift_JIS. Single pairs between letters count against it: they are accented letters of Western Europe. */
function shiftJisScore(bytes: Uint8Array): number {
  let score = 0;
  let chained = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte < 0x80) {
      chained = false;
      continue;
    }
    if (inside(byte, 0xa1, 0xdf)) {
      score += chained ? 1 : 0;
      chained = true;
      continue;
    }
    if (!inside(byte, 0x81, 0x9f) && !inside(byte, 0xe0, 0xfc)) return 0;
    const next = bytes[++i];
    if (next === undefined) break;
    if (!inside(next, 0x40, 0x7e) && !inside(next, 0x80, 0xfc)) return 0;
    const pairAfter = (bytes[i + 1] ?? 0) > 127;
    score += byte === 0x82 || byte === 0x83 ? 4 : byte === 0x81 ? 2 : inside(byte, 0xf0, 0xfc) ? -2 : chained || pairAfter ? 2 : -1;
    chained = true;
  }
  return score;
}
