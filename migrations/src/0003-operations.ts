import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where bodies lie (rebuilt from the segments at will), and what the running role processes say of themselves (worth nothing after a crash, so not logged). */
export class Operations0003 implements MigrationInterface {
  readonly name = 'Operations1763769600003';
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE object_body (sha256 bytea PRIMARY KEY, segment bigint NOT NULL, "offset" bigint NOT NULL, size bigint NOT NULL, stored_at bigint NOT NULL);
      -- One row: a new database is a new identity, so segments marked as indexed in a lost one are read again.
      CREATE TABLE object_index (identity uuid NOT NULL);
      INSERT INTO object_index VALUES (gen_random_uuid());
      CREATE SCHEMA ops;
      CREATE UNLOGGED TABLE ops.process (
        id uuid PRIMARY KEY, role text NOT NULL, host text NOT NULL, pid integer NOT NULL, started_at bigint NOT NULL,
        seen_at bigint NOT NULL, trouble text, metrics text NOT NULL
      );
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
