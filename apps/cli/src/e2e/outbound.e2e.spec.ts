import { describe, expect } from '@jest/globals';
import { havePostfix } from '@kiroku/infra/rig/remote/postfix-instance.js';
import { startRemotePostfix, type RemotePostfix, type RemotePostfixOptions } from '@kiroku/infra/rig/remote/postfix-remote.js';
import { haveSmtpSink, type SinkOptions } from '@kiroku/infra/rig/remote/smtp-sink.js';
import { makeCertificate } from '@kiroku/infra/rig/test-ca.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, crlf, letter } from './harness.js';
import { attemptsIn, dataOf, plain, triesOf, useOutbound } from './outbound-scene.js';
import { parseReport, textOf } from './reports.js';

const scene = useOutbound(['ann', 'bob']);
const { server } = scene;

const SECOND = 1_000;

async function postfix(domain: string, options: Partial<RemotePostfixOptions> = {}): Promise<RemotePostfix> {
  const host = scene.elsewhere.nextHost();
  const remote = scene.keep(await startRemotePostfix({ host, port: scene.elsewhere.port, hostname: `mx.${domain}`, domains: [domain], ...options }));
  scene.elsewhere.route(host, domain);
  return remote;
}

const arrivedAt = (remote: RemotePostfix, recipient: string): Promise<string> =>
  until(`mail for ${recipient} is there`, 20_000, () => remote.mails(recipient)[0]);

if (havePostfix()) {
  describe('mail to a real server elsewhere', () => {
    server.it('arrives unchanged, and its story tells host, address, port and reply', async () => {
      const remote = await postfix('plain.test');
      const sent = letter('plain', 'carl@plain.test');
      const id = await scene.post({ to: ['carl@plain.test'], body: crlf(sent) });
      const mail = await arrivedAt(remote, 'carl@plain.test');
      expect(mail.slice(-Buffer.byteLength(sent))).toBe(Buffer.from(sent).toString('latin1'));
      expect(mail).toMatch(new RegExp(`^Return-Path: <${addressOf('ann')}>`));
      expect(mail).toContain(`from ${scene.hostname} `);
      const story = await scene.settled(id);
      expect(attemptsIn(story)).toEqual([
        expect.objectContaining({
          host: 'mx.plain.test', ip: remote.host, port: remote.port, route: 'mx',
          results: [expect.objectContaining({ address: 'carl@plain.test', outcome: 'delivered', phase: 'end-of-data', reply: expect.stringMatching(/^250 2\.0\.0 Ok: queued as /) })],
        }),
      ]);
      expect(attemptsIn(story)[0]?.tls).toBeUndefined();
      expect(story.outcomes).toMatchObject([{ recipient: 'carl@plain.test', ends: [{ kind: 'sent', host: 'mx.plain.test' }] }]);
      expect(story.complete).toBe(true);
      expect((await scene.waiting()).filter((row) => row.messageId === id)).toEqual([]);
    });

    server.it('is encrypted where the other server offers it, whoever signed its certificate', async () => {
      const remote = await postfix('secret.test', { tls: { level: 'encrypt', ...(await makeCertificate({ names: ['mx.secret.test'] })) } });
      const id = await scene.post({ to: ['carl@secret.test'], body: plain('secret') });
      expect(await arrivedAt(remote, 'carl@secret.test')).toMatch(/using TLSv1\.3 with cipher/);
      expect(attemptsIn(await scene.tried(id))).toMatchObject([{ tls: { version: 'TLSv1.3', verified: 'no' } }]);
    });

    server.it('to several people there goes in one transaction, and one that is refused does not harm the others', async () => {
      const remote = await postfix('three.test', { users: ['carl', 'dora'] });
      const to = ['carl@three.test', 'dora@three.test', 'nobody@three.test'];
      const id = await scene.post({ to, body: plain('three') });
      const [carl, dora] = [await arrivedAt(remote, 'carl@three.test'), await arrivedAt(remote, 'dora@three.test')];
      const queueId = (mail: string): string | undefined => /\bid ([0-9A-Za-z]+)/.exec(mail.slice(mail.indexOf('by mx.three.test')))?.[1];
      expect(queueId(carl)).toBeDefined();
      expect(queueId(carl)).toBe(queueId(dora));
      const story = await scene.tried(id);
      expect(attemptsIn(story)).toHaveLength(1);
      expect(attemptsIn(story)[0]?.results).toMatchObject([
        { address: to[0], outcome: 'delivered' }, { address: to[1], outcome: 'delivered' },
        { address: to[2], outcome: 'refused', cause: 'refused', phase: 'RCPT', reply: expect.stringMatching(/^550 5\.1\.1 /) },
      ]);
    });

    server.it('that is larger than the other server takes comes back without being sent', async () => {
      const remote = await postfix('small.test', { settings: { message_size_limit: '2000' } });
      const id = await scene.post({ to: ['carl@small.test'], body: plain('too-large', 'x'.repeat(70).concat('\r\n').repeat(100)) });
      expect(triesOf(await scene.tried(id), 'carl@small.test')).toMatchObject([{ outcome: 'refused', reply: expect.stringMatching(/^552 5\.3\.4 /) }]);
      expect(remote.mails()).toEqual([]);
    });

    server.it('goes to the next mail server when the first is not there', async () => {
      const remote = await postfix('second.test');
      scene.elsewhere.dns.mx('second.test', [10, 'mx1.second.test'], [20, 'mx2.second.test']).a('mx1.second.test', scene.elsewhere.nextHost()).a('mx2.second.test', remote.host);
      const id = await scene.post({ to: ['carl@second.test'], body: plain('second') });
      await arrivedAt(remote, 'carl@second.test');
      expect(attemptsIn(await scene.tried(id)).at(-1)).toMatchObject({ host: 'mx2.second.test', results: [{ outcome: 'delivered' }] });
    });

    server.it('that is in 8 bits is encoded for a server that takes 7, and reads the same', async () => {
      const remote = await postfix('seven.test', { settings: { smtpd_discard_ehlo_keywords: '8bitmime, smtputf8' } });
      const sent = letter('seven', 'carl@seven.test');
      await scene.post({ to: ['carl@seven.test'], parameters: 'BODY=8BITMIME', body: crlf(sent) });
      const mail = await arrivedAt(remote, 'carl@seven.test');
      expect(mail).not.toMatch(/[\x80-\xff]/);
      expect(mail).toMatch(/^Content-Transfer-Encoding: (quoted-printable|base64)$/m);
      expect((await textOf(mail)).replaceAll('\r\n', '\n')).toBe(sent.slice(sent.indexOf('\n\n') + 2));
    });

    server.it('is returned when there is no other way for it', async () => {
      await postfix('eight.test', { settings: { smtpd_discard_ehlo_keywords: '8bitmime, smtputf8' } });
      await scene.set('outboundEightBit=bounce');
      const id = await scene.post({ to: ['carl@eight.test'], parameters: 'BODY=8BITMIME', body: crlf(letter('eight', 'carl@eight.test')) });
      expect(triesOf(await scene.tried(id), 'carl@eight.test')).toMatchObject([{ outcome: 'refused', reply: expect.stringMatching(/^5\d\d 5\.6\.[13] /) }]);
      const report = await parseReport(await server.arrived('ann', 'carl@eight.test'));
      expect(report.recipients).toMatchObject([{ 'final-recipient': 'rfc822; carl@eight.test', action: 'failed' }]);
      await server.kiroku.must('settings', 'reset', 'outboundEightBit');
    });
  });
}

/** What a failure leads to. */
interface Expected {
  readonly outcome: 'delivered' | 'deferred' | 'refused' | 'unknown';
  readonly cause?: 'refused' | 'line' | 'no-answer';
  readonly phase: string | RegExp;
  readonly reply: RegExp;
}
const line = (phase: string, reply: RegExp): Expected => ({ outcome: 'deferred', cause: 'line', phase, reply });
const no = (phase: string): Expected => ({ outcome: 'refused', cause: 'refused', phase, reply: /^5\d\d/ });
const broken = /^450 4\.4\.2 /;

/** smtp-sink's ways to fail, one by one. */
const FAILURES: readonly (readonly [words: string, options: SinkOptions, expected: Expected])[] = [
  ['refuses the connection', { refuses: ['CONNECT'] }, no('greeting')],
  ['refuses EHLO and knows HELO', { refuses: ['EHLO'] }, { outcome: 'delivered', phase: 'end-of-data', reply: /^250/ }],
  ['refuses EHLO and HELO', { refuses: ['EHLO', 'HELO'] }, no('EHLO')],
  ['refuses the sender', { refuses: ['MAIL'] }, no('MAIL')],
  ['refuses the recipient', { refuses: ['RCPT'], refusal: '550 5.1.1 nobody of that name' }, { ...no('RCPT'), reply: /^550 5\.1\.1 nobody of that name$/ }],
  ['refuses DATA', { refuses: ['DATA'] }, no('DATA')],
  ['refuses the message', { refuses: ['.'] }, no('end-of-data')],
  ['refuses the message before it is sent whole', { abortsData: 1 }, no('end-of-data')],
  ['defers the connection', { defers: ['CONNECT'] }, line('greeting', /^4\d\d/)],
  ['defers the sender', { defers: ['MAIL'] }, line('MAIL', /^450 4\.3\.0 /)],
  ['defers the recipient', { defers: ['RCPT'], deferral: '451 4.7.1 come again' }, line('RCPT', /^451 4\.7\.1 come again$/)],
  ['defers DATA', { defers: ['DATA'] }, line('DATA', /^450/)],
  ['defers the message', { defers: ['.'], deferral: '452 4.2.2 full' }, line('end-of-data', /^452 4\.2\.2 full$/)],
  ['says 421 to the connection', { hangsUpWith421: ['CONNECT'] }, line('greeting', /^421/)],
  ['says 421 to EHLO', { hangsUpWith421: ['EHLO'] }, line('EHLO', /^421/)],
  ['says 421 to the sender', { hangsUpWith421: ['MAIL'] }, line('MAIL', /^421/)],
  ['says 421 to the recipient', { hangsUpWith421: ['RCPT'] }, line('RCPT', /^421/)],
  ['says 421 to the message', { hangsUpWith421: ['.'] }, line('end-of-data', /^421/)],
  ['hangs up at once', { hangsUp: ['CONNECT'] }, line('greeting', broken)],
  ['hangs up at EHLO', { hangsUp: ['EHLO'] }, line('EHLO', broken)],
  ['hangs up at the sender', { hangsUp: ['MAIL'] }, line('MAIL', broken)],
  ['hangs up at the recipient', { hangsUp: ['RCPT'] }, line('RCPT', broken)],
  ['hangs up at DATA', { hangsUp: ['DATA'] }, line('DATA', broken)],
  ['hangs up after the message', { hangsUp: ['.'] }, { ...line('end-of-data', broken), outcome: 'unknown' }],
  ['takes its time', { waits: { command: 'RCPT', seconds: 2 }, without: ['pipelining'] }, { outcome: 'delivered', phase: 'end-of-data', reply: /^250/ }],
  ['knows no pipelining, no 8-bit text and no DSN', { without: ['pipelining', '8bitmime', 'dsn'] }, { outcome: 'delivered', phase: 'end-of-data', reply: /^250/ }],
  ['knows no ESMTP', { without: ['esmtp'] }, { outcome: 'delivered', phase: 'end-of-data', reply: /^250/ }],
];

if (haveSmtpSink()) {
  describe('a server elsewhere that', () => {
    for (const [number, [words, options, expected]] of FAILURES.entries()) {
      const domain = `failure${number}.test`;
      const recipient = `carl@${domain}`;
      server.it(`${words} ${inWords(expected)}`, async () => {
        const sink = await scene.sink([domain], options);
        const id = await scene.post({ to: [recipient], body: plain(`failure-${number}`) });
        const told = await scene.tried(id);
        const [first, ...more] = triesOf(told, recipient);
        expect(more).toEqual([]);
        const { reply, phase, ...rest } = expected;
        const where = typeof phase === 'string' ? phase : expect.stringMatching(phase);
        expect(first).toMatchObject({ ...rest, phase: where, reply: expect.stringMatching(reply) });
        switch (expected.outcome) {
          case 'delivered':
            expect(sink.count()).toBe(1);
            return expect(told.items).toEqual([]);
          case 'refused':
            return comesBack(id, recipient, first?.reply ?? '');
          case 'deferred':
          case 'unknown':
            return waits(id, recipient);
        }
      }, 60_000);
    }

    server.it('is not there is tried again for a day', async () => {
      scene.elsewhere.route(scene.elsewhere.nextHost(), 'away.test');
      const id = await scene.post({ to: ['carl@away.test'], body: plain('away') });
      const [first] = triesOf(await scene.tried(id), 'carl@away.test');
      expect(first).toMatchObject({ outcome: 'deferred', cause: 'no-answer', phase: 'connect', reply: expect.stringMatching(/^450 4\.4\.1 /) });
      await waits(id, 'carl@away.test', '1 d');
    });
  });
}

function inWords({ outcome }: Expected): string {
  switch (outcome) {
    case 'delivered':
      return 'gets the mail all the same';
    case 'refused':
      return 'makes the mail come back at once';
    case 'deferred':
      return 'is tried again by the schedule';
    case 'unknown':
      return 'may have the mail, and is tried again';
  }
}

/** Bounced at once, and the sender has a report that names recipient and reply. */
async function comesBack(id: string, recipient: string, reply: string): Promise<void> {
  const story = await scene.decidedWith('the report was sent', id, (told) => dataOf(told, 'NoticeSent').length > 0);
  expect(dataOf(story, 'RecipientBounced')).toMatchObject([{ address: recipient, rule: 'refused', reply }]);
  expect(dataOf(story, 'NoticeOwed')).toMatchObject([{ address: recipient, kind: 'failed', reply }]);
  const report = await parseReport(await server.arrived('ann', `rfc822; ${recipient}`));
  expect(report).toMatchObject({ type: 'multipart/report', reportType: 'delivery-status', defects: [] });
  expect(report.recipients).toMatchObject([{ 'final-recipient': `rfc822; ${recipient}`, action: 'failed', 'diagnostic-code': `smtp; ${reply}` }]);
  expect(report.recipients[0]?.status).toMatch(/^5\.\d+\.\d+$/);
  expect((await scene.waiting()).filter((row) => row.messageId === id)).toEqual([]);
}

/** In the queue, due in about two minutes (120 s, ±10 %), with the reason in words; the sender hears nothing yet. */
async function waits(id: string, recipient: string, period = '8 h'): Promise<void> {
  const story = await scene.decided(id);
  const last = triesOf(story, recipient).at(-1);
  if (last?.nextAt === undefined) throw new Error(`no next time: ${JSON.stringify(last)}`);
  expect(last.nextAt - last.at).toBeGreaterThanOrEqual(107 * SECOND);
  expect(last.nextAt - last.at).toBeLessThanOrEqual(133 * SECOND);
  expect(last.why).toMatch(new RegExp(`: try 1, next in 1\\d\\d s, given up after ${period}$`));
  expect(dataOf(story, 'NoticeOwed')).toEqual([]);
  expect((await scene.waiting()).filter((row) => row.messageId === id)).toMatchObject([
    { address: recipient, state: 'waiting', attempts: 1, nextAt: last.nextAt, lastReply: last.reply, why: last.why },
  ]);
}

describe('a domain elsewhere', () => {
  server.it('that does not exist, or takes no mail, makes the mail come back at once', async () => {
    scene.elsewhere.dns.mx('null.test', [0, '.']);
    const id = await scene.post({ to: ['carl@null.test', 'carl@nowhere.test'], body: plain('no-such-domain') });
    const story = await scene.tried(id);
    expect(triesOf(story, 'carl@null.test')).toMatchObject([{ outcome: 'refused', phase: 'dns', reply: expect.stringMatching(/^556 5\.1\.10 /) }]);
    expect(triesOf(story, 'carl@nowhere.test')).toMatchObject([{ outcome: 'refused', phase: 'dns', reply: expect.stringMatching(/^550 5\.1\.2 /) }]);
  });

  server.it('that nobody can look up now is tried again', async () => {
    scene.elsewhere.dns.misbehave('trouble.test', 'servfail');
    const id = await scene.post({ to: ['carl@trouble.test'], body: plain('dns-trouble') });
    expect(triesOf(await scene.tried(id), 'carl@trouble.test')).toMatchObject([
      { outcome: 'deferred', cause: 'no-answer', phase: 'dns', reply: expect.stringMatching(/^451 4\.4\.3 /), nextAt: expect.any(Number) },
    ]);
  });
});

if (haveSmtpSink()) {
  describe('the schedule', () => {
    server.it('gives up when its table is used up, and tells the sender', async () => {
      await scene.retry({ destinations: { 'soon.test': { table: [1] } } });
      const sink = await scene.sink(['soon.test'], { defers: ['.'] });
      const id = await scene.post({ to: ['carl@soon.test'], body: plain('soon') });
      const story = await scene.decidedWith('it was given up', id, (told) => dataOf(told, 'RecipientExpired').length > 0, 30_000);
      const tries = triesOf(story, 'carl@soon.test');
      expect(tries).toHaveLength(2);
      expect(tries[1]!.at).toBeGreaterThanOrEqual(tries[0]!.nextAt!);
      expect(sink.count()).toBe(2);
      expect(dataOf(story, 'RecipientExpired')).toMatchObject([{ address: 'carl@soon.test', rule: 'table-used-up', reply: tries[1]!.reply }]);
      const report = await parseReport(await server.arrived('ann', 'rfc822; carl@soon.test'));
      expect(report.recipients).toMatchObject([{ action: 'failed', status: expect.stringMatching(/^[45]\.\d+\.\d+$/) }]);
    }, 60_000);

    server.it('tells the sender of a delay once, and delivers in the end', async () => {
      await scene.retry({ destinations: { 'late.test': { interval: SECOND, longest: SECOND, delayNotice: 1 } } });
      const sick = await scene.sink(['late.test'], { defers: ['RCPT'] });
      const id = await scene.post({ to: ['carl@late.test'], body: plain('late') });
      await scene.decidedWith('it was tried twice', id, (story) => triesOf(story, 'carl@late.test').length >= 2);
      await sick.stop();
      await scene.sink(['late.test'], { host: sick.host });
      const story = await scene.decidedWith('it was delivered', id, (told) => triesOf(told, 'carl@late.test').at(-1)?.outcome === 'delivered', 30_000);
      expect(dataOf(story, 'NoticeOwed')).toMatchObject([{ address: 'carl@late.test', kind: 'delayed' }]);
      const report = await parseReport(await server.arrived('ann', 'rfc822; carl@late.test'));
      expect(report.recipients).toMatchObject([{ 'action': 'delayed', 'will-retry-until': expect.any(String) }]);
    }, 60_000);

    server.it('tells nobody about a notice that cannot be delivered', async () => {
      await scene.sink(['deaf.test'], { refuses: ['RCPT'] });
      const id = await scene.post({ from: '', to: ['carl@deaf.test'], body: plain('from-nobody') });
      const story = await scene.tried(id);
      expect(dataOf(story, 'RecipientBounced')).toHaveLength(1);
      expect(dataOf(story, 'NoticeOwed')).toEqual([]);
    });
  });
}
