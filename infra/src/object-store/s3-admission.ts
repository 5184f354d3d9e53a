import { StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import { Budget } from './parts.js';

/**
 * Bounds the memory of unfinished bodies where there is no disk to put them on: a body begins only while memory is left, and few grow large
 * at once. Who waits too long is refused for now. Bodies that have begun go on, so that nobody waits for somebody who waits.
 */
export class Admission extends Budget {
  readonly #memory: (() => void)[] = [];
  readonly #large: (() => void)[] = [];
  #free: number;

  /**
   * @param limit bytes
   * @param larges large bodies at once
   * @param patience ms
   */
  constructor(
    limit: number,
    larges: number,
    private readonly patience: number,
  ) {
    super(limit);
    this.#free = larges;
  }

  /** Before a body goes on after its first bytes. */
  begin(): void | Promise<void> {
    if (this.exceeded) return this.#wait(this.#memory);
  }

  override give(bytes: number): void {
    super.give(bytes);
    // All that wait: they have few bytes as yet.
    if (!this.exceeded) for (const go of this.#memory.splice(0)) go();
  }

  /** Before a body grows large; to be followed by `giveLarge`, unless it rejects. */
  takeLarge(): void | Promise<void> {
    if (this.#free > 0) this.#free--;
    else return this.#wait(this.#large);
  }

  giveLarge(): void {
    const next = this.#large.shift();
    if (next) next();
    else this.#free++;
  }

  #wait(queue: (() => void)[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        queue.splice(queue.indexOf(go), 1);
        reject(new StoreUnavailable('the object store takes in too many bodies at once'));
      }, this.patience);
      queue.push(go);
    });
  }
}
