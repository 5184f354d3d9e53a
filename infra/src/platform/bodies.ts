import { join } from 'node:path';
import { type FileObjectStore, openFileObjectStore } from '../object-store/files.js';
import { PgBodyIndex } from '../object-store/pg-index.js';
import type { Platform } from './platform.js';

/** The object store of this version: files under `<data>/objects`, their index in PostgreSQL. */
export function openBodies({ pool, engine, trouble }: Platform, data: string, writer: boolean): Promise<FileObjectStore> {
  return openFileObjectStore({ folder: join(data, 'objects'), index: new PgBodyIndex(pool), writer, trouble, clock: engine.clock });
}
