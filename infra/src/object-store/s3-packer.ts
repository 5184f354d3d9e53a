import { StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';

/** A batch that has so many bytes waits for nobody. */
const FULL = 1024 * 1024;
/** Batches under way at once. */
const WIDTH = 8;
/** The next batch waits for the one under way, which costs the fewest requests, unless that takes this many times the usual… */
const SLOW = 2;
/** …or longer than this. ms */
const SLOWEST = 200;
const USUAL_FIRST = 20;
/**
 * After a batch of so many it waits a moment, this part of the usual time and no longer than that (ms): those whom the last one has just
 * answered come back meanwhile. What they wait they win, since fewer and larger requests are answered sooner.
 */
const MANY = 3;
const MOMENT = 0.5;
const LONGEST_MOMENT = 10;

interface Waiting<T, R> {
  readonly item: T;
  readonly bytes: number;
  readonly since: number;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers what arrives while a request is under way for the next one. A second one starts beside it when there is enough for a large one, or
 * when it takes unusually long: so one slow request does not hold up everybody, and a steady flow makes few of them.
 */
export class Packer<T, R> {
  #waiting: Waiting<T, R>[] = [];
  #bytes = 0;
  #scheduled = false;
  #served = 0;
  /** ms that a batch takes, as a moving average. */
  #usual = USUAL_FIRST;
  #flights = 0;
  #slow = 0;
  #closed = false;
  #idle: (() => void)[] = [];

  /** @param send one batch, of which the first item has waited so many ms; resolves with a result for each of its items, in their order. */
  constructor(
    private readonly send: (items: readonly T[], waited: number) => Promise<readonly R[]>,
    private readonly full = FULL,
    private readonly width = WIDTH,
  ) {}

  /** @param bytes that the item adds to its batch. */
  add(item: T, bytes: number): Promise<R> {
    if (this.#closed) return Promise.reject(new StoreUnavailable('the object store is closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, since: performance.now(), resolve, reject });
      this.#bytes += bytes;
      this.#consider();
    });
  }

  /** Resolves when everything has been sent, or has failed. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#flights > 0 || this.#waiting.length > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #consider(): void {
    if (this.#waiting.length === 0 || this.#flights >= this.width) return;
    if (this.#bytes >= this.full) return this.#start();
    if (this.#scheduled || this.#flights > this.#slow) return;
    this.#scheduled = true;
    const start = () => {
      this.#scheduled = false;
      if (this.#waiting.length > 0 && this.#flights < this.width) this.#start();
    };
    if (this.#served >= MANY) setTimeout(start, Math.min(LONGEST_MOMENT, MOMENT * this.#usual));
    else setImmediate(start);
  }

  #start(): void {
    const batch = this.#take();
    this.#served = batch.length;
    void this.#fly(batch);
    this.#consider();
  }

  #take(): readonly Waiting<T, R>[] {
    let [count, bytes] = [0, 0];
    while (count < this.#waiting.length && bytes < this.full) bytes += this.#waiting[count++]!.bytes;
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #fly(batch: readonly Waiting<T, R>[]): Promise<void> {
    const start = performance.now();
    let slow = false;
    this.#flights++;
    const timer = setTimeout(() => {
      slow = true;
      this.#slow++;
      this.#consider();
    }, Math.min(SLOWEST, Math.max(1, SLOW * this.#usual)));
    try {
      const results = await this.send(batch.map(({ item }) => item), start - batch[0]!.since);
      batch.forEach(({ resolve }, i) => resolve(results[i]!));
      this.#usual += (performance.now() - start - this.#usual) / 8;
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      clearTimeout(timer);
      if (slow) this.#slow--;
      this.#flights--;
      this.#consider();
      for (const idle of this.#idle.splice(0)) idle();
    }
  }
}
