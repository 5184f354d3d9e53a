import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';

/**
 * The file's content; made on first use. When several processes start at once all get the content of the one that was first,
 * and a crash leaves the whole file or none.
 *
 * @param mode of a new file: 0o600 for secrets.
 * @param make the content of a new file; called only when there is none, perhaps in vain.
 */
export async function readOrCreate(path: string, mode: number, make: () => Promise<string> | string): Promise<string> {
  const old = await readIfThere(path);
  if (old !== undefined) return old;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}.new`;
  try {
    const file = await open(draft, 'wx', mode);
    try {
      await file.writeFile(await make());
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike rename, link never replaces what another process has put there meanwhile.
    await link(draft, path).catch(unless('EEXIST'));
  } finally {
    await unlink(draft).catch(unless('ENOENT'));
  }
  await syncFolder(dirname(path));
  return readFile(path, 'utf8');
}

export const readIfThere = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(unless('ENOENT'));

const unless = (code: string) => (error: NodeJS.ErrnoException) => {
  if (error.code !== code) throw error;
  return undefined;
};

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
