import type { UidRange } from './uid-set.js';

/** UIDs per chunk. A flag of one message rewrites a row of at most a few KB; a flag of 10,000 messages rewrites 40 rows. */
export const CHUNK = 256;
export const chunkOf = (uid: number): number => Math.floor(uid / CHUNK);

/** The chunks that these ranges touch, ascending. */
export function chunksOf(ranges: readonly UidRange[]): readonly number[] {
  const chunks: number[] = [];
  for (const [first, last] of ranges) {
    const end = chunkOf(last);
    for (let chunk = Math.max(chunkOf(first), (chunks.at(-1) ?? -1) + 1); chunk <= end; chunk++) chunks.push(chunk);
  }
  return chunks;
}

/** A text per UID of a chunk, or none. */
export type Slots = (string | undefined)[];

/**
 * As it is stored: a line per run of neighbours with equal texts, `first:last text` or `uid text`, ascending. Messages that were changed
 * together are one line.
 */
export function formatSlots(slots: Slots, chunk: number): string {
  const lines: string[] = [];
  const base = chunk * CHUNK;
  for (let i = 0; i < CHUNK; ) {
    const text = slots[i];
    const first = i;
    while (++i < CHUNK && slots[i] === text);
    if (text !== undefined) lines.push(`${i - 1 === first ? base + first : `${base + first}:${base + i - 1}`} ${text}`);
  }
  return lines.join('\n');
}

export function parseSlots(stored: string, chunk: number): Slots {
  const slots = new Array<string | undefined>(CHUNK).fill(undefined);
  const base = chunk * CHUNK;
  eachRun(stored, (first, last, text) => {
    if (first === last) slots[first - base] = text;
    else slots.fill(text, first - base, last - base + 1);
  });
  return slots;
}

export function eachRun(stored: string, run: (first: number, last: number, text: string) => void): void {
  if (stored === '') return;
  for (const line of stored.split('\n')) {
    const space = line.indexOf(' ');
    const colon = line.indexOf(':');
    if (colon === -1 || colon > space) {
      const uid = Number(line.slice(0, space));
      run(uid, uid, line.slice(space + 1));
    } else run(Number(line.slice(0, colon)), Number(line.slice(colon + 1, space)), line.slice(space + 1));
  }
}

/** @param text undefined: removes. */
export function fill(slots: Slots, chunk: number, ranges: readonly UidRange[], text: string | undefined): void {
  const base = chunk * CHUNK;
  for (const [first, last] of ranges) {
    if (last < base) continue;
    if (first >= base + CHUNK) return;
    slots.fill(text, Math.max(first - base, 0), Math.min(last - base + 1, CHUNK));
  }
}
