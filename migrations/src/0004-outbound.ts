import { noticeView } from '@kiroku/domain/delivery/notice-view.js';
import { queueView } from '@kiroku/domain/delivery/queue-view.js';
import { gatewayView } from '@kiroku/domain/routing/views.js';
import { messages, sessions } from '@kiroku/domain/story/views.js';
import { tlsPolicyView, tlsReportView } from '@kiroku/domain/tls-policy/views.js';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tableOf } from './table-of.js';

/**
 * The outbound queue, and stories that name their events instead of copying them. The worker builds the following views from the
 * history; inline views that are new are built at the next start, before any role runs (`ops.unbuilt_view`).
 */
export class Outbound0004 implements MigrationInterface {
  readonly name = 'Outbound1795305600004';
  async up(db: QueryRunner): Promise<void> {
    for (const view of [queueView, noticeView, messages, sessions, gatewayView, tlsPolicyView, tlsReportView]) await db.query(tableOf(view));
    await db.query(`
      -- Replaced in 0012; the program has no projection of that shape any more.
      CREATE TABLE view.credentials_1 (name text PRIMARY KEY, mechanism text, "user" text, sealed text, created_at bigint, changed_at bigint);
      -- Replaced in 0013; the program has no projection of that shape any more.
      CREATE TABLE view.relay_domain_1 (name text PRIMARY KEY, verify text, recipients text, revision integer, created_at bigint, changed_at bigint);
      DROP TABLE view.story_1, view.message_1;
      DELETE FROM history.checkpoint WHERE consumer IN ('view:story_1', 'view:message_1');
      CREATE INDEX ON view.message_2 (header_message_id) WHERE header_message_id IS NOT NULL;
      CREATE INDEX ON view.queue_1 (next_at, message_id, address) WHERE state = 'waiting';
      CREATE INDEX ON view.queue_1 (destination, sender, next_at) WHERE state = 'waiting';
      CREATE INDEX ON view.notice_1 (owed_at);
      -- All or nothing: the first checkpoint that is not where the caller thinks is returned, NULL when all were moved.
      CREATE FUNCTION history.move_checkpoints(consumers text[], topics text[], partitions smallint[], olds bigint[], news bigint[])
      RETURNS integer LANGUAGE plpgsql AS $$
      BEGIN
        FOR i IN 1 .. cardinality(consumers) LOOP
          IF NOT history.move_checkpoint(consumers[i], topics[i], partitions[i], olds[i], news[i]) THEN RETURN i; END IF;
        END LOOP;
        RETURN NULL;
      END $$;
      CREATE TABLE ops.unbuilt_view (name text PRIMARY KEY);
      INSERT INTO ops.unbuilt_view VALUES ('queue_1'), ('notice_1');
      -- Recipients to whom mail is being sent at this moment: what is left of it after a crash has an unknown outcome.
      CREATE TABLE ops.sending (
        message_id text, address text, partition smallint NOT NULL, owner uuid NOT NULL, host text NOT NULL, started_at bigint NOT NULL,
        PRIMARY KEY (message_id, address)
      );
      -- MTA-STS policies as fetched (RFC 8461): kept, so that a restart gives nobody a first contact again.
      CREATE TABLE ops.tls_policy (
        domain text PRIMARY KEY, id text NOT NULL, policy text NOT NULL, expires_at bigint NOT NULL, fetched_at bigint NOT NULL
      );
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
