import { credentialsView } from '@kiroku/domain/routing/views.js';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tableOf } from './table-of.js';

/** Gateway credentials whose access tokens are fetched. The view is built anew at the next start, before any role runs. */
export class AccessTokens0012 implements MigrationInterface {
  readonly name = 'AccessTokens1795305600012';
  async up(db: QueryRunner): Promise<void> {
    await db.query(tableOf(credentialsView));
    await db.query(`
      DROP TABLE view.credentials_1;
      INSERT INTO ops.unbuilt_view VALUES ('${credentialsView.name}');
      -- Which process exchanges the refresh token of these credentials at the moment: one at a time.
      CREATE TABLE ops.token_renewal (name text PRIMARY KEY, owner uuid NOT NULL, until timestamptz NOT NULL);
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
