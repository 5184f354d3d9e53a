import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { migrate } from '@kiroku/migrations/migrate.js';
import { createMailbox, appendMessage, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { mailboxMessages, mailboxes } from '@kiroku/domain/mailbox/views.js';
import { messages, stories } from '@kiroku/domain/story/views.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import type pg from 'pg';
import { PostgresEventLog } from '../event-log/postgres.js';
import { PostgresEventStore } from '../event-store/postgres.js';
import { Hints } from '../event-log/hints.js';
import { fixedIds } from '../ids/ids.js';
import { type TestPostgres, testPostgres } from '../postgres/testing.js';
import { openPool } from './database.js';
import { Rebuild } from './rebuild.js';

import { readdirSync, readFileSync } from 'node:fs';
const pgCpu = (): number => { let n = 0; for (const d of readdirSync('/proc')) { if (!/^\d+$/.test(d)) continue; try { const f = readFileSync(`/proc/${d}/stat`, 'utf8').split(') ')[1]!.split(' '); if (Number(f[1]) === db.pid) n += (Number(f[11]) + Number(f[12])) / 100; } catch {} } return n; };
let db: TestPostgres; let pool: pg.Pool; let hints: Hints; let log: PostgresEventLog;
beforeAll(async () => {
  db = await testPostgres(); await migrate(db.connection);
  pool = openPool(db.connection, 6); hints = new Hints(db.connection, pool, () => undefined);
  log = new PostgresEventLog(pool, hints);
  const store = new PostgresEventStore(pool, hints, []);
  const ids = fixedIds();
  const boxes = Array.from({ length: 100 }, () => { const id = ids.uuid(); const c = createMailbox(id, ids.uuid(), 'INBOX', 1e12); return { id, head: c.data.head, version: 0, first: c as never as { type: string; data: unknown } | undefined }; });
  const trace = 'Received: from mail.example.com (mail.example.com [192.0.2.17])\r\n\tby mx.x.test (Kiroku) with ESMTPS id 01KE5V1W0000001\r\n\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384)\r\n\tfor <ann@x.test>; Mon, 5 Jan 2026 09:00:00 +0900\r\n';
  let t = performance.now();
  for (let round = 0; round < 200; round++) {
    const appends = boxes.map((b) => {
      const events = [] as never[];
      const expected = b.version;
      if (b.first) { events.push({ id: ids.uuid(), type: b.first.type, version: 1, at: 1e12, actor: 'system:x', correlation: 'c', data: b.first.data } as never); b.first = undefined; b.version++; }
      for (let i = 0; i < 10; i++) {
        const q = ids.queueId();
        const e = appendMessage(b.id, b.head, { messageId: q, sha256: (round * 1000 + i).toString(16).padStart(64, 'a'), bodySize: 3000, at: 's/12/3456', prefix: `Return-Path: <bob@example.com>\r\nDelivered-To: ann@x.test\r\n${trace}`, size: 3400, receivedAt: 1767571200000, recipient: 'ann@x.test', via: [], deliveredTo: 'ann@x.test' });
        b.head = e.data.head; b.version++;
        events.push({ id: ids.uuid(), type: e.type, version: 1, at: 1767571200000, actor: 'system:delivery', correlation: q, causation: ids.uuid(), data: e.data } as never);
      }
      return { stream: mailboxStream(b.id), expected, events };
    });
    await store.append(appends);
  }
  console.log('append', performance.now() - t);
}, 300000);
afterAll(async () => { await hints.close(); await pool.end(); await db.close(); });
it.each([mailboxMessages, mailboxes, messages, stories].map((v) => [v.name, v as unknown as Projection] as const))('%s', async (name, view) => {
  const t = performance.now();
  const c = process.cpuUsage(); const g = pgCpu();
  const r = await new Rebuild(log, pool, view).replace();
  const u = process.cpuUsage(c);
  console.log(name, r.events, r.rows, Math.round(r.events / ((performance.now() - t) / 1000)), 'events/s; js cpu s', (u.user + u.system) / 1e6, 'pg cpu', pgCpu() - g, 's', (performance.now() - t) / 1000);
  expect(r.events).toBeGreaterThan(0);
}, 300000);
