import { canonicalDomain } from '../mail/address.js';

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** In words, what `isDomainPattern` takes. */
export const PATTERN_EXPECTED = 'a domain in lower case, *.domain or *';

/** `x.test`, `*.x.test` (all domains below it, not itself), an address literal, or `*`; in lower-case A-labels. */
export const isDomainPattern = (text: string): boolean =>
  text === '*' || (text.startsWith('[') && text.length <= 255) || canonicalDomain(text.replace(/^\*\./, '')) === text.replace(/^\*\./, '');

/** The pattern that fits a domain (lower-case A-labels, or an address literal) best: an exact one, then the longest, then `*`. */
export function matchingDomain(patterns: Readonly<Record<string, unknown>>, domain: string): string | undefined {
  if (Object.hasOwn(patterns, domain)) return domain;
  for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
    const pattern = `*${domain.slice(dot)}`;
    if (Object.hasOwn(patterns, pattern)) return pattern;
  }
  return Object.hasOwn(patterns, '*') ? '*' : undefined;
}
