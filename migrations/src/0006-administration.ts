import { quarantineView } from '@kiroku/domain/delivery/quarantine-view.js';
import { adminActions } from '@kiroku/domain/story/admin-actions.js';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tableOf } from './table-of.js';

/**
 * Messages set aside, what administrators did, and what wants their attention. No history from before holds a message set aside, so
 * that view needs no building; the list of actions is built at the next start.
 */
export class Administration0006 implements MigrationInterface {
  readonly name = 'Administration1795305600006';
  async up(db: QueryRunner): Promise<void> {
    for (const view of [quarantineView, adminActions]) await db.query(tableOf(view));
    await db.query(`
      CREATE INDEX ON view.quarantine_1 (sha256);
      CREATE INDEX ON view.admin_action_1 (actor, id);
      CREATE INDEX ON view.admin_action_1 (subject, id);
      INSERT INTO ops.unbuilt_view VALUES ('${adminActions.name}');
      ALTER TABLE ops.process ADD COLUMN warnings text NOT NULL DEFAULT '[]';
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
