import { groupMembers, groups } from '@kiroku/domain/directory/views.js';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tableOf } from './table-of.js';

/** Groups of accounts, for access lists. No history from before holds a group, so the views need no building. */
export class AccountGroups0015 implements MigrationInterface {
  readonly name = 'AccountGroups1795305600015';
  async up(db: QueryRunner): Promise<void> {
    for (const view of [groups, groupMembers]) await db.query(tableOf(view));
    await db.query(`
      CREATE INDEX ON view.group_1 (name);
      CREATE INDEX ON view.group_1 (domain);
      CREATE INDEX ON view.group_member_1 (group_id);
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
