import { lchownSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The user under whom PostgreSQL runs. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` by convention, where the system does not say. */
const NOBODY: Identity = { uid: 65534, gid: 65534 };

/** A user of /etc/passwd. initdb wants its user to be there. */
export function named(name: string): Identity | undefined {
  let users = '';
  try {
    users = readFileSync('/etc/passwd', 'utf8');
  } catch {
    return undefined; // a container without users
  }
  const [, , uid, gid] = users.split('\n').find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
}

/**
 * PostgreSQL refuses to run as root: then it is the owner of the data folder, else `postgres`, else `nobody`.
 * @returns undefined when we are not root: PostgreSQL runs as we do.
 */
export function serverIdentity(folder: string): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(folder, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  return named('postgres') ?? named('nobody') ?? NOBODY;
}

/** Gives a folder and all in it to that user. Follows no links. */
export function give(path: string, { uid, gid }: Identity): void {
  lchownSync(path, uid, gid);
  if (!statSync(path).isDirectory()) return;
  for (const name of readdirSync(path, { recursive: true }) as string[]) lchownSync(join(path, name), uid, gid);
}
