/** Charsets that an account list may come in. */
export type Charset = 'utf-8' | 'utf-16le' | 'shift_jis';

/**
 * The text of an account list and what it was written in: by its byte order mark, else UTF-8 if it is valid UTF-8, else Shift_JIS
 * (Windows code page 932, what Japanese Excel saves). Excel's "Unicode text" is UTF-16LE with a mark.
 * @returns undefined when it is none of these.
 */
export function decodeList(bytes: Uint8Array): { readonly text: string; readonly charset: Charset } | undefined {
  const marked = bytes[0] === 0xff && bytes[1] === 0xfe;
  for (const charset of marked ? (['utf-16le'] as const) : (['utf-8', 'shift_jis'] as const)) {
    try {
      // Takes the byte order mark off.
      return { text: new TextDecoder(charset, { fatal: true }).decode(bytes), charset };
    } catch {
      continue;
    }
  }
  return undefined;
}

/** A line and its number, from 1; lines end in LF, CRLF or CR. Made one at a time: the list may have 100,000. */
export function* linesOf(text: string): Generator<{ readonly number: number; readonly line: string }> {
  const end = /\r\n|\n|\r/g;
  let start = 0;
  for (let number = 1; start < text.length; number++) {
    const found = end.exec(text);
    yield { number, line: text.slice(start, found?.index ?? text.length) };
    start = found ? end.lastIndex : text.length;
  }
}
