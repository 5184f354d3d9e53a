import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { type Answer, DnsTrouble } from '@kiroku/domain/routing/dns.js';
import { LRUCache } from 'lru-cache';
import type { Looked } from './lookup.js';

type Kept<T> = { readonly at: number; readonly ttl: number } & ({ readonly answer: Answer<T> } | { readonly trouble: string });

/** ms. What a server says less than this is kept this long all the same: or a message with many recipients would ask for each. */
const SHORTEST = 5_000;
/** ms that a failure answers equal questions. */
const TROUBLE = 5_000;
/** Of text in the records of one shelf, about. */
const MOST_BYTES = 16 * 1024 * 1024;
const ENTRY_BYTES = 200;

/** Answers to questions of one type: kept for their time, and one query for all who ask the same meanwhile. */
export class Shelf<T extends string | object> {
  readonly #kept: LRUCache<string, Kept<T>>;
  readonly #underWay = new Map<string, Promise<Answer<T>>>();

  /**
   * @param entries names kept at most; the least recently used go first.
   * @param longest ms that an answer is kept at most, as set now; 0 = nothing is kept.
   */
  constructor(
    private readonly find: (name: string) => Promise<Looked<T>>,
    private readonly clock: Clock,
    private readonly longest: () => number,
    entries: number,
  ) {
    this.#kept = new LRUCache<string, Kept<T>>({ max: entries, maxSize: MOST_BYTES, sizeCalculation: sizeOf });
  }

  /** @throws DnsTrouble */
  async answer(name: string): Promise<Answer<T>> {
    const kept = this.#fresh(name);
    if (kept) {
      if ('trouble' in kept) throw new DnsTrouble(kept.trouble);
      return kept.answer;
    }
    const underWay = this.#underWay.get(name);
    if (underWay) return underWay;
    const query = this.#ask(name).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, query);
    return query;
  }

  clear(): void {
    this.#kept.clear();
  }

  #fresh(name: string): Kept<T> | undefined {
    const longest = this.longest();
    const kept = longest === 0 ? undefined : this.#kept.get(name);
    return kept && this.clock.now() < kept.at + Math.min(kept.ttl, longest) ? kept : undefined;
  }

  async #ask(name: string): Promise<Answer<T>> {
    try {
      const { records, nxdomain, secure, ttl } = await this.find(name);
      const answer: Answer<T> = records.length > 0 ? { kind: 'found', records, secure } : { kind: 'none', nxdomain, secure };
      this.#keep(name, { at: this.clock.now(), ttl: Math.max(SHORTEST, ttl * 1000), answer });
      return answer;
    } catch (error) {
      if (error instanceof DnsTrouble) this.#keep(name, { at: this.clock.now(), ttl: TROUBLE, trouble: error.message });
      throw error;
    }
  }

  #keep(name: string, kept: Kept<T>): void {
    if (this.longest() > 0) this.#kept.set(name, kept);
  }
}

const sizeOf = (kept: Kept<string | object>, name: string): number =>
  ENTRY_BYTES + 2 * name.length + ('answer' in kept && kept.answer.kind === 'found' ? kept.answer.records.reduce((sum: number, record) => sum + recordBytes(record), 0) : 0);

const recordBytes = (record: string | object): number =>
  64 + (typeof record === 'string' ? 2 * record.length : Object.values(record).reduce((sum: number, value) => sum + (typeof value === 'string' ? 2 * value.length : 8), 0));
