import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueEvent, TlsOutcome } from '@kiroku/domain/delivery/queue-events.js';
import { record } from '@kiroku/domain/kernel/execute.js';
import type { Projection } from '@kiroku/domain/kernel/projection.js';
import { tlsReportView } from '@kiroku/domain/tls-policy/views.js';
import { Rebuild } from '@kiroku/infra/read-model/rebuild.js';
import { type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { forgetTlsReports } from './forget-tls-reports.js';

const DAY = 24 * 60 * 60 * 1000;
let h: TestHistory;
beforeAll(async () => { h = await testHistory(); });
afterAll(() => h.close());

/** Connections to these hosts, now. */
async function connected(messageId: string, hosts: readonly string[]): Promise<void> {
  const tlsOutcomes = hosts.map((host): TlsOutcome => ({ domain: 'y.test', policy: 'no-policy-found', host }));
  const fact: QueueEvent = { type: 'DeliveryAttempted', data: { messageId, route: 'mx', duration: 1, results: [], tlsOutcomes } };
  await h.store.append([{ stream: messageStream(messageId), expected: 0, events: record([fact], h.engine, { actor: 'system:delivery', correlation: messageId }, {}) }]);
}
const days = async (): Promise<readonly string[]> => (await h.pool.query<{ day: string }>('SELECT DISTINCT day FROM view.tls_report_1 ORDER BY day')).rows.map((r) => r.day);

describe('housekeeping', () => {
  it('forgets rows for reports about TLS past their retention, and the rebuilt view agrees', async () => {
    const hosts = Array.from({ length: 1_203 }, (_, n) => `mx${n}.y.test`);
    await connected('OLD', hosts);
    h.engine.clock.advance(DAY);
    await connected('NEW', ['mx.y.test']);
    h.engine.clock.advance(2 * DAY);
    expect(await days()).toHaveLength(2);
    expect(await forgetTlsReports(h.pool, h.engine, 3 * DAY)).toBe(0);
    expect(await forgetTlsReports(h.pool, h.engine, 2 * DAY)).toBe(hosts.length);
    expect(await days()).toEqual(['2026-01-06']);
    expect(await forgetTlsReports(h.pool, h.engine, 2 * DAY)).toBe(0);
    expect((await new Rebuild(h.log, h.pool, tlsReportView as unknown as Projection).verify()).differences).toEqual([]);
  });
});
