import { mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { type FileObjectStore, type FileObjectStoreOptions, openFileObjectStore } from './files.js';
import { MemoryBodyIndex } from './memory-index.js';

/** NOON of a fixed day; tests move it. */
export const NOON = 1_750_000_000_000;

/** A folder in tests, with the stores that were opened on it. */
export class TestFolder {
  now = NOON;
  index = new MemoryBodyIndex();
  readonly troubles: unknown[] = [];
  readonly #stores: FileObjectStore[] = [];

  private constructor(readonly path: string) {}

  static async make(parent = tmpdir()): Promise<TestFolder> {
    return new TestFolder(await mkdtemp(join(parent, 'kiroku-objects-')));
  }

  async open(more: Partial<FileObjectStoreOptions> = {}): Promise<FileObjectStore> {
    const store = await openFileObjectStore({
      folder: this.path,
      index: this.index,
      clock: { now: () => this.now },
      trouble: (error) => this.troubles.push(error),
      ...more,
    });
    this.#stores.push(store);
    return store;
  }

  async remove(): Promise<void> {
    for (const store of this.#stores) await store.close();
    await rm(this.path, { recursive: true, force: true });
  }

  /** Paths below the folder, sorted. */
  async files(below = ''): Promise<string[]> {
    const all = await readdir(join(this.path, below), { recursive: true, withFileTypes: true });
    return all
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.path.length + 1))
      .sort();
  }

  async segmentBytes(name: string): Promise<Buffer> {
    return readFile(join(this.path, 'segments', name));
  }

  /** Flips one bit of a stored body; `at` may be negative: inside the header of a packed one. */
  async damage({ sha256, at: hint }: BodyRef, at: number): Promise<void> {
    const [segment, offset] = hint!.split(':').map(Number);
    const packed = Number.isInteger(segment);
    const name = packed
      ? join('segments', `${String(segment).padStart(12, '0')}.seg`)
      : (await this.files('large')).find((file) => file.includes(`${sha256}-${offset}`))!;
    const file = await open(join(this.path, name), 'r+');
    const position = packed ? offset! + 64 + at : at;
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, position);
    byte[0]! ^= 1;
    await file.write(byte, 0, 1, position);
    await file.close();
  }
}
