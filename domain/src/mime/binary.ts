/** Bytes as a string: each character is one byte, U+0000 to U+00FF. Header values are kept so, because their charset is unknown. */
export type Binary = string;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** Arguments of one call; more could overflow the stack. */
const SLICE = 4_096;

export function binary(bytes: Uint8Array): Binary {
  // One native call where all is ASCII, which is nearly always and ten times faster: only then is nothing lost or joined.
  const text = utf8.decode(bytes);
  if (text.length === bytes.length && !text.includes('\ufffd')) return text;
  let out = '';
  for (let at = 0; at < bytes.length; at += SLICE) out += String.fromCharCode.apply(null, bytes.subarray(at, at + SLICE) as unknown as number[]);
  return out;
}

export function bytesOf(text: Binary): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Without blanks and tabs around it. (`trim` and `\s` would take 0xA0 as well, which is half of many a character.) */
export function trimBlanks(text: Binary): Binary {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return from === 0 && to === text.length ? text : text.slice(from, to);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

export const isAscii = (text: string): boolean => !/[^\x00-\x7f]/.test(text);

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @returns undefined where the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

export function joined(head: Uint8Array, tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
