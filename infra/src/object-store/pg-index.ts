import type { Pool, PoolClient } from 'pg';
import type { BodyEntry, BodyIndex, Move, Share } from './body-index.js';

/**
 * For a migration. No index on `segment`: every body would pay for it, and only compaction asks, by one pass over the table.
 * `object_index` has one row: a new database is a new identity, so segments marked as indexed in a lost one are read again.
 */
export const OBJECT_BODY_SQL = `
CREATE TABLE object_body (
  sha256 bytea PRIMARY KEY,
  segment bigint NOT NULL,
  "offset" bigint NOT NULL,
  size bigint NOT NULL,
  stored_at bigint NOT NULL
);
CREATE TABLE object_index (identity uuid NOT NULL);
INSERT INTO object_index VALUES (gen_random_uuid());
`;

/** Any number that no other advisory lock of the database uses: 'obj' in ASCII. */
const LOCK = 0x6f626a;

interface BodyRow {
  readonly sha256: string;
  readonly segment: string;
  readonly offset: string;
  readonly size: string;
  readonly stored_at: string;
}

const entryOf = ({ sha256, segment, offset, size, stored_at }: BodyRow): BodyEntry => ({
  sha256, segment: Number(segment), offset: Number(offset), size: Number(size), storedAt: Number(stored_at),
});

/** The first place wins, the last time. */
function onePerBody(entries: readonly BodyEntry[]): readonly BodyEntry[] {
  const rows = new Map<string, BodyEntry>();
  for (const entry of entries) {
    const first = rows.get(entry.sha256);
    rows.set(entry.sha256, first ? { ...first, storedAt: Math.max(first.storedAt, entry.storedAt) } : entry);
  }
  return [...rows.values()];
}

const bytea = (sha256: string): string => `\\x${sha256}`;

/**
 * The index in PostgreSQL. The pool needs two connections or more (one holds the lock during maintenance) and
 * `synchronous_commit` on, its default: what `put` acknowledged, compaction relies on.
 */
export class PgBodyIndex implements BodyIndex {
  #identity: string | undefined;

  constructor(private readonly pool: Pool) {}

  async identity(): Promise<string> {
    return (this.#identity ??= await this.#readIdentity());
  }

  async #readIdentity(): Promise<string> {
    const { rows } = await this.pool.query<{ identity: string }>('SELECT identity::text FROM object_index');
    if (!rows[0]) throw new Error('object_index is empty: run the migrations');
    return rows[0].identity;
  }

  async put(entries: readonly BodyEntry[]): Promise<readonly BodyEntry[]> {
    if (entries.length === 0) return [];
    // In the order of the key, so that two writers never wait for each other crosswise; one row per key, as the statement wants it.
    const sorted = onePerBody(entries).toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    const { rows } = await this.pool.query<BodyRow>({
      name: 'object_body_put',
      text: `WITH given AS (SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS t(sha256, segment, "offset", size, stored_at)),
                  kept AS (INSERT INTO object_body (sha256, segment, "offset", size, stored_at) SELECT * FROM given
                           ON CONFLICT (sha256) DO UPDATE SET stored_at = greatest(object_body.stored_at, excluded.stored_at) RETURNING *)
             SELECT encode(k.sha256, 'hex') AS sha256, k.segment, k."offset", k.size, k.stored_at
             FROM kept k JOIN given g USING (sha256) WHERE (k.segment, k."offset") <> (g.segment, g."offset")`,
      values: [
        sorted.map((e) => bytea(e.sha256)),
        sorted.map((e) => e.segment),
        sorted.map((e) => e.offset),
        sorted.map((e) => e.size),
        sorted.map((e) => e.storedAt),
      ],
    });
    return rows.map(entryOf);
  }

  async find(sha256: readonly string[]): Promise<ReadonlyMap<string, BodyEntry>> {
    if (sha256.length === 0) return new Map();
    const { rows } = await this.pool.query<BodyRow>({
      name: 'object_body_find',
      text: `SELECT encode(sha256, 'hex') AS sha256, segment, "offset", size, stored_at
             FROM object_body WHERE sha256 = ANY($1::bytea[])`,
      values: [sha256.map(bytea)],
    });
    return new Map(rows.map((row) => [row.sha256, entryOf(row)]));
  }

  async remove(sha256: readonly string[], storedBefore = Number.MAX_SAFE_INTEGER): Promise<void> {
    if (sha256.length === 0) return;
    // Locks in the order of the key, as `put` and `move` do.
    await this.pool.query(
      `WITH doomed AS (SELECT sha256 FROM object_body WHERE sha256 = ANY($1::bytea[]) AND stored_at < $2 ORDER BY sha256 FOR UPDATE)
       DELETE FROM object_body USING doomed WHERE object_body.sha256 = doomed.sha256`,
      [sha256.map(bytea), storedBefore],
    );
  }

  async move(moves: readonly Move[]): Promise<void> {
    if (moves.length === 0) return;
    await this.pool.query(
      `WITH step AS (SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                       AS t(sha256, from_segment, from_offset, to_segment, to_offset)),
            locked AS (SELECT b.sha256 FROM object_body b JOIN step USING (sha256) ORDER BY b.sha256 FOR UPDATE OF b)
       UPDATE object_body b SET segment = to_segment, "offset" = to_offset
       FROM step JOIN locked USING (sha256)
       WHERE b.sha256 = step.sha256 AND b.segment = from_segment AND b."offset" = from_offset`,
      [
        moves.map((m) => bytea(m.sha256)),
        moves.map((m) => m.from.segment),
        moves.map((m) => m.from.offset),
        moves.map((m) => m.to.segment),
        moves.map((m) => m.to.offset),
      ],
    );
  }

  async live(segments?: readonly number[]): Promise<ReadonlyMap<number, Share>> {
    // A join, because it hashes: ANY would go through the list for each row.
    const asked = segments ? 'JOIN (SELECT DISTINCT unnest($1::bigint[]) AS segment) asked USING (segment)' : '';
    const { rows } = await this.pool.query<{ segment: string; bodies: string; bytes: string }>(
      `SELECT segment, count(*) AS bodies, sum(size) AS bytes FROM object_body ${asked} GROUP BY segment`,
      segments ? [segments] : [],
    );
    return new Map(rows.map((r) => [Number(r.segment), { bodies: Number(r.bodies), bytes: Number(r.bytes) }]));
  }

  async clear(): Promise<void> {
    await this.pool.query('TRUNCATE object_body');
  }

  async exclusively<T>(task: (held: () => Promise<void>) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    // A connection that breaks while idle has no query to tell; `held` finds out.
    const broken = () => undefined;
    client.on('error', broken);
    try {
      await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
      return await task(async () => void (await client.query('SELECT 1')));
    } finally {
      await this.#unlock(client).finally(() => client.off('error', broken));
    }
  }

  async #unlock(client: PoolClient): Promise<void> {
    try {
      await client.query('SELECT pg_advisory_unlock($1)', [LOCK]);
      client.release();
    } catch {
      client.release(true); // closing the connection gives the lock back as well
    }
  }
}
