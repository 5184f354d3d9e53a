/** PostgreSQL's text of an array of integers without NULLs (`{1,2,3}`), NULL for none; parsed here because a million are no rarity. */
export const numbersIn = (text: string | null): number[] => fillNumbers(text, []);

/** The same into a list, or into a column of known length. */
export function fillNumbers<T extends number[] | Uint32Array | Float64Array>(text: string | null, into: T): T {
  if (text === null) return into;
  let n = 0;
  let value = 0;
  let digits = false;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digits = true;
    } else if (digits) {
      into[n++] = value;
      value = 0;
      digits = false;
    }
  }
  return into;
}

/** The way back: for a parameter that is cast to an array. The driver would quote each element. */
export const arrayText = (numbers: readonly number[]): string => `{${numbers.join(',')}}`;
