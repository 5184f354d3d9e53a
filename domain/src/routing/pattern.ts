import { canonical, canonicalDomain, parseAddress } from '../mail/address.js';

/**
 * A pattern for addresses as the gateway table writes it, in canonical form: a domain (`x.test`), an address (`ann@x.test`), either
 * with stars for any run of characters, dots included (`*.x.test`, `01*.x.test`, `sales*@x.test`), or `*` for all.
 * Of senders also `<>`: the null sender of reports.
 */
export type Pattern = string;

export const ANY: Pattern = '*';
export const NULL_SENDER: Pattern = '<>';

/** An address in the form in which patterns see it. The null sender has neither part. */
export interface Subject {
  /** Canonical. */
  readonly address: string;
  readonly local: string;
  readonly domain: string;
}

const PATTERN_LABEL = /^[a-z0-9_*-]{1,63}$/;
const LONGEST_DOMAIN = 253;

/** @param address as it came; what cannot be read as an address is compared in lower case. */
export function subjectOf(address: string): Subject {
  const known = canonical(address) ?? address.toLowerCase();
  const at = known.lastIndexOf('@');
  return { address: known, local: known.slice(0, Math.max(at, 0)), domain: known.slice(at + 1) };
}

/**
 * The canonical form of a pattern for recipients; a canonical pattern is its own.
 * @returns undefined for what is none; never throws.
 */
export function parsePattern(text: string): Pattern | undefined {
  const at = text.lastIndexOf('@');
  if (at < 0) return domainPattern(text);
  const [local, domain] = [localPattern(text.slice(0, at)), domainPattern(text.slice(at + 1))];
  return local === undefined || domain === undefined ? undefined : `${local}@${domain}`;
}

/** The same for senders. */
export const parseSenderPattern = (text: string): Pattern | undefined => (text === NULL_SENDER ? NULL_SENDER : parsePattern(text));

function localPattern(text: string): string | undefined {
  // In quotes a star is a star, which no pattern can say.
  if (text.startsWith('"') && text.includes('*')) return undefined;
  const known = canonical(`${text.replace(/\*+/g, '*')}@x.test`);
  return known?.slice(0, -'@x.test'.length);
}

function domainPattern(text: string): string | undefined {
  if (text.startsWith('[')) return parseAddress(`x@${text}`)?.domain;
  if (!text.includes('*')) return canonicalDomain(text);
  const labels = text.replace(/\*+/g, '*').split('.').map((label) => {
    if (!label.includes('*')) return canonicalDomain(`${label}.x`)?.slice(0, -2);
    const lower = label.toLowerCase();
    return PATTERN_LABEL.test(lower) ? lower : undefined;
  });
  const whole = labels.join('.');
  return labels.includes(undefined) || whole.length > LONGEST_DOMAIN ? undefined : whole;
}

/** Whether a pattern fits. Time grows with the product of the lengths at worst, whatever the stars. */
export function matches(pattern: Pattern, { address, local, domain }: Subject): boolean {
  if (pattern === ANY) return true;
  if (address === '') return pattern === NULL_SENDER;
  const at = pattern.lastIndexOf('@');
  if (at < 0) return fits(pattern, domain);
  return fits(pattern.slice(at + 1), domain) && fits(pattern.slice(0, at), local);
}

/** `*` stands for any run of characters, also none. */
function fits(glob: string, text: string): boolean {
  let [at, here] = [0, 0];
  // The last star, and how far into the text it reaches so far: only that one ever has to take more.
  let [star, reach] = [-1, 0];
  while (here < text.length) {
    if (glob[at] === '*') [star, reach] = [at++, here];
    else if (glob[at] === text[here]) [at, here] = [at + 1, here + 1];
    else if (star >= 0) [at, here] = [star + 1, ++reach];
    else return false;
  }
  while (glob[at] === '*') at++;
  return at === glob.length;
}

/**
 * Finds the patterns that can fit an address among very many: by address, by domain, by the end of the domain behind a star.
 * What has no such end (`*`, `01*`) is looked at each time.
 */
export class PatternIndex<T> {
  readonly #addresses = new Map<string, T>();
  readonly #domains = new Map<string, T>();
  readonly #ends = new Map<string, T>();
  #others: T | undefined;

  constructor(private readonly make: () => T) {}

  /** The place where patterns like this one are kept. */
  place(pattern: Pattern): T {
    if (pattern === NULL_SENDER) return this.#in(this.#addresses, '');
    const at = pattern.lastIndexOf('@');
    if (at >= 0 && !pattern.includes('*')) return this.#in(this.#addresses, pattern);
    const domain = pattern.slice(at + 1);
    if (!domain.includes('*')) return this.#in(this.#domains, domain);
    const tail = domain.slice(domain.lastIndexOf('*') + 1);
    const dot = tail.indexOf('.');
    return dot < 0 ? (this.#others ??= this.make()) : this.#in(this.#ends, tail.slice(dot));
  }

  /** All places with patterns that may fit. */
  places({ address, domain }: Subject): readonly T[] {
    const found: T[] = [];
    const take = (place: T | undefined): void => void (place !== undefined && found.push(place));
    take(this.#addresses.get(address));
    take(this.#domains.get(domain));
    if (this.#ends.size > 0) for (let dot = domain.indexOf('.'); dot >= 0; dot = domain.indexOf('.', dot + 1)) take(this.#ends.get(domain.slice(dot)));
    take(this.#others);
    return found;
  }

  #in(map: Map<string, T>, key: string): T {
    let place = map.get(key);
    if (place === undefined) map.set(key, (place = this.make()));
    return place;
  }
}
