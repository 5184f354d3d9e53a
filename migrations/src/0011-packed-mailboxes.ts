import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The columns of large mailboxes' messages as one value each (`domain/mailbox/packed.ts`), as they were at a MODSEQ: a mailbox that nobody had
 * open is then read in one row, and what has happened since. Any row may be deleted; none is worth a place in the log of changes.
 */
export class PackedMailboxes0011 implements MigrationInterface {
  readonly name = 'PackedMailboxes1795305600011';
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      -- \`made_of\`: the tables of the views that it was read from; a view that was built anew is another table.
      CREATE UNLOGGED TABLE cache.mailbox_1 (
        mailbox_id uuid PRIMARY KEY, mod_seq bigint NOT NULL, uid_next bigint NOT NULL, made_of text NOT NULL, columns bytea NOT NULL
      );
      ALTER TABLE cache.mailbox_1 ALTER columns SET STORAGE EXTERNAL;
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
