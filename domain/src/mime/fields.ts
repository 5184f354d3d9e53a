import { type Binary, trimBlanks } from './binary.js';

/** Name in lower case → values in the order of the header, unfolded. */
export type Fields = ReadonlyMap<string, readonly Binary[]>;

/** Fields of one name that are kept. */
const MOST_REPEATS = 100;
/** With the blanks before the colon. */
const LONGEST_NAME = 100;

/**
 * Reads a header, with or without its empty line. Lines end with LF; a line without a colon is no field and is passed over with its
 * continuation lines.
 */
export function readFields(header: Binary, wanted: ReadonlySet<string>): Fields {
  const found = new Map<string, Binary[]>();
  let colon = -1;
  for (let at = 0; at < header.length; ) {
    const end = fieldEnd(header, at);
    // Looked for once, however many lines before it have none.
    if (colon < at) colon = header.indexOf(':', at);
    if (colon < 0) break;
    if (colon < end && colon - at <= LONGEST_NAME) {
      const name = trimBlanks(header.slice(at, colon)).toLowerCase();
      if (wanted.has(name)) {
        const values = found.get(name) ?? [];
        if (values.length < MOST_REPEATS) values.push(unfold(header.slice(colon + 1, end)));
        found.set(name, values);
      }
    }
    at = end;
  }
  return found;
}

/** After the field's last line. */
export function fieldEnd(header: Binary, at: number): number {
  for (let end = at; ; ) {
    const lf = header.indexOf('\n', end);
    if (lf < 0) return header.length;
    end = lf + 1;
    const next = header.charCodeAt(end);
    if (next !== 32 && next !== 9) return end;
  }
}

/** Without line ends, and without NULs, which no IMAP string can carry. */
export function unfold(value: Binary): Binary {
  // Nearly always one line: its end is all there is to take away.
  let end = value.length;
  if (value.charCodeAt(end - 1) === 10) end -= value.charCodeAt(end - 2) === 13 ? 2 : 1;
  const line = value.slice(0, end);
  return trimBlanks(/[\r\n\0]/.test(line) ? value.replace(/\r?\n|\0/g, '').replace(/\r/g, ' ') : line);
}
