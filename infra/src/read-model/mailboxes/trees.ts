import type { Fact, Origin } from '@kiroku/domain/kernel/event.js';
import { type Append, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { type Administered, below, type FolderEvent, foldersStream, type FolderState, type Tree } from '@kiroku/domain/mailbox/folders.js';
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
 * Decides against an account's tree of folders and appends; again from the top when another process was faster. The stream is read before the
 * views: what they say is then at least as new, and if it is newer the append is refused.
 * @param remark goes into every event of the tree.
 * @throws MailboxRefusal `nonexistent` when the account is gone.
 */
export function decideTree<Result>(engine: Engine, accountId: string, decide: Decide<Result>, origin: Origin, remark: Administered = {}): Promise<Result> {
  return inTurn(engine, accountId, () => attempts(engine, accountId, decide, origin, remark));
}

type Decide<Result> = (last: { readonly uidValidity: number }) => Promise<TreeDecision<Result>>;

const turns = new WeakMap<object, Map<string, Promise<void>>>();

/** A program that makes many mailboxes at once would else have each of its commands lose against all others. */
function inTurn<Result>(engine: Engine, accountId: string, work: () => Promise<Result>): Promise<Result> {
  const mine = turns.get(engine.store) ?? new Map<string, Promise<void>>();
  turns.set(engine.store, mine);
  const result = (mine.get(accountId) ?? Promise.resolve()).then(work);
  const done = result.then(() => undefined, () => undefined).then(() => {
    if (mine.get(accountId) === done) mine.delete(accountId);
  });
  mine.set(accountId, done);
  return result;
}

async function attempts<Result>(
  engine: Engine,
  accountId: string,
  decide: Decide<Result>,
  origin: Origin,
  remark: Administered,
): Promise<Result> {
  const stream = foldersStream(accountId);
  for (let attempt = 1; ; attempt++) {
    const last = (await engine.store.readLast([stream])).get(stream);
    if (last?.event.type === 'FoldersDropped') throw new MailboxRefusal('nonexistent', accountId);
    const { uidValidity } = (last?.event.data ?? { uidValidity: 0 }) as { uidValidity: number };
    const { events, others = [], result } = await decide({ uidValidity });
    const appends: Append[] = others.map((o) => ({ stream: o.stream, expected: o.expected, events: record(o.facts, engine, origin, {}) }));
    if (events.length > 0) appends.push({ stream, expected: last?.version ?? 0, events: record(events.map(({ type, data }) => ({ type, data: { ...data, ...remark } })), engine, origin, {}) });
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
  // ORDER BY and LIMIT make the planner look up each name by the index: a rename may ask for ten thousand.
  const asked = [...new Set(names.flatMap((name) => [...superiors(name), name]))];
  const ranges = asked.map(below);
  const { rows } = await pool.query<{ count: number; folders: { id: string; path: string }[] | null; parents: string[] | null; there: boolean }>({
    name: 'folder-tree',
    text: `SELECT (SELECT count(*) FROM view.folder_1 WHERE account_id = $1) AS count, EXISTS (SELECT FROM view.account_1 WHERE id = $1) AS there,
             (SELECT json_agg(json_build_object('id', f.id, 'path', f.path)) FROM unnest($2::text[]) AS n(name) CROSS JOIN LATERAL (
               SELECT f.id, f.path FROM view.folder_1 f WHERE f.account_id = $1 AND f.path = n.name COLLATE "C" ORDER BY f.path COLLATE "C" LIMIT 1) f) AS folders,
             (SELECT json_agg(n.name) FROM unnest($2::text[], $3::text[], $4::text[]) AS n(name, lower, upper) CROSS JOIN LATERAL (
               SELECT FROM view.folder_1 f WHERE f.account_id = $1 AND f.path > n.lower COLLATE "C" AND f.path < n.upper COLLATE "C" ORDER BY f.path COLLATE "C" LIMIT 1) f) AS parents`,
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
