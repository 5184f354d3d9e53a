import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const SQLITE_BUSY = 5;

/** Another process, or another part of this one, holds the lock. */
export class Locked extends Error {
  constructor(readonly file: string) {
    super(`${file} is locked by a running process`);
  }
}

/**
 * A lock that the kernel frees when its holder dies, however it dies: nothing to clean up, no pid to mistrust.
 * Node has no flock; an exclusive transaction of SQLite is a lock by fcntl on the same file. The file stays, and stays empty.
 * @throws Locked when it is held; any other error means that the file cannot be made.
 */
export class LockFile {
  private constructor(private readonly database: DatabaseSync) {}

  static take(file: string): LockFile {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file);
      database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
      chmodSync(file, 0o600);
      return new LockFile(database);
    } catch (error) {
      database?.close();
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY) throw new Locked(file);
      throw new Error(`${file} cannot be locked: does the folder belong to another user?`, { cause: error });
    }
  }

  release(): void {
    if (this.database.isOpen) this.database.close();
  }
}
