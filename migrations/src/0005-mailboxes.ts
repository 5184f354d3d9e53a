import { folderAccess, folderMetadata, folders, subscriptions } from '@kiroku/domain/mailbox/folder-views.js';
import { mailboxStates } from '@kiroku/domain/mailbox/state-view.js';
import { mailboxKeywords, mailboxVanished } from '@kiroku/domain/mailbox/views.js';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tableOf } from './table-of.js';

/** Flags, expunged UIDs, and the trees of mailboxes. Views are built at the next start from the history before it. */
export class Mailboxes0005 implements MigrationInterface {
  readonly name = 'Mailboxes1795305600005';
  async up(db: QueryRunner): Promise<void> {
    const views = [mailboxStates, mailboxVanished, mailboxKeywords, folders, folderAccess, subscriptions, folderMetadata];
    for (const view of views) await db.query(tableOf(view));
    await db.query('INSERT INTO ops.unbuilt_view SELECT unnest($1::text[])', [views.map((view) => view.name)]);
    await db.query(`
      CREATE INDEX ON view.mailbox_state_1 (mailbox_id, mod_seq);
      -- In byte order, so that what lies below a name is a range.
      CREATE INDEX ON view.folder_1 (account_id, path COLLATE "C");
      CREATE INDEX ON view.folder_1 (id);
      CREATE INDEX ON view.folder_access_1 (identifier);

      -- The first UID that entered after a MODSEQ, NULL when none has. MODSEQs of entries rise with their UIDs, so this looks at what
      -- is new and one more; an index by MODSEQ would cost every delivery.
      CREATE FUNCTION view.first_uid_after(mailbox uuid, since bigint) RETURNS bigint STABLE LANGUAGE plpgsql AS $$
      DECLARE
        entry record;
        first bigint;
      BEGIN
        FOR entry IN SELECT m.uid, m.mod_seq FROM view.mailbox_message_1 m WHERE m.mailbox_id = mailbox ORDER BY m.uid DESC LOOP
          EXIT WHEN entry.mod_seq <= since;
          first := entry.uid;
        END LOOP;
        RETURN first;
      END $$;
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
