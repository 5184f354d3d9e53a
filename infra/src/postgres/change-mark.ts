import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';

/** Whose it is, and how often it has moved it. */
const BYTES = 16;
const NAME_BYTES = 8;
/** Slots that are read; who comes later moves the first one, which is nobody's own. */
const SLOTS = 64;
/** ms that an answer counts at most, whatever the mark shows: bounds what a process that died between a commit and its mark leaves unsaid. */
const AT_MOST = 1_000;

/** Streams that have grown: to which version. */
export type Growth = ReadonlyMap<string, number>;

/**
 * Says to all processes on this machine that decisions were appended or a view exchanged, without a round trip: a file beside the embedded
 * server's socket, with 16 bytes for each process that appends. Who appends moves its own after the commit and before anybody is told; so while
 * all of them stand where they stood before a question was put, the answer still holds (design promise 3). A server elsewhere has writers
 * elsewhere: there is no mark then.
 */
export class ChangeMark {
  readonly #own = randomBytes(BYTES);
  readonly #read = Buffer.alloc(BYTES * SLOTS);
  readonly #listeners: ((grown: Growth) => void)[] = [];
  #moves = 0;
  #fd: number | undefined;
  /** undefined: none yet; 0: none is left. */
  #slot: number | undefined;
  #period = -1;

  /** @param file undefined = nowhere. @param now ms. */
  constructor(private readonly file: string | undefined, private readonly now: () => number = () => performance.now()) {}

  /** Ask before the question; the answer holds while this returns the same. undefined: an answer holds for nobody but who asked. Takes 1 to 2 µs. */
  seen(): string | undefined {
    return this.#look(false);
  }

  /** As `seen`, but for who listens to `onOwn`: what was appended through this mark leaves it as it is. */
  seenOfOthers(): string | undefined {
    return this.#look(true);
  }

  /** Told of what was appended through this mark, before `move` returns; of nothing where there is no mark. */
  onOwn(listener: (grown: Growth) => void): void {
    if (this.file !== undefined) this.#listeners.push(listener);
  }

  /**
   * After the commit, before whoever caused it is told. Also when nobody knows whether it was committed.
   * @param grown what was appended, where that is known and is all.
   */
  move(grown?: Growth): void {
    if (this.file === undefined) return;
    this.#own.writeUIntBE(++this.#moves, NAME_BYTES, 6);
    if (grown) for (const listener of this.#listeners) listener(grown);
    try {
      this.#renew();
      writeSync(this.#open(), this.#own, 0, BYTES, grown ? this.#mine() * BYTES : 0);
    } catch {
      return; // the others find out within AT_MOST
    }
  }

  #look(others: boolean): string | undefined {
    if (this.file === undefined) return undefined;
    try {
      const period = Math.floor(this.now() / AT_MOST);
      if (period !== this.#period) this.#renew();
      this.#period = period;
      const length = readSync(this.#open(), this.#read, 0, this.#read.length, 0);
      if (others && this.#slot) this.#read.fill(0, this.#slot * BYTES, (this.#slot + 1) * BYTES);
      return `${period} ${this.#read.toString('latin1', 0, length)}`;
    } catch {
      return undefined;
    }
  }

  /** The slot that is moved by this mark alone: appended, so that two processes never get the same. */
  #mine(): number {
    while (this.#slot === undefined) {
      const end = openSync(this.file as string, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
      try {
        writeSync(end, this.#own, 0, BYTES);
      } finally {
        closeSync(end);
      }
      const length = readSync(this.#open(), this.#read, 0, this.#read.length, 0);
      const name = this.#own.subarray(0, NAME_BYTES);
      const slots = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => (slot + 1) * BYTES <= length && this.#read.subarray(slot * BYTES).indexOf(name) === 0);
      // In a new file the first one got was everybody's.
      if (slots.at(-1) !== 0) this.#slot = slots.at(-1) ?? 0;
    }
    return this.#slot;
  }

  #open(): number {
    return (this.#fd ??= openSync(this.file as string, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  }

  /** What clears /tmp may have removed it: those who opened it before and after would not see each other. */
  #renew(): void {
    if (this.#fd === undefined || fstatSync(this.#fd).nlink > 0) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    this.#slot = undefined;
  }
}

const NOWHERE = new ChangeMark(undefined);
const marks = new WeakMap<pg.Pool, ChangeMark>();

/** The mark of the database that a pool leads to, for what is asked and appended through this pool. */
export function changeMark(pool: pg.Pool): ChangeMark {
  const { host, database } = (pool as { readonly options?: pg.PoolConfig }).options ?? {};
  if (!host?.startsWith('/')) return NOWHERE;
  const mark = marks.get(pool) ?? new ChangeMark(join(host, `${database}.changes`));
  marks.set(pool, mark);
  return mark;
}
