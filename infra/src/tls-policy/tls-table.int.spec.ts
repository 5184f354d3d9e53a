import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Host, Route } from '@kiroku/domain/routing/hosts.js';
import { tlsReportView } from '@kiroku/domain/tls-policy/views.js';
import { TlsPolicyAdmin } from '../admin/tls-policy.js';
import { recorded, type TestHistory, testHistory } from '../read-model/testing.js';
import { runView } from '../read-model/view-runner.js';
import { until } from '../rig/until.js';
import { PostgresTlsTable } from './tls-table.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

const origin = { actor: 'admin:ann', correlation: 'r' };
const host = (name: string, ip = '192.0.2.1'): Host => ({ name, ip, port: 25, preference: 0, secure: false });
const route: Route = { kind: 'mx', domain: 'x.test' };

describe('the TLS table of a server', () => {
  it('is empty before anybody has written into it', async () => {
    const table = new PostgresTlsTable(h.pool);
    const { rowFor, offers, table: rows } = await table.current();
    expect([rowFor(host('mx.x.test'), route), offers('192.0.2.1'), rows]).toEqual([undefined, true, { rows: [], neverOffered: [] }]);
  });

  it('is true in every process as soon as it is changed', async () => {
    const admin = new TlsPolicyAdmin(h.pool, h.engine);
    const tables = [new PostgresTlsTable(h.pool), new PostgresTlsTable(h.another().pool)];
    const modes = () => Promise.all(tables.map(async (t) => (await t.current()).rowFor(host('mx.x.test'), route)?.mode));
    await Promise.all(tables.map((t) => t.current()));
    await admin.change({ type: 'AddTlsRow', row: { peer: 'X.test', mode: 'off' } }, origin);
    expect(await modes()).toEqual(['off', 'off']);
    expect(await admin.change({ type: 'AddTlsRow', row: { peer: '*', mode: 'verified' }, before: 'x.test' }, origin))
      .toEqual({ rows: [{ peer: '*', mode: 'verified' }, { peer: 'x.test', mode: 'off' }], neverOffered: [] });
    expect(await modes()).toEqual(['verified', 'verified']);
    await admin.change({ type: 'RemoveTlsRow', peer: '*' }, origin);
    await admin.change({ type: 'ChangeNeverOffered', add: ['192.0.2.0/24'] }, origin);
    expect(await modes()).toEqual(['off', 'off']);
    expect(['192.0.2.7', '192.0.3.7'].map((await tables[1]!.current()).offers)).toEqual([false, true]);
  });

  it('keeps what administrators do at the same time', async () => {
    const admin = new TlsPolicyAdmin(h.pool, h.engine);
    await Promise.all(['a', 'b', 'c'].map((name) => admin.change({ type: 'AddTlsRow', row: { peer: `${name}.test`, mode: 'tls-only' } }, origin)));
    expect((await admin.table()).rows.map(({ peer }) => peer)).toEqual(expect.arrayContaining(['a.test', 'b.test', 'c.test']));
  });

  it('says why a change is refused', async () => {
    const admin = new TlsPolicyAdmin(h.pool, h.engine);
    await expect(admin.change({ type: 'RemoveTlsRow', peer: 'gone.test' }, origin)).rejects.toMatchObject({ reason: 'no-such-tls-row', detail: 'gone.test' });
    await expect(admin.change({ type: 'AddTlsRow', row: { peer: '@', mode: 'off' } }, origin)).rejects.toMatchObject({ reason: 'bad-tls-row' });
  });
});

describe('the view of TLS outcomes', () => {
  it('follows the attempts', async () => {
    const outcome = { domain: 'x.test', policy: 'sts', host: 'mx.x.test', ip: '192.0.2.1' };
    const attempt = (tlsOutcomes: readonly object[]) =>
      recorded(h.engine, { type: 'DeliveryAttempted', data: { messageId: 'Q1', route: 'mx', duration: 1, results: [], tlsOutcomes } });
    const bare = h.another([]); // the queue's own views want whole messages
    await bare.store.append([{ stream: 'message-Q1', expected: 0, events: [attempt([outcome, outcome]), attempt([{ ...outcome, failure: 'certificate-expired' }]), attempt([])] }]);
    const follow = await runView(h.log, h.pool, tlsReportView, (error) => { throw error; });
    const rows = await until('both rows', 10_000, async () => {
      const found = await h.pool.query('SELECT day, domain, policy, host, ip, source, failure, count FROM view.tls_report_1 ORDER BY failure');
      return found.rows.length === 2 && found.rows;
    });
    await follow.stop();
    const same = { day: '2026-01-05', ...outcome, source: '' };
    expect(rows).toEqual([{ ...same, failure: '', count: 2 }, { ...same, failure: 'certificate-expired', count: 1 }]);
  });
});
