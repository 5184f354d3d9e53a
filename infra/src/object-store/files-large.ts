import { randomBytes, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { codeOf, openFd, unlinkIfThere } from './files-io.js';
import type { Owner } from './files-owner.js';
import { LargeSink } from './files-sink.js';
import type { Budget } from './parts.js';

/** A file that no process writes any more is removed after this long. ms */
const LEFTOVER_AFTER = 60 * 60_000;
/** What is not indexed after this long was left by a process that died. ms */
const FRESH_FOR = 60_000;

const NAME = /^([0-9a-f]{64})-(\d{1,15})$/;
const PREFIXES = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

export interface LargeCopy {
  readonly sha256: string;
  /** Each copy has a number of its own, so that removing one can never hit another that was just acknowledged. */
  readonly copy: number;
}

const nameOf = ({ sha256, copy }: LargeCopy): string => `${sha256}-${copy}`;

/**
 * Large bodies, a file each. Where it lies is its state: `incoming/` is being written, `fresh/` is durable but perhaps not
 * in the index, `ab/` (the first two digits of the hash) is durable and was offered to the index.
 */
export class LargeObjects {
  constructor(
    private readonly folder: string,
    private readonly owner: Owner,
    private readonly clock: Clock,
    private readonly budget: Budget,
  ) {}

  /** All folders exist before the first body, so that a commit has one folder to sync. @returns whether they are new. */
  async prepare(): Promise<boolean> {
    const made = await mkdir(this.folder, { recursive: true, mode: 0o700 });
    for (const name of ['incoming', 'fresh', ...PREFIXES]) await mkdir(join(this.folder, name), { recursive: true, mode: 0o700 });
    const folder = await open(this.folder);
    await folder.sync().finally(() => folder.close());
    return made !== undefined;
  }

  begin(): LargeSink {
    const path = join(this.folder, 'incoming', `${this.owner.token}~${randomUUID()}`);
    return new LargeSink(path, this.budget);
  }

  /** Makes a written body durable under its name. */
  async keep(sink: LargeSink): Promise<LargeCopy & { readonly storedAt: number }> {
    const storedAt = this.clock.now();
    const sha256 = await sink.finish(storedAt);
    const kept = { sha256, copy: randomBytes(6).readUIntBE(0, 6), storedAt };
    const path = join(this.folder, 'fresh', nameOf(kept));
    try {
      await rename(sink.path, path);
      const fresh = await open(join(this.folder, 'fresh'));
      await fresh.sync().finally(() => fresh.close());
    } catch (error) {
      await Promise.allSettled([unlinkIfThere(path), sink.discard()]);
      throw error;
    }
    return kept;
  }

  #settled(copy: LargeCopy): string {
    return join(this.folder, copy.sha256.slice(0, 2), nameOf(copy));
  }

  #fresh(copy: LargeCopy): string {
    return join(this.folder, 'fresh', nameOf(copy));
  }

  /** The index was told. Losing the rename in a crash means telling it again. */
  async settle(copy: LargeCopy): Promise<void> {
    await rename(this.#fresh(copy), this.#settled(copy)).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error; // another process did it
    });
  }

  /** @returns a descriptor for reading, nothing when there is no such copy. */
  async open(copy: LargeCopy): Promise<number | undefined> {
    // It may be settled between the first look and the second.
    for (const path of [this.#settled(copy), this.#fresh(copy), this.#settled(copy)]) {
      try {
        return await openFd(path, constants.O_RDONLY);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
    }
    return undefined;
  }

  async stat(copy: LargeCopy): Promise<{ readonly size: number; readonly storedAt: number } | undefined> {
    for (const path of [this.#settled(copy), this.#fresh(copy), this.#settled(copy)]) {
      const found = await stat(path).catch(() => undefined);
      if (found) return { size: found.size, storedAt: Math.round(found.mtimeMs) };
    }
    return undefined;
  }

  /** All copies of one body, without the index. */
  async find(sha256: string): Promise<readonly LargeCopy[]> {
    const lists = [await this.#list('fresh'), await this.#list(sha256.slice(0, 2)), await this.#list('fresh')];
    return lists.flat().filter((copy) => copy.sha256 === sha256);
  }

  async #list(name: string): Promise<readonly LargeCopy[]> {
    const names = await readdir(join(this.folder, name));
    return names.flatMap((file) => {
      const [, sha256, copy] = NAME.exec(file) ?? [];
      return sha256 === undefined ? [] : [{ sha256, copy: Number(copy) }];
    });
  }

  /** Folder by folder, so that a million files are never one list. */
  async *settledCopies(): AsyncGenerator<readonly LargeCopy[]> {
    for (const prefix of PREFIXES) yield await this.#list(prefix);
  }

  /** Whether the index of this identity was told of all settled copies. */
  async isIndexed(identity: string): Promise<boolean> {
    return (await readdir(this.folder)).includes(`indexed.${identity}`);
  }

  async markIndexed(identity: string): Promise<void> {
    await writeFile(join(this.folder, `indexed.${identity}`), '', { mode: 0o600 });
  }

  async unmark(): Promise<void> {
    for (const name of await readdir(this.folder)) if (name.startsWith('indexed.')) await unlinkIfThere(join(this.folder, name));
  }

  /** Durable copies that the index may not know. @param all also those that their writer is about to tell the index of. */
  async freshCopies(all: boolean): Promise<readonly LargeCopy[]> {
    const copies = await this.#list('fresh');
    if (all) return copies;
    const before = this.clock.now() - FRESH_FOR;
    const stats = await Promise.all(copies.map((copy) => this.stat(copy)));
    return copies.filter((_, i) => (stats[i]?.storedAt ?? Infinity) < before);
  }

  /** @returns bytes won back. */
  async remove(copy: LargeCopy): Promise<number> {
    const bytes = (await this.stat(copy))?.size ?? 0;
    return (await unlinkIfThere(this.#settled(copy))) ? bytes : 0;
  }

  /** Removes what dead processes left half-written. @returns bytes won back. */
  async sweepIncoming(): Promise<number> {
    let won = 0;
    const now = this.clock.now();
    for (const name of await readdir(join(this.folder, 'incoming'))) {
      const path = join(this.folder, 'incoming', name);
      const found = await stat(path).catch(() => undefined); // finished or aborted meanwhile
      if (!found || now - found.mtimeMs < LEFTOVER_AFTER) continue;
      if (await this.owner.isAlive(name.slice(0, name.indexOf('~')), found.mtimeMs, now)) continue;
      if (await unlinkIfThere(path)) won += found.size;
    }
    return won;
  }

  async totalBytes(): Promise<number> {
    let total = 0;
    for (const name of ['incoming', 'fresh', ...PREFIXES]) {
      const files = await readdir(join(this.folder, name));
      const sizes = await Promise.all(
        files.map((file) =>
          stat(join(this.folder, name, file)).then(
            (s) => s.size,
            () => 0,
          ),
        ),
      );
      total += sizes.reduce((a, b) => a + b, 0);
    }
    return total;
  }
}
