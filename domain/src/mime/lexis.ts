import { type Binary, bytesOf } from './binary.js';
import { guessCharset } from './charset-guess.js';

/**
 * The text with every character replaced that only looks like ASCII, being half of a two-byte character: ISO-2022-JP and Shift_JIS put
 * quotes, commas, backslashes and brackets there. Lexers look at the mask and cut from the text.
 */
export function mask(text: Binary): string {
  if (!/[\x1b\x80-\xff]/.test(text)) return text;
  if (text.includes('\x1b$')) return text.replace(/\x1b\$[^]*?(?:\x1b\([A-Za-z]|$)/g, hide);
  return guessCharset(bytesOf(text)) === 'shift_jis' ? text.replace(/[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]/g, hide) : text;
}

const hide = (found: string): string => 'x'.repeat(found.length);

/** The same with encoded words hidden as well: some hold raw commas and brackets. */
export const maskWords = (text: Binary): string => {
  const masked = mask(text);
  return masked.includes('=?') ? masked.replace(/=\?[^? \t]{1,60}\?[bq]\?[^?<>"]*\?=/gi, hide) : masked;
};

/** Past blanks and comments (RFC 5322 §3.2.2); a comment without an end goes to the end of the text. */
export function skipBlanks(masked: string, from: number): number {
  let at = from;
  for (; at < masked.length; ) {
    const c = masked[at];
    if (c === ' ' || c === '\t') at++;
    else if (c === '(') at = commentEnd(masked, at);
    else break;
  }
  return at;
}

/** @param at the opening parenthesis. @returns past the closing one, or the text's end. */
export function commentEnd(masked: string, at: number): number {
  let depth = 0;
  for (let i = at; i < masked.length; i++) {
    const c = masked[i];
    if (c === '\\') i++;
    else if (c === '(') depth++;
    else if (c === ')' && --depth === 0) return i + 1;
  }
  return masked.length;
}

/** @param at the opening quote. @returns the closing one, or the text's end. */
export function quoteEnd(masked: string, at: number): number {
  for (let i = at + 1; i < masked.length; i++) {
    const c = masked[i];
    if (c === '\\') i++;
    else if (c === '"') return i;
  }
  return masked.length;
}

/** text[from, to) without the backslashes that quote a character. */
export function unquote(text: Binary, masked: string, from: number, to: number): Binary {
  const end = Math.min(to, text.length);
  let out = '';
  let run = from;
  for (let slash = masked.indexOf('\\', from); slash >= 0 && slash < end; slash = masked.indexOf('\\', slash + 2)) {
    out += text.slice(run, slash);
    run = slash + 1;
  }
  return out + text.slice(run, end);
}
