import { ldapDirectories, relayDomains } from '@kiroku/domain/routing/views.js';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tableOf } from './table-of.js';

/**
 * LDAP directories, and relay domains that ask them. No history from before holds a directory, so that view needs no building; relay
 * domains are built in their new shape at the next start.
 */
export class Ldap0013 implements MigrationInterface {
  readonly name = 'Ldap1795305600013';
  async up(db: QueryRunner): Promise<void> {
    for (const view of [ldapDirectories, relayDomains]) await db.query(tableOf(view));
    await db.query(`
      DROP TABLE view.relay_domain_1;
      INSERT INTO ops.unbuilt_view VALUES ('${relayDomains.name}');
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
