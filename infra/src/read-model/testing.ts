import type { Entry, EventLog } from '@kiroku/domain/kernel/event-log.js';
import type { EventStore } from '@kiroku/domain/kernel/event-store.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { type MailboxEvent, appendMessage, createMailbox, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { migrate } from '@kiroku/migrations/migrate.js';
import type pg from 'pg';
import { Hints } from '../event-log/hints.js';
import { PostgresEventLog } from '../event-log/postgres.js';
import { PostgresEventStore } from '../event-store/postgres.js';
import { fixedClock, systemIds } from '../ids/ids.js';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from './database.js';
import { Projector } from './projector.js';
import { INLINE_VIEWS } from './views.js';

/** 2026-01-05 09:00 in Japan. */
export const NINE = Date.UTC(2026, 0, 5);
export const sha256 = (n: number): string => n.toString(16).padStart(64, '0');

/** What one process stands on. */
export interface Member {
  readonly pool: pg.Pool;
  readonly hints: Hints;
  readonly log: EventLog;
  readonly store: EventStore;
  readonly engine: Engine & { readonly clock: ReturnType<typeof fixedClock> };
  /** Errors that nobody could be told. */
  readonly troubles: unknown[];
  close(): Promise<void>;
}

/** A migrated database on real PostgreSQL, and processes that share it. For `*.int.spec.ts`. */
export interface TestHistory extends Member {
  readonly connection: TestPostgres['connection'];
  /** Another process: connections of its own, the same database. */
  another(inline?: readonly Projection[]): Member;
  /** Cuts the connections that run, or last ran, a statement like this. @returns how many. */
  cut(statement: string): Promise<number>;
}

/** Where decisions are kept, when not in PostgreSQL. */
export type OpenStore = (pool: pg.Pool, hints: Hints, inline: readonly Projector[], trouble: (error: unknown) => void) => EventStore & { close(): Promise<void> };

export async function testHistory(openStore?: OpenStore): Promise<TestHistory> {
  const db = await testPostgres();
  await migrate(db.connection);
  const members: Member[] = [];
  const another = (inline: readonly Projection[] = INLINE_VIEWS): Member => {
    const troubles: unknown[] = [];
    const trouble = (error: unknown): void => void troubles.push(error);
    const pool = openPool(db.connection, 6, trouble);
    const hints = new Hints(db.connection, pool, trouble);
    const log = new PostgresEventLog(pool, hints);
    const projectors = inline.map((view) => new Projector(view));
    const elsewhere = openStore?.(pool, hints, projectors, trouble);
    const store = elsewhere ?? new PostgresEventStore(pool, hints, projectors);
    const clock = fixedClock(NINE);
    let open = true;
    const close = async (): Promise<void> => {
      if (!open) return;
      open = false;
      await elsewhere?.close();
      await hints.close();
      await pool.end();
    };
    const member = { pool, hints, log, store, engine: { store, clock, ids: systemIds() }, troubles, close };
    members.push(member);
    return member;
  };
  const first = another();
  const surgeon = openPool(db.connection, 1, () => undefined);
  return {
    ...first,
    connection: db.connection,
    another,
    cut: async (statement) => {
      const { rowCount } = await surgeon.query(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE $1`, [statement]);
      return rowCount ?? 0;
    },
    close: async () => {
      for (const member of members) await member.close();
      await surgeon.end();
      await db.close();
    },
  };
}

/** An envelope for a fact. */
export const recorded = (engine: Engine, { type, data }: { readonly type: string; readonly data: unknown }, correlation = 'c'): Recorded =>
  ({ id: engine.ids.uuid(), type, version: 1, at: engine.clock.now(), actor: 'system:test', correlation, data });

/** A mailbox and `n` messages in it, appended. */
export async function filledMailbox({ engine }: Pick<Member, 'engine'>, n: number, body = (i: number): string => sha256(i)) {
  const [id, accountId] = [engine.ids.uuid(), engine.ids.uuid()];
  const created = createMailbox(id, accountId, 'INBOX', engine.clock.now());
  const facts: MailboxEvent[] = [created];
  let { head } = created.data;
  for (let i = 1; i <= n; i++) {
    const prefix = `Return-Path: <bob@y.test>\r\nDelivered-To: ann@x.test\r\nX-Number: ${i}\r\n`;
    const appended = appendMessage(id, head, {
      messageId: `Q${i}`, sha256: body(i), bodySize: 10, prefix, size: prefix.length + 10, receivedAt: NINE, recipient: 'ann@x.test', via: [], deliveredTo: 'ann@x.test',
    });
    head = appended.data.head;
    facts.push(appended);
  }
  await engine.store.append([{ stream: mailboxStream(id), expected: 0, events: facts.map((f) => recorded(engine, f)) }]);
  return { id, accountId, head, version: facts.length };
}

/** A message as SMTP accepted it. */
export function accepted(engine: Engine, messageId: string, recipients: readonly string[], more: Readonly<Record<string, unknown>> = {}): Entry & { readonly topic: 'mail' } {
  const data = {
    messageId, session: 'S1', listener: 'mx', peer: { ip: '192.0.2.1', port: 25 }, protocol: 'ESMTP', sender: 'bob@y.test',
    recipients: recipients.map((address) => ({ address })), body: '7BIT', smtputf8: false, requireTls: false, sha256: sha256(1), size: 10, trace: 'Received: here\r\n', hops: 0,
    reply: '250 OK', ...more,
  };
  return { topic: 'mail', key: messageId, event: recorded(engine, { type: 'MessageAccepted', data }, messageId) };
}
