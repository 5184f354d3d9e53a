import { MailboxRefusal } from './store-port.js';

export const SEPARATOR = '/';
export const SHARED = '#Shared';
/** UTF-8 bytes per level and in all, and levels. */
const LONGEST_LEVEL = 255;
const LONGEST = 1_000;
const DEEPEST = 50;

const bytes = (text: string): number => new TextEncoder().encode(text).length;

/**
 * A name in an account's own tree as it is kept: NFC, `INBOX` in capitals.
 * @throws MailboxRefusal `bad-name` for empty levels, controls, wildcards of LIST, namespaces, and what is too long or too deep.
 */
export function folderPath(name: string): string {
  const refuse = (): never => {
    throw new MailboxRefusal('bad-name', name.slice(0, LONGEST));
  };
  if (name.length > LONGEST || !name.isWellFormed()) return refuse();
  const levels = name.normalize('NFC').split(SEPARATOR);
  if (levels[0]?.toUpperCase() === 'INBOX') levels[0] = 'INBOX';
  if (levels.length > DEEPEST || levels[0]?.startsWith('#')) return refuse();
  for (const level of levels) if (level === '' || level === '.' || level === '..' || bytes(level) > LONGEST_LEVEL || /[\p{Cc}\p{Zl}\p{Zp}*%]/u.test(level)) return refuse();
  const path = levels.join(SEPARATOR);
  return bytes(path) > LONGEST ? refuse() : path;
}

/** A name as an account uses it: its own path, or another owner's. `owner` is an address as it was written. */
export type FolderName = { readonly owner: undefined; readonly path: string } | { readonly owner: string; readonly path: string };

/** @throws MailboxRefusal `bad-name`, also for `#Shared` and `#Shared/owner` themselves: they are no mailboxes. */
export function parseName(name: string): FolderName {
  if (!name.startsWith(`${SHARED}${SEPARATOR}`)) return { owner: undefined, path: folderPath(name) };
  const rest = name.slice(SHARED.length + 1);
  const at = rest.indexOf(SEPARATOR);
  if (at < 1) throw new MailboxRefusal('bad-name', name.slice(0, LONGEST));
  return { owner: rest.slice(0, at), path: folderPath(rest.slice(at + 1)) };
}

export const sharedName = (owner: string, path: string): string => `${SHARED}${SEPARATOR}${owner}${SEPARATOR}${path}`;

/** Names above it, the highest first: `a/b/c` → `a`, `a/b`. */
export function superiors(path: string): readonly string[] {
  const levels = path.split(SEPARATOR);
  return levels.slice(1).map((_, i) => levels.slice(0, i + 1).join(SEPARATOR));
}

export const isInferior = (path: string, of: string): boolean => path.startsWith(`${of}${SEPARATOR}`);
