import { constants, ftruncateSync } from 'node:fs';
import { mkdir, open, readdir, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { closeFd, codeOf, openFd, SYNC_WRITES, unlinkIfThere } from './files-io.js';

/**
 * The folder of segments. A segment `N.seg` is written by one process, which holds `N.open` meanwhile; `N.indexed.<identity>`
 * says that the index of that identity knows all its records. With neither, it is sealed and must be read once. `N.gone` keeps
 * the highest number from being given out again.
 */
const NAME = /^(\d{12})\.(?:(seg)|(open|gone)|indexed\.([0-9a-f-]+))$/;

export interface SegmentFile {
  readonly id: number;
  readonly open: boolean;
  readonly indexed: boolean;
}

export interface NewSegment {
  readonly id: number;
  readonly fd: number;
}

export interface Mark {
  readonly token: string;
  /** Epoch ms. */
  readonly touchedAt: number;
}

export class Segments {
  constructor(readonly folder: string) {}

  #path(id: number, what: string): string {
    return join(this.folder, `${String(id).padStart(12, '0')}.${what}`);
  }

  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
  }

  async #names(): Promise<readonly { id: number; what: string; identity: string | undefined }[]> {
    const names = await readdir(this.folder);
    return names.flatMap((name) => {
      const [, id, seg, mark, identity] = NAME.exec(name) ?? [];
      return id === undefined ? [] : [{ id: Number(id), what: seg ?? mark ?? 'indexed', identity }];
    });
  }

  /** By rising number. */
  async list(identity: string): Promise<readonly SegmentFile[]> {
    const names = await this.#names();
    const open = new Set(names.filter((n) => n.what === 'open').map((n) => n.id));
    const indexed = new Set(names.filter((n) => n.identity === identity).map((n) => n.id));
    return names
      .filter((n) => n.what === 'seg')
      .map(({ id }) => ({ id, open: open.has(id), indexed: indexed.has(id) }))
      .sort((a, b) => a.id - b.id);
  }

  /** A new, empty, durable segment with the next free number. */
  async create(owner: string, now: number): Promise<NewSegment> {
    const id = await this.#claim(owner, now);
    try {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | SYNC_WRITES;
      const fd = await openFd(this.#path(id, 'seg'), flags);
      await this.#sync();
      return { id, fd };
    } catch (error) {
      await this.discard(id).catch(() => undefined); // the same full disk; `compact` removes what stays
      throw error;
    }
  }

  async #claim(owner: string, now: number): Promise<number> {
    for (;;) {
      const id = (await this.#names()).reduce((highest, n) => Math.max(highest, n.id), 0) + 1;
      const mark = this.#path(id, 'open');
      try {
        await writeFile(mark, owner, { flag: 'wx', mode: 0o600 });
        await this.touch(id, now);
        return id;
      } catch (error) {
        if (codeOf(error) === 'EEXIST') continue; // somebody was faster
        await unlinkIfThere(mark);
        throw error;
      }
    }
  }

  async #sync(): Promise<void> {
    const folder = await open(this.folder);
    await folder.sync().finally(() => folder.close());
  }

  /** @returns nothing when nobody holds it. */
  async owner(id: number): Promise<Mark | undefined> {
    const path = this.#path(id, 'open');
    try {
      const [token, { mtimeMs }] = await Promise.all([readFile(path, 'latin1'), stat(path)]);
      return { token, touchedAt: mtimeMs };
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async touch(id: number, now: number): Promise<void> {
    await utimes(this.#path(id, 'open'), now / 1000, now / 1000);
  }

  async release(id: number): Promise<void> {
    await unlinkIfThere(this.#path(id, 'open'));
  }

  async markIndexed(id: number, identity: string): Promise<void> {
    await writeFile(this.#path(id, `indexed.${identity}`), '', { mode: 0o600 });
  }

  async unmarkAll(only?: number): Promise<void> {
    for (const { id, what, identity } of await this.#names()) {
      if (what === 'indexed' && (only === undefined || id === only)) await unlinkIfThere(this.#path(id, `indexed.${identity}`));
    }
  }

  /** For reading. Rejects with ENOENT when it was compacted away. */
  open(id: number): Promise<number> {
    return openFd(this.#path(id, 'seg'), constants.O_RDONLY);
  }

  async exists(id: number): Promise<boolean> {
    return (await this.#bytes(id)) !== undefined;
  }

  /** 0 when there is none. */
  async bytes(id: number): Promise<number> {
    return (await this.#bytes(id)) ?? 0;
  }

  async #bytes(id: number): Promise<number | undefined> {
    return stat(this.#path(id, 'seg')).then(
      (s) => s.size,
      (error: unknown) => {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      },
    );
  }

  async totalBytes(): Promise<number> {
    const ids = (await this.#names()).filter((n) => n.what === 'seg').map((n) => n.id);
    const sizes = await Promise.all(ids.map((id) => this.bytes(id)));
    return sizes.reduce((a, b) => a + b, 0);
  }

  /** Removes a segment that rows or hints may name: its number stays taken. */
  async remove(id: number): Promise<void> {
    await writeFile(this.#path(id, 'gone'), '', { mode: 0o600 });
    const names = await this.#names();
    for (const { id: lower, what } of names) if (what === 'gone' && lower < id) await unlinkIfThere(this.#path(lower, 'gone'));
    await this.discard(id);
  }

  /**
   * Removes a segment with its marks. Emptied first: a reader that still has it open would keep the space, and finds
   * at once that its hint is stale. The mark of the owner goes last, because it keeps the number taken.
   */
  async discard(id: number): Promise<void> {
    await this.unmarkAll(id);
    const path = this.#path(id, 'seg');
    try {
      const fd = await openFd(path, constants.O_RDWR);
      try {
        ftruncateSync(fd, 0);
      } finally {
        await closeFd(fd);
      }
      await unlink(path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    await this.release(id);
  }

  /** Marks `open` whose segment never came to be. */
  async strayMarks(): Promise<readonly number[]> {
    const names = await this.#names();
    const segments = new Set(names.filter((n) => n.what === 'seg').map((n) => n.id));
    return names.filter((n) => n.what === 'open' && !segments.has(n.id)).map((n) => n.id);
  }
}
