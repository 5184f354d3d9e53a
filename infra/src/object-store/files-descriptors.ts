import { closeFd } from './files-io.js';

interface Held {
  readonly fd: Promise<number>;
  users: number;
  evicted: boolean;
}

/** Open segments, least recently used first. One in use is closed by its last user. */
export class Descriptors {
  readonly #held = new Map<number, Held>();

  constructor(
    private readonly open: (id: number) => Promise<number>,
    private readonly limit: number,
  ) {}

  /** @throws what `open` throws. */
  async use<T>(id: number, task: (fd: number) => Promise<T>): Promise<T> {
    const held = this.#held.get(id) ?? { fd: this.open(id), users: 0, evicted: false };
    this.#held.delete(id);
    this.#held.set(id, held);
    held.users++;
    try {
      return await task(await held.fd);
    } finally {
      held.users--;
      if (held.evicted) this.#closeIfIdle(held);
      else await held.fd.catch(() => this.evict(id));
      this.#trim();
    }
  }

  evict(id: number): void {
    const held = this.#held.get(id);
    if (!held) return;
    this.#held.delete(id);
    held.evicted = true;
    this.#closeIfIdle(held);
  }

  close(): void {
    for (const id of [...this.#held.keys()]) this.evict(id);
  }

  #trim(): void {
    for (const id of this.#held.keys()) {
      if (this.#held.size <= this.limit) return;
      this.evict(id);
    }
  }

  #closeIfIdle(held: Held): void {
    if (held.users === 0) void held.fd.then(closeFd).catch(() => undefined); // it never opened
  }
}
