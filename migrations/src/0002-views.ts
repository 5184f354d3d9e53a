import { accounts, aliases, domains } from '@kiroku/domain/directory/views.js';
import { mailboxes, mailboxMessages } from '@kiroku/domain/mailbox/views.js';
import { administrators } from '@kiroku/domain/policy/administrator-view.js';
import { lockouts, settingsView } from '@kiroku/domain/policy/views.js';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tableOf } from './table-of.js';

/** The views of 0.1. A view's shape never changes under its name, so its columns may be taken from the projection. */
export class Views0002 implements MigrationInterface {
  readonly name = 'Views1763769600002';
  async up(db: QueryRunner): Promise<void> {
    for (const view of [domains, accounts, aliases, mailboxes, mailboxMessages, settingsView, lockouts, administrators]) await db.query(tableOf(view));
    // Replaced in 0004; the program has no projections of that shape any more.
    await db.query(`
      CREATE TABLE view.story_1 (subject text, event_id uuid, at bigint, event text, PRIMARY KEY (subject, event_id));
      CREATE TABLE view.message_1 (
        message_id text PRIMARY KEY, header_message_id text, session text, sender text, recipients text, size bigint, sha256 bytea,
        accepted_at bigint, refused_at bigint, refused_by text, delivered integer, remote integer, bounced integer
      );
      CREATE INDEX ON view.message_1 (header_message_id) WHERE header_message_id IS NOT NULL;
      CREATE UNIQUE INDEX ON view.account_1 (address);
      CREATE INDEX ON view.account_1 (domain, address);
      CREATE INDEX ON view.account_1 (id) WHERE reversible;
      CREATE INDEX ON view.alias_1 (domain) WHERE wildcard;
      CREATE INDEX ON view.mailbox_1 (account_id);
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
