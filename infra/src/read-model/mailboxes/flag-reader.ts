import { chunkOf, eachRun, CHUNK } from '@kiroku/domain/mailbox/chunk.js';
import { flagsIn } from '@kiroku/domain/mailbox/state-view.js';

/** A row of `mailbox_state_1` as queries of this folder make it. */
export type StoredChunk = readonly [chunk: number, flags: string];

const NONE: readonly string[] = [];

/** Flags by UID, from the chunks that were read. Equal lists of flags are the same array. */
export class FlagReader {
  /** A text for each UID of the chunk, or none. */
  readonly #chunks = new Map<number, readonly (string | undefined)[]>();
  readonly #texts = new Map<string, { readonly modSeq: number; readonly flags: readonly string[] }>();
  readonly #lists = new Map<string, readonly string[]>([['', NONE]]);

  constructor(chunks: readonly StoredChunk[] | null) {
    for (const [chunk, stored] of chunks ?? []) {
      const slots = new Array<string | undefined>(CHUNK).fill(undefined);
      eachRun(stored, (first, last, text) => slots.fill(text, first - chunk * CHUNK, last - chunk * CHUNK + 1));
      this.#chunks.set(chunk, slots);
    }
  }

  /** Undefined where flags were never set. */
  of(uid: number): { readonly modSeq: number; readonly flags: readonly string[] } | undefined {
    const chunk = chunkOf(uid);
    const text = this.#chunks.get(chunk)?.[uid - chunk * CHUNK];
    return text === undefined ? undefined : this.parsed(text);
  }

  parsed(text: string): { readonly modSeq: number; readonly flags: readonly string[] } {
    const known = this.#texts.get(text);
    if (known) return known;
    const { modSeq, flags } = flagsIn(text);
    const name = flags.join(' ');
    const list = this.#lists.get(name) ?? flags;
    this.#lists.set(name, list);
    const found = { modSeq, flags: list };
    this.#texts.set(text, found);
    return found;
  }
}
