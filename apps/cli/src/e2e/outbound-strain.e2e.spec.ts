import { statfsSync } from 'node:fs';
import { describe, expect } from '@jest/globals';
import type { QueueSummary } from '@kiroku/infra/admin/queue.js';
import { haveSmtpSink } from '@kiroku/infra/rig/remote/smtp-sink.js';
import type { Reaction, Script, ScriptedOptions, ScriptedSmtp } from '@kiroku/infra/rig/scripted-smtp.js';
import { SmtpClient, type SmtpReply } from '@kiroku/infra/rig/smtp-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, upTo } from './harness.js';
import { dataOf, plain, triesOf, useOutbound } from './outbound-scene.js';
import { parseReport, type Report } from './reports.js';

/** ms that the server under test waits for others: sixty of them, and one more, must come about meanwhile on a machine that is busy. */
const PATIENCE = 8_000;
const SECOND = 1_000;
const NEVER = { silent: true } as const;
/** One octet each second: it never falls silent, and never says anything. */
const TARPIT: Reaction = { drip: '220-please wait a little', every: SECOND };

if (haveSmtpSink()) {
  const scene = useOutbound(['ann', 'bob'], () => ({ KIROKU_REMOTE_PATIENCE: `${PATIENCE}` }));
  const { server } = scene;

  const came = (remote: ScriptedSmtp, recipient: string, ms = 20_000): Promise<true> =>
    until(`mail for ${recipient} has arrived`, ms, () => remote.messages.some((message) => message.rcpt.some((rcpt) => rcpt.includes(`<${recipient}>`))));
  const summary = async (...filter: readonly string[]): Promise<QueueSummary> =>
    JSON.parse(await server.kiroku.must('queue', 'summary', ...filter, '--json')) as QueueSummary;

  describe('a tarpit', () => {
    /** What it does, what is made of it. */
    const PITS: readonly (readonly [name: string, script: Script, expected: { outcome: 'deferred' | 'unknown'; phase: string; reply: RegExp }, options?: ScriptedOptions])[] = [
      ['greeting', { greeting: NEVER }, { outcome: 'deferred', phase: 'greeting', reply: /no reply within 8 s$/ }],
      ['octets', { greeting: TARPIT }, { outcome: 'deferred', phase: 'greeting', reply: /no reply within 8 s$/ }],
      ['ehlo', { EHLO: TARPIT }, { outcome: 'deferred', phase: 'EHLO', reply: /no reply within 8 s$/ }],
      ['mail', { MAIL: NEVER }, { outcome: 'deferred', phase: 'MAIL', reply: /no reply within 8 s$/ }],
      ['rcpt', { RCPT: TARPIT }, { outcome: 'deferred', phase: 'RCPT', reply: /no reply within 8 s$/ }],
      ['data', { DATA: NEVER }, { outcome: 'deferred', phase: 'DATA', reply: /no reply within 8 s$/ }],
      // Nobody can tell a server that is slow to say 250 from one that will not.
      ['end', { 'end-of-data': TARPIT }, { outcome: 'unknown', phase: 'end-of-data', reply: /no reply within 8 s$/ }],
      ['window', { 'in-data': NEVER }, { outcome: 'deferred', phase: 'DATA', reply: /took no data within 8 s$/ }, { stopReading: true }],
    ];
    const LARGE = 12_000_000; // octets: more than sockets hold

    server.it('is left after the time that it has for its answer, wherever it keeps us waiting, and tried again by the schedule', async () => {
      await Promise.all(PITS.map(([name, script, , options]) => scene.scripted([`${name}.pit.test`], script, options)));
      const to = PITS.map(([name]) => `carl@${name}.pit.test`);
      const id = await scene.post({ to, body: plain('tarpits', `${'x'.repeat(70)}\r\n`.repeat(LARGE / 72)) });
      const story = await scene.decidedWith('all have been tried', id, (told) => to.every((address) => triesOf(told, address).length === 1), 30_000);
      for (const [name, , { reply, ...expected }] of PITS) {
        const [tried] = triesOf(story, `carl@${name}.pit.test`);
        expect([name, tried]).toMatchObject([name, { ...expected, cause: 'line', reply: expect.stringMatching(/^450 4\.4\.2 Host fell silent: /), why: expect.stringMatching(/^line fault: try 1, next in 1\d\d s, given up after 8 h$/) }]);
        expect([name, tried!.reply]).toEqual([name, expect.stringMatching(reply)]);
        expect(tried!.nextAt! - tried!.at).toBeGreaterThanOrEqual(107 * SECOND);
        expect(tried!.nextAt! - tried!.at).toBeLessThanOrEqual(133 * SECOND);
      }
      expect(dataOf(story, 'NoticeOwed')).toEqual([]);
    }, 60_000);

    server.it('of sixty destinations does not slow the mail to others', async () => {
      const domains = upTo(60).map((n) => `n${n}.many.test`);
      const pit = await scene.scripted(domains, { greeting: TARPIT });
      const other = await scene.scripted(['quick.test']);
      await scene.post({ from: addressOf('bob'), to: domains.map((domain) => `carl@${domain}`), body: plain('stuck') });
      await until('all of them are being called', 10_000, () => pit.connections.length === domains.length);
      await scene.post({ to: ['carl@quick.test'], body: plain('quick') });
      await came(other, 'carl@quick.test');
      expect(pit.connections.filter(({ closed }) => closed).length).toBe(0);
      const { total } = await summary('--destination', '*.many.test');
      expect(total.recipients).toBe(domains.length);
    });

    server.it('that is only slow gets its mail', async () => {
      const drip = (text: string): Reaction => ({ drip: text, every: 20 });
      const slow = await scene.scripted(['slow.test'], {
        greeting: drip('220-slow.test\n220 and friendly'), EHLO: drip('250-slow.test\n250 PIPELINING'), MAIL: drip('250 ok'), RCPT: drip('250 ok'), DATA: drip('354 go on'),
        'end-of-data': drip('250 got it at last'),
      });
      await scene.post({ to: ['carl@slow.test'], body: plain('slowly') });
      await came(slow, 'carl@slow.test');
    });
  });

  describe('a mass mailing to a slow destination', () => {
    const MAILING = 5_000;
    const AT_ONCE = 100;

    server.it('keeps nobody waiting: neither mail to others, nor a letter to the same destination', async () => {
      const slow = await scene.sink(['mass.test'], { keep: true, waits: { command: '.', seconds: 2 } });
      const other = await scene.scripted(['letters.test']);
      await scene.set('outboundConcurrency=2'); // else it would be over too soon
      for (const n of upTo(MAILING / AT_ONCE))
        await scene.post({ from: addressOf('bob'), to: upTo(AT_ONCE).map((i) => `reader${n}-${i}@mass.test`), body: plain(`mailing ${n}`) });
      const mailing = ['--sender', addressOf('bob'), '--destination', 'mass.test'];
      await until('it is under way', 10_000, () => slow.count() > 0);
      const id = await scene.post({ to: ['carl@letters.test', 'carl@mass.test'], body: plain('letter') });
      const before = slow.count();
      await came(other, 'carl@letters.test');
      await until('the letter is there', 20_000, () => slow.mails().some((mail) => mail.recipients.includes('carl@mass.test')));
      // One turn of each sender, behind what was on its way already: two connections, with a message each in hand and another claimed.
      expect(slow.count() - before).toBeLessThanOrEqual(8);
      const { total } = await summary(...mailing);
      expect(total.recipients).toBeGreaterThan(MAILING / 2);
      expect(triesOf(await scene.tried(id), 'carl@mass.test')).toMatchObject([{ outcome: 'delivered' }]);
      const { stdout } = await server.kiroku.cli('queue', 'remove', ...mailing, '--reason', 'over', '--yes', '--quiet');
      expect(stdout).toMatch(/^recipients \d+: done \d+, refused \d+\n$/m);
      await until('nothing of it is left', 10_000, async () => (await summary(...mailing)).total.recipients === 0);
      await server.kiroku.must('settings', 'reset', 'outboundConcurrency');
    }, 90_000);
  });

  describe('a full queue', () => {
    /** The replies to MAIL and to RCPT for these recipients. */
    async function knock(...to: readonly string[]): Promise<readonly SmtpReply[]> {
      const client = await SmtpClient.hello({ port: server.kiroku.ports.smtp });
      const replies = [await client.command(`MAIL FROM:<${addressOf('ann')}>`)];
      for (const address of to) replies.push(await client.command(`RCPT TO:<${address}>`));
      await client.quit();
      return replies;
    }
    const said = ({ code, lines }: SmtpReply): string => `${code} ${lines.join(' ')}`;
    const OK = /^250 /;
    const set = (...changes: readonly string[]): Promise<string> => server.kiroku.must('settings', 'set', ...changes);

    server.it('is told at the door, local mail goes on, and so does everything when there is room again', async () => {
      await scene.scripted(['full.test'], { RCPT: '450 4.2.2 full', DATA: '554 5.5.1 for nobody' });
      const { total } = await summary();
      await set(`queueLimit=${total.recipients + 3}`);
      const ids: string[] = [];
      await until('the queue is full', 20_000, async () => {
        const [, reply] = await knock('carl@full.test');
        if (reply!.code !== 250) return said(reply!) === '452 4.3.1 Too many recipients wait, try again later';
        ids.push(await scene.post({ to: ['carl@full.test'], body: plain('one more') }));
        return false;
      });
      expect(ids.length).toBeGreaterThanOrEqual(3);
      const replies = await knock('carl@full.test', addressOf('bob'), 'carl@elsewhere.test');
      expect(replies.map(said)).toEqual([expect.stringMatching(OK), expect.stringMatching(/^452 4\.3\.1 /), expect.stringMatching(OK), expect.stringMatching(/^452 4\.3\.1 /)]);
      await scene.post({ to: [addressOf('bob')], body: plain('local mail goes on') });
      await server.arrived('bob', 'local mail goes on');
      await server.kiroku.must('queue', 'remove', '--destination', 'full.test', '--reason', 'room', '--yes');
      await until('mail is taken again', 20_000, async () => (await knock('carl@full.test'))[1]!.code === 250);
      await set('queueLimit=0');
    }, 60_000);

    server.it('of bytes: below the reserve of the disk no mail is begun, until there is room again', async () => {
      const { bavail, bsize } = statfsSync(server.kiroku.data);
      await set(`diskReserve=${2 * bavail * bsize}`);
      await until('mail is refused', 20_000, async () => said((await knock())[0]!) === '452 4.3.1 Insufficient system storage');
      await server.kiroku.must('settings', 'reset', 'diskReserve');
      await until('mail is taken again', 20_000, async () => (await knock())[0]!.code === 250);
    }, 60_000);
  });

  describe('mail that waits too long', () => {
    const PARTS = ['text/plain', 'message/delivery-status', 'text/rfc822-headers'];
    const TO = [
      'plain@late.test',
      { address: 'failures@late.test', parameters: 'NOTIFY=FAILURE ORCPT=rfc822;old+2Bname@late.test' },
      { address: 'delays@late.test', parameters: 'NOTIFY=DELAY' },
      { address: 'silent@late.test', parameters: 'NOTIFY=NEVER' },
    ];
    const about = (report: Report): string => report.recipients.map((fields) => `${fields.action} ${fields['final-recipient']?.slice('rfc822; '.length)}`).sort().join(', ');

    server.it('is reported late once and given up once, to those who want to hear of it', async () => {
      await scene.retry({ destinations: { 'late.test': { table: [1, 1], delayNotice: 1 } } });
      await scene.scripted(['late.test'], { RCPT: '450 4.2.1 mailbox busy', DATA: '554 5.5.1 for nobody' });
      const since = Math.floor(Date.now() / SECOND) * SECOND;
      const id = await scene.post({ to: TO, parameters: 'RET=HDRS ENVID=late-1', body: plain('late') });
      const story = await scene.decidedWith('all were given up', id, (told) => dataOf(told, 'RecipientExpired').length === TO.length, 30_000);
      const reports = await until('ann has the reports', 20_000, async () => {
        const mails = (await server.mailOf('ann')).filter((mail) => mail.includes('late-1'));
        const found = await Promise.all(mails.map((mail) => parseReport(mail)));
        return found.flatMap((report) => report.recipients).length >= 4 && found;
      });
      expect(reports.map(about).sort()).toEqual(['delayed delays@late.test, delayed plain@late.test', 'failed failures@late.test, failed plain@late.test']);
      for (const report of reports) {
        expect(report).toMatchObject({ type: 'multipart/report', reportType: 'delivery-status', defects: [], message: { 'original-envelope-id': 'late-1', 'reporting-mta': `dns; ${scene.hostname}` } });
        expect(report.header).toMatchObject({ 'to': `<${addressOf('ann')}>`, 'auto-submitted': 'auto-replied', 'return-path': '<>', 'from': expect.stringContaining('MAILER-DAEMON@') });
        expect(report.parts.map((part) => part.type)).toEqual(PARTS);
        // For people in both languages, each with the reply of the other server.
        expect(report.parts[0]?.text).toMatch(/[ぁ-ん][^]*plain@late\.test|plain@late\.test[^]*[ぁ-ん]/);
        expect(report.parts[0]?.text).toContain('450 4.2.1 mailbox busy');
        for (const fields of report.recipients) {
          expect(fields).toMatchObject({ 'remote-mta': 'dns; mx.late.test', 'diagnostic-code': 'smtp; 450 4.2.1 mailbox busy', 'status': '4.2.1' });
          expect(Date.parse(fields['last-attempt-date'] ?? '')).toBeGreaterThanOrEqual(since);
        }
      }
      const [delayed, failed] = ['delayed', 'failed'].map((action) => reports.find((report) => report.recipients[0]?.action === action)) as [Report, Report];
      const until_ = delayed.recipients.map((fields) => Date.parse(fields['will-retry-until'] ?? ''));
      expect(until_.every((time) => time >= since && time <= since + 60 * SECOND)).toBe(true);
      expect(failed.recipients.map((fields) => fields['original-recipient'])).toContain('rfc822; old+name@late.test');
      expect(failed.recipients.map((fields) => fields['will-retry-until'])).toEqual([undefined, undefined]);
      expect(triesOf(story, 'plain@late.test').map((result) => result.outcome)).toEqual(['deferred', 'deferred', 'deferred']);
    }, 60_000);
  });
}
