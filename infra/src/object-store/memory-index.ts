import { randomUUID } from 'node:crypto';
import { type BodyEntry, type BodyIndex, type Move, type Share, samePlace } from './body-index.js';

/** An index for one process, forgotten with it. For tests and for reading a folder whose database is gone. */
export class MemoryBodyIndex implements BodyIndex {
  readonly #identity = randomUUID();
  readonly #rows = new Map<string, BodyEntry>();
  #lock: Promise<unknown> = Promise.resolve();

  async identity(): Promise<string> {
    return this.#identity;
  }

  async put(entries: readonly BodyEntry[]): Promise<readonly BodyEntry[]> {
    const [fresh, elsewhere] = [new Set<string>(), new Set<string>()];
    for (const entry of entries) {
      const first = this.#rows.get(entry.sha256);
      this.#rows.set(entry.sha256, first ? { ...first, storedAt: Math.max(first.storedAt, entry.storedAt) } : entry);
      if (!first) fresh.add(entry.sha256);
      else if (!fresh.has(entry.sha256) && !samePlace(first, entry)) elsewhere.add(entry.sha256);
    }
    return [...elsewhere].map((sha256) => this.#rows.get(sha256)!);
  }

  async find(sha256: readonly string[]): Promise<ReadonlyMap<string, BodyEntry>> {
    const found = new Map<string, BodyEntry>();
    for (const name of sha256) {
      const row = this.#rows.get(name);
      if (row) found.set(name, row);
    }
    return found;
  }

  async remove(sha256: readonly string[], storedBefore = Number.MAX_SAFE_INTEGER): Promise<void> {
    for (const name of sha256) if ((this.#rows.get(name)?.storedAt ?? Infinity) < storedBefore) this.#rows.delete(name);
  }

  async move(moves: readonly Move[]): Promise<void> {
    for (const { sha256, from, to } of moves) {
      const row = this.#rows.get(sha256);
      if (row && samePlace(row, from)) this.#rows.set(sha256, { ...row, segment: to.segment, offset: to.offset });
    }
  }

  async live(segments?: readonly number[]): Promise<ReadonlyMap<number, Share>> {
    const live = new Map<number, Share>();
    const asked = segments && new Set(segments);
    for (const { segment, size } of this.#rows.values()) {
      if (asked && !asked.has(segment)) continue;
      const { bodies, bytes } = live.get(segment) ?? { bodies: 0, bytes: 0 };
      live.set(segment, { bodies: bodies + 1, bytes: bytes + size });
    }
    return live;
  }

  async clear(): Promise<void> {
    this.#rows.clear();
  }

  exclusively<T>(task: (held: () => Promise<void>) => Promise<T>): Promise<T> {
    const run = this.#lock.then(() => task(() => Promise.resolve()));
    this.#lock = run.catch(() => undefined);
    return run;
  }
}
