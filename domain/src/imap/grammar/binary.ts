const CHUNK = 8_192;

/**
 * Octets as a string of characters U+0000 to U+00FF: what the grammar works on, because strings are searched and cut faster than arrays.
 * (TextDecoder's `latin1` is windows-1252 and would change 0x80 to 0x9F.)
 */
export function binary(bytes: Uint8Array): string {
  if (bytes.length <= CHUNK) return String.fromCharCode.apply(undefined, bytes as unknown as number[]);
  let text = '';
  // All at once could overflow the stack.
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode.apply(undefined, bytes.subarray(at, at + CHUNK) as unknown as number[]);
  return text;
}

export function octets(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const EIGHT_BIT = /[\x80-\uffff]/;
export const isAscii = (text: string): boolean => !EIGHT_BIT.test(text);

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that these octets are in UTF-8; undefined where they are not. */
export function utf8(text: string): string | undefined {
  if (isAscii(text)) return text;
  try {
    return UTF_8.decode(octets(text));
  } catch {
    return undefined;
  }
}
