import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueFact, TlsOutcome } from '@kiroku/domain/delivery/queue-events.js';
import type { EventStore } from '@kiroku/domain/kernel/event-store.js';
import { type TlsReportSendingEvent, tlsReportStream } from '@kiroku/domain/tls-policy/report-sending.js';
import { dayOf } from '@kiroku/domain/tls-policy/views.js';
import { TlsReports } from '@kiroku/infra/admin/tls-reports.js';
import { MemoryObjectStore } from '@kiroku/infra/object-store/memory.js';
import { recorded, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import type { PostReport } from '@kiroku/infra/tls-policy/post-report.js';
import { MemoryDns } from '@kiroku/infra/tls-policy/testing.js';
import * as z from 'zod';
import type { SubmitMessage } from '../notices/ports.js';
import { TlsReporter, type TlsReporterParts } from './tls-reporter.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** RFC 8460 §4.4, strictly: nothing else is in it. */
const REPORT = z.strictObject({
  'organization-name': z.string().min(1),
  'date-range': z.strictObject({ 'start-datetime': z.iso.datetime(), 'end-datetime': z.iso.datetime() }),
  'contact-info': z.email(),
  'report-id': z.string().min(1),
  policies: z.array(z.strictObject({
    policy: z.strictObject({
      'policy-type': z.enum(['tlsa', 'sts', 'no-policy-found']), 'policy-string': z.array(z.string()).optional(), 'policy-domain': z.string(), 'mx-host': z.array(z.string()).optional(),
    }),
    summary: z.strictObject({ 'total-successful-session-count': z.int().min(0), 'total-failure-session-count': z.int().min(0) }),
    'failure-details': z.array(z.strictObject({
      'result-type': z.enum([
        'starttls-not-supported', 'certificate-host-mismatch', 'certificate-expired', 'certificate-not-trusted', 'validation-failure', 'tlsa-invalid', 'dnssec-invalid',
        'dane-required', 'sts-policy-fetch-error', 'sts-policy-invalid', 'sts-webpki-invalid',
      ]),
      'sending-mta-ip': z.ipv4().optional(), 'receiving-mx-hostname': z.string(), 'receiving-ip': z.ipv4().optional(), 'failed-session-count': z.int().min(1),
    })).optional(),
  })).min(1),
});

let h: TestHistory;
let bodies: MemoryObjectStore;
let posts: { readonly uri: string; readonly report: unknown }[];
let taken: Awaited<ReturnType<PostReport>>;
let dns: MemoryDns;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());
beforeEach(() => {
  bodies = new MemoryObjectStore();
  posts = [];
  taken = { taken: true };
  dns = new MemoryDns();
});

const submitTo = (store: EventStore): SubmitMessage => (message, also) =>
  store.append([{ stream: messageStream(message.messageId), expected: 0, events: [recorded(h.engine, { type: 'MessageSubmitted', data: message }, message.messageId)] }, ...also]);

function reporter(more: Partial<TlsReporterParts> = {}) {
  const troubles: unknown[] = [];
  const made = new TlsReporter({
    engine: h.engine, pool: h.pool, reports: new TlsReports(h.pool, () => Promise.resolve('mx.x.test')), dns, bodies, submit: submitTo(h.store), owns: () => true,
    post: async (uri, gzip) => (posts.push({ uri, report: JSON.parse(gunzipSync(gzip).toString()) }), taken),
    settings: () => ({ on: true, hostname: 'mx.x.test', organization: 'X & 太郎', contact: 'tls@x.test', offset: () => 540 }), trouble: (error) => void troubles.push(error), ...more,
  });
  return { made, troubles };
}

let count = 0;
/** A domain of a test's own, at which connections were made today. */
async function connected(...outcomes: readonly Partial<TlsOutcome>[]): Promise<string> {
  const domain = `d${++count}.test`;
  const tlsOutcomes = outcomes.map((outcome) => ({ domain, policy: 'sts', host: `mx.${domain}`, ip: '192.0.2.25', source: '198.51.100.1', ...outcome }) satisfies TlsOutcome);
  const id = `T${count}`;
  await h.store.append([{ stream: messageStream(id), expected: 0, events: [recorded(h.engine, { type: 'DeliveryAttempted', data: { messageId: id, route: 'mx', duration: 1, results: [], tlsOutcomes } }, id)] }]);
  return domain;
}
const wants = (domain: string, rua: string): MemoryDns => dns.set(`txt _smtp._tls.${domain}`, [`v=TLSRPTv1; rua=${rua}`]);
/** Tomorrow, when reports about today are due. */
function tomorrow(): string {
  const day = dayOf(h.engine.clock.now());
  h.engine.clock.advance(Date.parse(`${day}T00:00:00Z`) + DAY + 4 * HOUR - h.engine.clock.now());
  return day;
}
const eventsOf = async (day: string, domain: string): Promise<readonly TlsReportSendingEvent[]> =>
  (await h.store.read(tlsReportStream(day, domain))).events.map(({ type, data }) => ({ type, data }) as TlsReportSendingEvent);
const mailOf = async (messageId: string | undefined) => (await h.store.read(messageStream(messageId ?? ''))).events[0]?.data as QueueFact<'MessageSubmitted'>;
async function textOf({ message }: QueueFact<'MessageSubmitted'>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bodies.read(message)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

describe('a report about TLS', () => {
  it('goes by mail: once, from the null sender, whatever is wrong with TLS, with the gzipped JSON of RFC 8460', async () => {
    const domain = await connected({}, {}, { failure: 'certificate-expired' }, { policy: 'no-policy-found', failure: 'starttls-not-supported' });
    wants(domain, `mailto:tls%2Breports@${domain}?subject=x`);
    const { made, troubles } = reporter();
    await made.round();
    const day = tomorrow();
    await made.round();
    const [event, ...more] = await eventsOf(day, domain);
    expect([event?.type, more]).toEqual(['TlsReportSent', []]);
    const mail = await mailOf((event?.data as { messageId?: string }).messageId);
    expect(mail).toMatchObject({ origin: 'tls-report', recipients: [`tls+reports@${domain}`], message: { sender: '', tlsOptional: true, requireTls: false, body: '7BIT' } });
    const text = await textOf(mail);
    expect(text.length).toBe(mail.message.size);
    const [header = ''] = text.replace(/\r\n[ \t]/g, ' ').split('\r\n\r\n');
    for (const line of [
      'From: <tls@x.test>', `To: <tls+reports@${domain}>`, `Subject: Report Domain: ${domain} Submitter: mx.x.test Report-ID: <${day}T00:00:00Z_${domain}@mx.x.test>`,
      `TLS-Report-Domain: ${domain}`, 'TLS-Report-Submitter: mx.x.test', 'TLS-Required: No', 'Auto-Submitted: auto-generated',
      'Content-Type: multipart/report; report-type="tlsrpt"; boundary="=_kiroku_tlsrpt"',
    ]) expect(header.split('\r\n')).toContain(line);
    expect(text).toMatch(/^[\t\r\n -~]*$/);
    expect(text.split('\r\n').every((line) => line.length <= 200 && !/[\r\n]/.test(line))).toBe(true);
    const start = Date.parse(`${day}T00:00:00Z`) / 1000;
    expect(text).toContain(`filename="mx.x.test!${domain}!${start}!${start + 86_399}.json.gz"`);
    const part = text.split('--=_kiroku_tlsrpt')[2]?.split('\r\n\r\n')[1] ?? '';
    const report = REPORT.parse(JSON.parse(gunzipSync(Buffer.from(part, 'base64')).toString()));
    expect(report).toMatchObject({ 'organization-name': 'X & 太郎', 'contact-info': 'tls@x.test' });
    expect(report.policies.map(({ summary }) => Object.values(summary))).toEqual([[0, 1], [2, 1]]);
    await made.round();
    await reporter().made.round(); // another process, that knows nothing
    expect(await eventsOf(day, domain)).toHaveLength(1);
    expect(troubles).toEqual([]);
  });

  it('is posted, and tried again as scheduled where nobody takes it, five times', async () => {
    const domain = await connected({});
    wants(domain, `https://${domain}/tls`);
    const day = tomorrow();
    taken = { taken: false, reason: `${domain} answers 503` };
    const { made } = reporter();
    for (let round = 0; round < 200; round++) {
      await made.round();
      h.engine.clock.advance(10 * 60_000);
    }
    expect(posts).toHaveLength(5);
    expect(new Set(posts.map(({ report }) => REPORT.parse(report)['report-id'])).size).toBe(1);
    const events = await eventsOf(day, domain);
    expect(events.map((e) => [e.type, e.data.attempt, 'nextAt' in e.data])).toEqual([1, 2, 3, 4, 5].map((n) => ['TlsReportFailed', n, n < 5]));
  });

  it('goes to each address that the domain names, each by its own way', async () => {
    const domain = await connected({});
    wants(domain, `mailto:a@${domain}, https://${domain}/tls,mailto:%zz@${domain}`);
    const day = tomorrow();
    await reporter().made.round();
    expect((await eventsOf(day, domain)).map((e) => [e.type, e.data.to, 'reason' in e.data ? e.data.reason : ''])).toEqual([
      ['TlsReportSent', `mailto:a@${domain}`, ''], ['TlsReportSent', `https://${domain}/tls`, ''], ['TlsReportFailed', `mailto:%zz@${domain}`, 'not a mail address'],
    ]);
  });

  it('is one mail, whatever breaks before or after the append, and when two processes believe it is theirs', async () => {
    const domain = await connected({});
    wants(domain, `mailto:a@${domain}`);
    const day = tomorrow();
    let tries = 0;
    const submit: SubmitMessage = async (message, also) => {
      tries++;
      if (tries === 1) throw new Error('before');
      await submitTo(h.store)(message, also);
      throw new Error('after');
    };
    for (let round = 0; round < 4; round++) await reporter({ submit }).made.round();
    expect([tries, (await eventsOf(day, domain)).length]).toEqual([2, 1]);
    const twin = await connected({});
    wants(twin, `mailto:a@${twin}`);
    const next = tomorrow();
    const two = [reporter(), reporter()];
    await Promise.all(two.map(({ made }) => made.round()));
    expect(await eventsOf(next, twin)).toHaveLength(1);
    expect(two.flatMap(({ troubles }) => troubles)).toEqual([]);
  });

  it('is not sent before its time, nor where it is off, nor by a process that it does not belong to, nor where nobody wants it', async () => {
    const domain = await connected({});
    wants(domain, `https://${domain}/tls`);
    await reporter().made.round();
    const day = tomorrow();
    await reporter({ settings: () => ({ on: false, hostname: 'mx.x.test', organization: '', contact: '', offset: () => 0 }) }).made.round();
    await reporter({ owns: () => false }).made.round();
    dns.set(`txt _smtp._tls.${domain}`, 'trouble');
    await reporter().made.round();
    dns.set(`txt _smtp._tls.${domain}`, []);
    await reporter().made.round();
    expect([posts, await eventsOf(day, domain)]).toEqual([[], []]);
    wants(domain, `https://${domain}/tls`);
    await reporter().made.round();
    expect(posts).toHaveLength(1);
  });

  it('of long ago is not sent any more', async () => {
    const domain = await connected({});
    wants(domain, `https://${domain}/tls`);
    tomorrow();
    h.engine.clock.advance(4 * DAY);
    await reporter().made.round();
    expect(posts).toEqual([]);
  });
});
