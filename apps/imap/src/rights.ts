/** RFC 4314 §2.1, in its order. */
export const ALL_RIGHTS = 'lrswipkxtea';

/** In the RFC's order, with the obsolete c and d where they follow from others (RFC 4314 §2.1.1). */
export function printedRights(rights: string): string {
  const letters = [...ALL_RIGHTS].filter((letter) => rights.includes(letter)).join('');
  const old = `${/[kx]/.test(letters) ? 'c' : ''}${/[te]/.test(letters) ? 'd' : ''}`;
  return letters + old;
}
