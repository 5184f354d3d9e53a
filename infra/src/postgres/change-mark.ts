import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';

/** Whose it is, and how often it has moved it. */
const BYTES = 16;
const NAME_BYTES = 8;
/** ms that an answer counts at most, whatever the mark shows: bounds what a process that died between a commit and its mark leaves unsaid. */
const AT_MOST = 1_000;

/**
 * Says to all processes on this machine that decisions were appended or a view exchanged, without a round trip: 16 bytes of a file beside the
 * embedded server's socket. Who appends moves it after the commit and before anybody is told; so while it stands where it stood before
 * a question was put, the answer still holds (design promise 3). A server elsewhere has writers elsewhere: there is no mark then.
 */
export class ChangeMark {
  readonly #own = randomBytes(BYTES);
  readonly #read = Buffer.alloc(BYTES);
  #moves = 0;
  #fd: number | undefined;
  #period = -1;

  /** @param file undefined = nowhere. @param now ms. */
  constructor(private readonly file: string | undefined, private readonly now: () => number = () => performance.now()) {}

  /** Ask before the question; the answer holds while this returns the same. undefined: an answer holds for nobody but who asked. Takes 1 to 2 µs. */
  seen(): string | undefined {
    if (this.file === undefined) return undefined;
    try {
      const period = Math.floor(this.now() / AT_MOST);
      if (period !== this.#period) this.#renew();
      this.#period = period;
      const length = readSync(this.#open(), this.#read, 0, BYTES, 0);
      return `${period} ${this.#read.toString('latin1', 0, length)}`;
    } catch {
      return undefined;
    }
  }

  /** After the commit, before whoever caused it is told. Also when nobody knows whether it was committed. */
  move(): void {
    if (this.file === undefined) return;
    this.#own.writeUIntBE(++this.#moves, NAME_BYTES, 6);
    try {
      this.#renew();
      writeSync(this.#open(), this.#own, 0, BYTES, 0);
    } catch {
      return; // the others find out within AT_MOST
    }
  }

  #open(): number {
    return (this.#fd ??= openSync(this.file as string, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  }

  /** What clears /tmp may have removed it: those who opened it before and after would not see each other. */
  #renew(): void {
    if (this.#fd === undefined || fstatSync(this.#fd).nlink > 0) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}

const NOWHERE = new ChangeMark(undefined);
const marks = new Map<string, ChangeMark>();

/** The mark of the database that a pool leads to; open as long as the process lives. */
export function changeMark(pool: pg.Pool): ChangeMark {
  const { host, database } = (pool as { readonly options?: pg.PoolConfig }).options ?? {};
  if (!host?.startsWith('/')) return NOWHERE;
  const file = join(host, `${database}.changes`);
  const mark = marks.get(file) ?? new ChangeMark(file);
  marks.set(file, mark);
  return mark;
}
