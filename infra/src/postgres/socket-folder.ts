import { createHash } from 'node:crypto';
import { chownSync, lstatSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Identity } from './identity.js';

/**
 * A folder for the socket, the same one for the same data folder so that clients find the server again after it was restarted.
 * It lies in /tmp because the name of a Unix socket has 107 bytes at most (unix(7)) and a data folder's path may be longer.
 * Only the server's user can enter it. Others can take the name before us, so the folder is used only if it is ours; else the next name.
 * What an earlier server left in it is removed: call this only while no server runs.
 */
export function openSocketFolder(dataFolder: string, identity: Identity | undefined): string {
  const path = join(realpathSync(dirname(dataFolder)), basename(dataFolder));
  const name = `/tmp/kiroku-${createHash('sha256').update(path).digest('hex').slice(0, 12)}`;
  const [self, owner] = [process.getuid?.(), identity?.uid ?? process.getuid?.()];
  for (let n = 0; n < 100; n++) {
    const folder = n ? `${name}-${n}` : name;
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const found = lstatSync(folder);
    if (!found.isDirectory() || (found.uid !== owner && found.uid !== self) || found.mode & 0o077) continue;
    if (identity) chownSync(folder, identity.uid, identity.gid);
    for (const file of ['.s.PGSQL.5432', '.s.PGSQL.5432.lock', 'password']) rmSync(join(folder, file), { force: true });
    return folder;
  }
  throw new Error(`other users occupy ${name} and all names after it`);
}
