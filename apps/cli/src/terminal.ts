import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { printable } from '@kiroku/domain/story/words.js';

/** Where a command reads and writes: the process's own streams, or a test's. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input: Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };
  readonly output: { write(text: string): unknown };
  readonly errors: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Minutes east of UTC at an instant (epoch ms). */
  readonly offset: (at: number) => number;
}

export const ownTerminal = (): Terminal => ({
  env: process.env, input: process.stdin, output: process.stdout, errors: process.stderr, offset: (at) => -new Date(at).getTimezoneOffset(),
});

/** Columns that a text takes: East Asian wide and fullwidth characters take two (UAX #11), combining ones none. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{M}|\p{Cf}/u.test(character)) continue;
    width += /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u.test(character) ? 2 : 1;
  }
  return width;
}

const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)));

/** Rows in columns, headings first. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows.map((row) => row.map(printable))];
  const widths = headings.map((_, i) => Math.max(...all.map((row) => widthOf(row[i] ?? ''))));
  return all.map((row) => `${row.map((cell, i) => pad(cell, widths[i] ?? 0)).join('  ').trimEnd()}\n`).join('');
}

/** Names and values, one a line. */
export function pairs(entries: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...entries.map(([name]) => widthOf(name)));
  return entries.map(([name, value]) => `${pad(name, width)}  ${printable(value)}`.trimEnd() + '\n').join('');
}

/** One line from a terminal that shows nothing of it. @throws Error `interrupted` at ^C or the end of input. */
export function askSecret({ input, errors }: Terminal, question: string): Promise<string> {
  errors.write(question);
  return new Promise((resolve, reject) => {
    let text = '';
    const done = (settle: () => void): void => {
      input.off('data', take);
      input.setRawMode?.(false);
      input.pause();
      errors.write('\n');
      settle();
    };
    const take = (chunk: Buffer | string): void => {
      for (const character of chunk.toString()) {
        if (character === '\r' || character === '\n') return done(() => resolve(text));
        if (character === '\u0003' || character === '\u0004') return done(() => reject(new Error('interrupted')));
        if (character === '\u007f' || character === '\b') text = [...text].slice(0, -1).join('');
        else text += character;
      }
    };
    input.setRawMode?.(true);
    input.on('data', take);
    input.resume();
  });
}

/** The first line of the input, without its end. */
export async function firstLine({ input }: Terminal): Promise<string | undefined> {
  for await (const line of createInterface({ input, crlfDelay: Infinity })) return line;
  return undefined;
}
