/** RFC 3501 §5.1.3: base64 with a comma instead of the slash. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,';
const VALUES = new Int8Array(128).fill(-1);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

const AMPERSAND = 38;
const printable = (code: number): boolean => code >= 0x20 && code <= 0x7e;

/** Modified UTF-7 of a mailbox name. What is no Unicode (half a surrogate pair) becomes U+FFFD. */
export function toModifiedUtf7(name: string): string {
  let text = '';
  let bits = 0;
  let count = 0;
  let shifted = false;
  for (let i = 0, whole = name.toWellFormed(); i < whole.length; i++) {
    const code = whole.charCodeAt(i);
    if (printable(code)) {
      if (shifted) text += `${count > 0 ? ALPHABET[(bits << (6 - count)) & 63] : ''}-`;
      shifted = false;
      text += code === AMPERSAND ? '&-' : whole[i];
      continue;
    }
    if (!shifted) {
      text += '&';
      shifted = true;
      bits = count = 0;
    }
    bits = (bits << 16) | code;
    for (count += 16; count >= 6; count -= 6) text += ALPHABET[(bits >>> (count - 6)) & 63];
    bits &= (1 << count) - 1;
  }
  return shifted ? `${text}${count > 0 ? ALPHABET[(bits << (6 - count)) & 63] : ''}-` : text;
}

/**
 * The name that was encoded, or undefined: an octet outside printable ASCII, base64 that does not end or is not canonical (loose
 * bits, printable ASCII inside, half a surrogate pair, two shifts side by side), so that each name has one spelling.
 */
export function fromModifiedUtf7(text: string): string | undefined {
  let name = '';
  let shiftEnd = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!printable(code)) return undefined;
    if (code !== AMPERSAND) {
      name += text[i];
      continue;
    }
    const end = text.indexOf('-', i);
    if (end < 0) return undefined;
    if (end === i + 1) name += '&';
    else {
      const decoded = i === shiftEnd ? undefined : base64(text, i + 1, end);
      if (decoded === undefined) return undefined;
      name += decoded;
      shiftEnd = end + 1;
    }
    i = end;
  }
  return name.isWellFormed() ? name : undefined;
}

function base64(text: string, from: number, to: number): string | undefined {
  let name = '';
  let bits = 0;
  let count = 0;
  for (let i = from; i < to; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? -1;
    if (value < 0) return undefined;
    bits = (bits << 6) | value;
    count += 6;
    if (count < 16) continue;
    count -= 16;
    const code = (bits >>> count) & 0xffff;
    if (printable(code)) return undefined;
    name += String.fromCharCode(code);
    bits &= (1 << count) - 1;
  }
  return count >= 6 || bits !== 0 ? undefined : name;
}

