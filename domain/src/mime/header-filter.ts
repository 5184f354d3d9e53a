const LF = 10;
const CR = 13;
const COLON = 58;

/**
 * HEADER.FIELDS and HEADER.FIELDS.NOT (RFC 9051 §6.4.5.1): the bytes of the fields with, or without, these names, folding kept, and the
 * empty line where the header has one.
 * @param header with its empty line. @param names in any case. @param not true: all fields but these.
 */
export function filterHeader(header: Uint8Array, names: readonly string[], not = false): Uint8Array {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const out = new Uint8Array(header.length);
  let to = 0;
  for (let at = 0; at < header.length; ) {
    const empty = header[at] === LF || (header[at] === CR && header[at + 1] === LF);
    const end = empty ? lineEnd(header, at) : fieldEnd(header, at);
    if (empty || wanted.has(nameAt(header, at, end)) !== not) {
      out.set(header.subarray(at, end), to);
      to += end - at;
    }
    at = end;
  }
  return out.subarray(0, to);
}

function lineEnd(header: Uint8Array, at: number): number {
  const lf = header.indexOf(LF, at);
  return lf < 0 ? header.length : lf + 1;
}

function fieldEnd(header: Uint8Array, at: number): number {
  let end = lineEnd(header, at);
  while (header[end] === 32 || header[end] === 9) end = lineEnd(header, end);
  return end;
}

/** Lower case; '' for a line that is no field. */
function nameAt(header: Uint8Array, at: number, end: number): string {
  let name = '';
  for (let i = at; i < end && i - at < 1_000; i++) {
    const byte = header[i] as number;
    if (byte === COLON) return name.trimEnd().toLowerCase();
    name += String.fromCharCode(byte);
  }
  return '';
}
