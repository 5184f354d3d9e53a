import { parseAddress } from '../mail/address.js';

/**
 * A search filter (RFC 4515), its values as they are, without escapes. `substrings`: what stands between the stars; the first and the
 * last part may be empty. In a template, values hold the places `{address}`, `{local}` and `{domain}`.
 */
export type LdapFilter =
  | { readonly kind: 'and' | 'or'; readonly of: readonly LdapFilter[] }
  | { readonly kind: 'not'; readonly of: LdapFilter }
  | { readonly kind: 'equal' | 'approx' | 'at-least' | 'at-most'; readonly attribute: string; readonly value: string }
  | { readonly kind: 'present'; readonly attribute: string }
  | { readonly kind: 'substrings'; readonly attribute: string; readonly parts: readonly string[] }
  /** `attribute` or `rule` may be empty, not both. */
  | { readonly kind: 'matches'; readonly attribute: string; readonly dn: boolean; readonly rule: string; readonly value: string };

/** Fits Active Directory, and OpenLDAP, where an attribute that nobody defined just does not match. */
export const DEFAULT_FILTER = '(|(mail={address})(proxyAddresses=smtp:{address}))';
/** UTF-16 units of a template. */
export const LONGEST_FILTER = 2_000;
const DEEPEST = 10;

const ATTRIBUTE = '(?:[A-Za-z][A-Za-z0-9-]*|\\d+(?:\\.\\d+)*)(?:;[A-Za-z0-9-]+)*';
const SIMPLE = new RegExp(`^(${ATTRIBUTE})(=|~=|>=|<=)([^]*)$`);
const EXTENSIBLE = new RegExp(`^(${ATTRIBUTE})?(:[Dd][Nn])?(?::([A-Za-z0-9][A-Za-z0-9.-]*))?:=([^]*)$`);
const KINDS = { '=': 'equal', '~=': 'approx', '>=': 'at-least', '<=': 'at-most' } as const;
const PLACE = /\{(address|local|domain)\}/g;

/** Why a template cannot be used, in words for administrators. */
export class BadFilter extends Error {}

/**
 * Reads a template. White space around parentheses is dropped, and parentheses around all of it may be left out.
 * @throws BadFilter when it is too long or too deep, is no filter, has a place in braces that there is not, or none for the recipient.
 */
export function parseTemplate(text: string): LdapFilter {
  if (text.length > LONGEST_FILTER) throw new BadFilter(`more than ${LONGEST_FILTER} characters`);
  const filter = parseFilter(text);
  const values = valuesOf(filter);
  const unknown = values.flatMap((value) => value.replace(PLACE, '').match(/\{[A-Za-z]*\}/g) ?? [])[0];
  if (unknown !== undefined) throw new BadFilter(`${unknown}: expected {address}, {local} or {domain}`);
  if (!values.some((value) => /\{(address|local)\}/.test(value))) throw new BadFilter('it asks for no recipient: use {address} or {local} in a value');
  return filter;
}

/**
 * The filter that asks for one recipient. The address goes into values only, which have no syntax: whatever it holds, it cannot change
 * what is asked.
 * @param address canonical.
 */
export function fillTemplate(template: LdapFilter, address: string): LdapFilter {
  const { local = '', domain = '' } = parseAddress(address) ?? {};
  const places: Readonly<Record<string, string>> = { address, local, domain };
  // In one pass: an address that holds `{local}` holds just that.
  const fill = (value: string): string => value.replace(PLACE, (_, name: string) => places[name] ?? '');
  return mapValues(template, fill);
}

/** As text, its values escaped (RFC 4515 §3): stars, parentheses, backslashes and control characters. */
export function printFilter(filter: LdapFilter): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${filter.kind === 'and' ? '&' : '|'}${filter.of.map(printFilter).join('')})`;
    case 'not':
      return `(!${printFilter(filter.of)})`;
    case 'present':
      return `(${filter.attribute}=*)`;
    case 'substrings':
      return `(${filter.attribute}=${filter.parts.map(escapeValue).join('*')})`;
    case 'matches':
      return `(${filter.attribute}${filter.dn ? ':dn' : ''}${filter.rule === '' ? '' : `:${filter.rule}`}:=${escapeValue(filter.value)})`;
    case 'equal':
    case 'approx':
    case 'at-least':
    case 'at-most':
      return `(${filter.attribute}${SIGNS[filter.kind]}${escapeValue(filter.value)})`;
  }
}
const SIGNS = { equal: '=', approx: '~=', 'at-least': '>=', 'at-most': '<=' } as const;

/** A value as a filter's text has it (RFC 4515 §3). */
export const escapeValue = (value: string): string =>
  value.replace(/[*()\\\x00-\x1f\x7f]/g, (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`);

function mapValues(filter: LdapFilter, map: (value: string) => string): LdapFilter {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return { kind: filter.kind, of: filter.of.map((part) => mapValues(part, map)) };
    case 'not':
      return { kind: 'not', of: mapValues(filter.of, map) };
    case 'present':
      return filter;
    case 'substrings':
      return { ...filter, parts: filter.parts.map(map) };
    case 'matches':
    case 'equal':
    case 'approx':
    case 'at-least':
    case 'at-most':
      return { ...filter, value: map(filter.value) };
  }
}

function valuesOf(filter: LdapFilter): readonly string[] {
  const values: string[] = [];
  mapValues(filter, (value) => (values.push(value), value));
  return values;
}

/** @throws BadFilter */
export function parseFilter(text: string): LdapFilter {
  const whole = text.trim();
  const reader = new Reader(whole.startsWith('(') ? whole : `(${whole})`);
  const filter = reader.filter(1);
  reader.end();
  return filter;
}

class Reader {
  #at = 0;

  constructor(private readonly text: string) {}

  filter(depth: number): LdapFilter {
    if (depth > DEEPEST) throw new BadFilter(`more than ${DEEPEST} levels of parentheses`);
    this.#expect('(');
    this.#blanks();
    const sign = this.text[this.#at];
    if (sign !== '&' && sign !== '|' && sign !== '!') return this.#item();
    this.#at++;
    this.#blanks();
    const of: LdapFilter[] = [];
    do of.push(this.filter(depth + 1));
    while (sign !== '!' && this.#blanks() === '(');
    this.#blanks();
    this.#expect(')');
    const [first] = of;
    return sign === '!' && first ? { kind: 'not', of: first } : { kind: sign === '&' ? 'and' : 'or', of };
  }

  end(): void {
    this.#blanks();
    if (this.#at < this.text.length) throw new BadFilter(`unexpected after its end: ${this.text.slice(this.#at, this.#at + 40)}`);
  }

  /** A parenthesis ends it: in values they are escaped. */
  #item(): LdapFilter {
    const [item = ''] = /[^()]*/.exec(this.text.slice(this.#at)) ?? [];
    this.#at += item.length;
    this.#expect(')');
    const [, attribute = '', sign, value = ''] = SIMPLE.exec(item) ?? [];
    if (sign === '=' && value === '*') return { kind: 'present', attribute };
    if (sign === '=' && value.includes('*')) return { kind: 'substrings', attribute, parts: partsOf(value) };
    if (sign !== undefined) return { kind: KINDS[sign as keyof typeof KINDS], attribute, value: unescape(value) };
    const [found, type = '', dn, rule = '', asserted = ''] = EXTENSIBLE.exec(item) ?? [];
    if (found === undefined || (type === '' && rule === '')) throw new BadFilter(`not attribute=value: (${item.slice(0, 60)})`);
    return { kind: 'matches', attribute: type, dn: dn !== undefined, rule, value: unescape(asserted) };
  }

  /** @returns what comes behind them. */
  #blanks(): string | undefined {
    while (/\s/.test(this.text[this.#at] ?? '')) this.#at++;
    return this.text[this.#at];
  }

  #expect(character: string): void {
    if (this.text[this.#at] !== character) throw new BadFilter(`expected ${character} at ${this.#at + 1}: ${this.text.slice(Math.max(0, this.#at - 20), this.#at + 20)}`);
    this.#at++;
  }
}

/** Two stars beside each other ask for nothing between them. */
function partsOf(value: string): readonly string[] {
  const parts = value.split('*').map(unescape);
  if (parts.slice(1, -1).includes('')) throw new BadFilter(`two stars beside each other: ${value.slice(0, 60)}`);
  return parts;
}

/** Escapes are octets of UTF-8. Values that are no text cannot be asked for. */
function unescape(value: string): string {
  if (value.includes('*')) throw new BadFilter(`a star that is no wildcard is written \\2a: ${value.slice(0, 60)}`);
  if (!value.includes('\\')) return value;
  const encoder = new TextEncoder();
  const octets: number[] = [];
  for (let at = 0; at < value.length; ) {
    if (value[at] === '\\') {
      const hex = value.slice(at + 1, at + 3);
      if (!/^[0-9a-f]{2}$/i.test(hex)) throw new BadFilter(`\\${hex}: expected a backslash and two hexadecimal digits`);
      octets.push(parseInt(hex, 16));
      at += 3;
    } else {
      const end = value.indexOf('\\', at);
      octets.push(...encoder.encode(value.slice(at, end < 0 ? undefined : end)));
      at = end < 0 ? value.length : end;
    }
  }
  try {
    // The decoder would take a byte order mark for its own.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(octets));
  } catch {
    throw new BadFilter(`escapes that are no UTF-8: ${value.slice(0, 60)}`);
  }
}
