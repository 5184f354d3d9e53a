import { type Binary, trimBlanks } from './binary.js';
import { mask, quoteEnd, skipBlanks, unquote } from './lexis.js';
import type { Parameters } from './structure.js';

/** Of one field; a file name in pieces of RFC 2231 takes a few. */
const MOST_PARAMETERS = 200;
/** Pieces of one parameter. */
const MOST_PIECES = 200;

const TYPE = /^["']?([\w!#$&^.+-]+)["']?[ \t]*(?:\/[ \t]*["']?([\w!#$&^.+-]+)["']?)?/;

/**
 * Content-Type (RFC 2045 §5.1), as tolerant as readers have to be: quotes, blanks and comments anywhere, semicolons left out.
 * @returns undefined where no type can be read.
 */
export function readContentType(value: Binary): { type: string; subtype: string; parameters: Parameters } | undefined {
  const masked = mask(value);
  const from = skipBlanks(masked, 0);
  const [whole = '', type, subtype] = TYPE.exec(masked.slice(from)) ?? [];
  if (type === undefined) return undefined;
  const main = type.toLowerCase();
  const parameters = readParameters(value, masked, from + whole.length);
  return { type: main, subtype: subtype?.toLowerCase() ?? DEFAULT_SUBTYPES[main] ?? 'octet-stream', parameters };
}

const DEFAULT_SUBTYPES: Readonly<Record<string, string>> = Object.assign(Object.create(null) as Record<string, string>, {
  text: 'plain',
  multipart: 'mixed',
  message: 'rfc822',
});

/** Content-Disposition (RFC 2183). */
export function readDisposition(value: Binary): { type: string; parameters: Parameters } | undefined {
  const masked = mask(value);
  const from = skipBlanks(masked, 0);
  const [whole = '', type] = /^["']?([\w!#$&^.+-]+)["']?/.exec(masked.slice(from)) ?? [];
  // `filename=x` alone: the type was left out.
  if (type !== undefined && /^[ \t]*=/.test(masked.slice(from + whole.length))) return { type: 'attachment', parameters: readParameters(value, masked, from) };
  return type === undefined ? undefined : { type: type.toLowerCase(), parameters: readParameters(value, masked, from + whole.length) };
}

/** The first token of a field such as Content-Transfer-Encoding, lower case. */
export function readToken(value: Binary): string | undefined {
  const from = skipBlanks(value, 0);
  return /^["']?([\w!#$&^.+-]+)/.exec(value.slice(from))?.[1]?.toLowerCase();
}

function readParameters(text: Binary, masked: string, from: number): Parameters {
  const found: [string, Binary][] = [];
  const name = /[^ \t;=()"]+/y;
  for (let at = from; found.length < MOST_PARAMETERS; ) {
    at = skipBlanks(masked, at);
    if (at >= masked.length) break;
    name.lastIndex = at;
    const key = name.exec(masked)?.[0];
    if (key === undefined) {
      // A stray quoted string is passed over whole: what looks like a parameter in it is none.
      at = masked[at] === '"' ? quoteEnd(masked, at) + 1 : at + 1;
      continue;
    }
    at = skipBlanks(masked, at + key.length);
    if (masked[at] !== '=') continue;
    const value = readValue(text, masked, skipBlanks(masked, at + 1));
    found.push([key.toLowerCase(), value.text]);
    at = value.end;
  }
  return joinPieces(found);
}

function readValue(text: Binary, masked: string, at: number): { text: Binary; end: number } {
  if (masked[at] === '"') {
    const close = quoteEnd(masked, at);
    return { text: trimBlanks(unquote(text, masked, at + 1, close)), end: close + 1 };
  }
  const semicolon = masked.indexOf(';', at);
  const end = semicolon < 0 ? masked.length : semicolon;
  // File names with blanks are often written without quotes. But the semicolon may have been forgotten, or a comment follows.
  const cut = masked.slice(at, end).search(/[ \t](?:\(|[A-Za-z][\w*.-]*[ \t]*=)/);
  const stop = cut < 0 ? end : at + cut;
  return { text: trimBlanks(text.slice(at, stop)), end: stop };
}

/** RFC 2231 §3: `name*0*=…; name*1=…` become one parameter, at the place of the first piece; with charset it is called `name*`. */
function joinPieces(found: readonly [string, Binary][]): Parameters {
  if (!found.some(([name]) => name.includes('*'))) return found;
  const pieces = new Map<string, { text: Binary; encoded: boolean }[]>();
  const out: [string, Binary][] = [];
  for (const [name, value] of found) {
    const [, base, number, star] = /^([^*]+)\*(\d{1,4})(\*?)$/.exec(name) ?? [];
    if (base === undefined || Number(number) >= MOST_PIECES) {
      out.push([name, value]);
      continue;
    }
    let list = pieces.get(base);
    if (!list) {
      pieces.set(base, (list = []));
      out.push([base, '']); // filled in below
    }
    list[Number(number)] ??= { text: value, encoded: star === '*' };
  }
  for (const place of out) {
    const list = pieces.get(place[0]);
    if (!list || place[1] !== '') continue;
    pieces.delete(place[0]);
    // Counted from 0; some programs count from 1. A missing piece ends it: what follows cannot be placed.
    const first = list[0] ? 0 : 1;
    const gap = list.findIndex((piece, i) => i >= first && piece === undefined);
    const whole = list.slice(first, gap < 0 ? undefined : gap);
    const encoded = whole.some((piece) => piece.encoded);
    place[1] = whole.map((piece) => (encoded && !piece.encoded ? piece.text.replaceAll('%', '%25') : piece.text)).join('');
    if (encoded) place[0] += '*';
  }
  return out;
}
