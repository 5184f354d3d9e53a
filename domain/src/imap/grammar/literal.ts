/** `{n}`, `{n+}`, `~{n}`, `~{n+}` (RFC 9051 §4.3, RFC 7888, RFC 3516). */
export interface LiteralSpec {
  /** Octets. */
  readonly size: number;
  /** The client waits to be told to go on. */
  readonly sync: boolean;
  readonly binary: boolean;
  /** Where in the line it starts, the tilde included. */
  readonly at: number;
}

const DIGIT_0 = 48;
const TILDE = 126;

/** What is announced at the end of a line, if anything. Looks at the last 20 characters only. Sizes above 2^53 are no literal. */
export function literalAtEnd(line: string): LiteralSpec | undefined {
  let at = line.length - 1;
  if (line[at] !== '}') return undefined;
  const sync = line[--at] !== '+';
  if (!sync) at--;
  const last = at;
  let size = 0;
  let scale = 1;
  for (; at >= 0 && last - at < 16; at--, scale *= 10) {
    const digit = line.charCodeAt(at) - DIGIT_0;
    if (digit < 0 || digit > 9) break;
    size += digit * scale;
  }
  if (at === last || line[at] !== '{' || size > Number.MAX_SAFE_INTEGER) return undefined;
  const binary = line.charCodeAt(at - 1) === TILDE;
  return { size, sync, binary, at: binary ? at - 1 : at };
}
