import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What was found out by reading bodies is not worth being written twice, nor being waited for: without a write-ahead log a crash of the
 * database empties it, and it fills itself again. Emptied here, because PostgreSQL would copy all of it.
 */
export class UnloggedCache0014 implements MigrationInterface {
  readonly name = 'UnloggedCache1795305600014';
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      TRUNCATE cache.body_1, cache.search_1;
      ALTER TABLE cache.body_1 SET UNLOGGED;
      ALTER TABLE cache.search_1 SET UNLOGGED;
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
