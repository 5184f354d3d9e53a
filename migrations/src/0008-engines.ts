import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which engine holds this installation's events, decisions and bodies, and the fingerprint of its server key: so that no machine starts with others. */
export class Engines0008 implements MigrationInterface {
  readonly name = 'Engines1795305600008';
  async up(db: QueryRunner): Promise<void> {
    await db.query('CREATE TABLE ops.engine (port text PRIMARY KEY, engine text NOT NULL, place text NOT NULL, since bigint NOT NULL)');
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
