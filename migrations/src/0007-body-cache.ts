import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What was found out by reading bodies, by their content: worth nothing but time, so any row may be deleted and none is in a backup that
 * must be small. What the columns hold is said in the domain (`imap/search/index-row.ts`, `mime/structure.ts`).
 */
export class BodyCache0007 implements MigrationInterface {
  readonly name = 'BodyCache1795305600007';
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE SCHEMA cache;
      CREATE TABLE cache.body_1 (sha256 bytea PRIMARY KEY, structure text NOT NULL);
      -- Apart from the structure: FETCH does not read signatures, nor SEARCH structures.
      CREATE TABLE cache.search_1 (
        sha256 bytea PRIMARY KEY, header_grams bytea NOT NULL, text_grams bytea, sent_at bigint, sent_day integer,
        subject text, from_text text, to_text text, cc_text text, bcc_text text, keys text NOT NULL, thread text NOT NULL
      );
      -- Signatures are as good as random: compressing them would cost time and win nothing.
      ALTER TABLE cache.search_1 ALTER header_grams SET STORAGE EXTERNAL, ALTER text_grams SET STORAGE EXTERNAL;
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
