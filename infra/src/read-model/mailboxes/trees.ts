import type { Fact, Origin } from '@kiroku/domain/kernel/event.js';
import { type Append, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { below, type FolderEvent, foldersStream, type FolderState, type Tree } from '@kiroku/domain/mailbox/folders.js';
import { superiors } from '@kiroku/domain/mailbox/folder-name.js';
import { MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import type pg from 'pg';

const ATTEMPTS = 50;

/** What a decision about a tree comes to: events of the tree, and appends to other streams. */
export interface TreeDecision<Result> {
  readonly events: readonly FolderEvent[];
  readonly others?: readonly { readonly stream: string; readonly expected: number; readonly facts: readonly Fact[] }[];
  readonly result: Result;
}

/**
 * Decides against an account's tree of folders and appends; again from the top when someone else was faster. The stream is read before the
 * views: what they say is then at least as new, and if it is newer the append is refused.
 * @throws MailboxRefusal `nonexistent` when the account is gone.
 */
export async function decideTree<Result>(
  engine: Engine,
  accountId: string,
  decide: (last: { readonly uidValidity: number }) => Promise<TreeDecision<Result>>,
  origin: Origin,
): Promise<Result> {
  const stream = foldersStream(accountId);
  for (let attempt = 1; ; attempt++) {
    const last = (await engine.store.readLast([stream])).get(stream);
    if (last?.event.type === 'FoldersDropped') throw new MailboxRefusal('nonexistent', accountId);
    const { uidValidity } = (last?.event.data ?? { uidValidity: 0 }) as { uidValidity: number };
    const { events, others = [], result } = await decide({ uidValidity });
    const appends: Append[] = others.map((o) => ({ stream: o.stream, expected: o.expected, events: record(o.facts, engine, origin, {}) }));
    if (events.length > 0) appends.push({ stream, expected: last?.version ?? 0, events: record(events, engine, origin, {}) });
    if (appends.length === 0) return result;
    try {
      await engine.store.append(appends);
      return result;
    } catch (error) {
      if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
    }
  }
}

/** What deciding about these names needs: the mailboxes among them and their superiors, and which of them have inferiors. */
export async function readTree(pool: pg.Pool, accountId: string, names: readonly string[], uidValidity: number): Promise<Tree> {
  const asked = [...new Set(names.flatMap((name) => [...superiors(name), name]))];
  const ranges = asked.map(below);
  const { rows } = await pool.query<{ count: number; folders: { id: string; path: string }[] | null; parents: string[] | null; there: boolean }>({
    name: 'folder-tree',
    text: `SELECT (SELECT count(*) FROM view.folder_1 WHERE account_id = $1) AS count, EXISTS (SELECT FROM view.account_1 WHERE id = $1) AS there,
             (SELECT json_agg(json_build_object('id', f.id, 'path', f.path)) FROM unnest($2::text[]) AS n(name) JOIN view.folder_1 f ON f.account_id = $1 AND f.path = n.name COLLATE "C") AS folders,
             (SELECT json_agg(n.name) FROM unnest($2::text[], $3::text[], $4::text[]) AS n(name, lower, upper) WHERE EXISTS (
               SELECT FROM view.folder_1 f WHERE f.account_id = $1 AND f.path > n.lower COLLATE "C" AND f.path < n.upper COLLATE "C")) AS parents`,
    values: [accountId, asked, ranges.map(([lower]) => lower), ranges.map(([, upper]) => upper)],
  });
  const row = rows[0];
  if (!row?.there) throw new MailboxRefusal('nonexistent', accountId);
  const folders = new Map((row.folders ?? []).map(({ id, path }): readonly [string, FolderState] => [path, { folderId: id, path }]));
  return { accountId, uidValidity, count: row.count, folders, parents: new Set(row.parents ?? []) };
}

/** A mailbox and all below it, by name. */
export async function readBranch(pool: pg.Pool, accountId: string, path: string): Promise<readonly FolderState[]> {
  const { rows } = await pool.query<FolderState>({
    name: 'folder-branch',
    text: `SELECT id AS "folderId", path FROM view.folder_1 WHERE account_id = $1 AND (path = $2 COLLATE "C" OR (path > $3 COLLATE "C" AND path < $4 COLLATE "C")) ORDER BY path COLLATE "C"`,
    values: [accountId, path, ...below(path)],
  });
  return rows;
}
