/** Pattern characters in one machine word. */
const BITS = 31;

/**
 * LIST's and LSUB's test of names (RFC 9051 §6.3.9): `*` is anything, `%` anything without the separator `/`. Takes time in proportion
 * to the name (times the pattern's length over 31), whatever the pattern: a regular expression could be made to run for ever.
 *
 * The pattern's characters without the wildcards are a chain of states. Each name character moves every live state on if the next
 * pattern character is that one; a state with a wildcard behind it stays alive besides (Shift-And, Baeza-Yates and Gonnet).
 */
export function listMatcher(pattern: string): (name: string) => boolean {
  if (!/[%*]/.test(pattern)) return (name) => name === pattern;
  const end = pattern.search(/[%*]/);
  if (end === pattern.length - 1) {
    const head = pattern.slice(0, end);
    if (pattern.endsWith('*')) return (name) => name.startsWith(head);
    return (name) => name.startsWith(head) && !name.includes('/', end);
  }
  return new Automaton(pattern).matches;
}

/** A reference and a pattern make one pattern; a pattern that names a namespace stands alone. INBOX at its start is of any case. */
export function joinPattern(reference: string, pattern: string): string {
  const whole = reference === '' || pattern.startsWith('#') ? pattern : reference.endsWith('/') || pattern.startsWith('/') ? reference + pattern : `${reference}/${pattern}`;
  return whole.replace(/^inbox(?=\/|$)/i, 'INBOX');
}

class Automaton {
  private readonly words: number;
  /** Per character: the states that are reached by it. */
  private readonly reachedBy = new Map<number, Int32Array>();
  /** States that stay alive on any character, and on any but `/`. */
  private readonly star: Int32Array;
  private readonly percent: Int32Array;
  private readonly last: number;
  private readonly nothing: Int32Array;

  constructor(pattern: string) {
    const literal = pattern.replace(/[%*]/g, '');
    this.last = literal.length;
    this.words = Math.floor(this.last / BITS) + 1;
    this.star = new Int32Array(this.words);
    this.percent = new Int32Array(this.words);
    this.nothing = new Int32Array(this.words);
    let state = 0;
    for (let i = 0; i < pattern.length; i++) {
      if (pattern[i] === '*') set(this.star, state);
      if (pattern[i] === '*' || pattern[i] === '%') set(this.percent, state);
      else set(this.of(pattern.charCodeAt(i)), ++state);
    }
  }

  private of(code: number): Int32Array {
    let states = this.reachedBy.get(code);
    if (!states) this.reachedBy.set(code, (states = new Int32Array(this.words)));
    return states;
  }

  readonly matches = (name: string): boolean => {
    const alive = new Int32Array(this.words);
    alive[0] = 1;
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i);
      const reached = this.reachedBy.get(code) ?? this.nothing;
      const staying = code === 0x2f ? this.star : this.percent;
      let carry = 0;
      let any = 0;
      // Indices are below the arrays' equal length.
      for (let w = 0; w < this.words; w++) {
        const word = alive[w] as number;
        const next = ((((word << 1) | carry) & (reached[w] as number)) | (word & (staying[w] as number))) & 0x7fffffff;
        carry = (word >>> (BITS - 1)) & 1;
        alive[w] = next;
        any |= next;
      }
      if (any === 0) return false;
    }
    return ((alive[Math.floor(this.last / BITS)] as number) & (1 << (this.last % BITS))) !== 0;
  };
}

function set(states: Int32Array, state: number): void {
  const word = Math.floor(state / BITS);
  states[word] = (states[word] as number) | (1 << (state % BITS));
}
