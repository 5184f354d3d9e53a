import { beforeAll, describe, expect } from '@jest/globals';
import type { Story } from '@kiroku/infra/admin/messages.js';
import { havePostfix } from '@kiroku/infra/rig/remote/postfix-instance.js';
import { startRemotePostfix } from '@kiroku/infra/rig/remote/postfix-remote.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf } from './harness.js';
import { dataOf, triesOf, useOutbound } from './outbound-scene.js';
import { parseReport, type Report } from './reports.js';

/** Recipient → what becomes of it. */
const FATES = {
  [addressOf('bob')]: 'mailbox',
  'carl@plain.test': 'sent',
  'nobody@plain.test': 'failed',
  'dora@grey.test': 'waiting',
  'emil@away.test': 'waiting',
  'fred@null.test': 'failed',
  'gina@nowhere.test': 'failed',
  'hans@drops.test': 'waiting',
  'ida@nodsn.test': 'sent',
  'jo@soon.test': 'expired',
} as const;
const TO = Object.keys(FATES);
const FAILED = ['nobody@plain.test', 'fred@null.test', 'gina@nowhere.test', 'jo@soon.test'];
const TOKEN = 'ten-fates';

if (havePostfix()) {
  describe('a message to ten recipients with ten fates', () => {
    const scene = useOutbound(['ann', 'bob']);
    const { server } = scene;
    let story: Story;
    let reports: Report[];

    beforeAll(async () => {
      const { elsewhere } = scene;
      const host = elsewhere.nextHost();
      scene.keep(await startRemotePostfix({ host, port: elsewhere.port, hostname: 'mx.plain.test', domains: ['plain.test'], users: ['carl'] }));
      elsewhere.route(host, 'plain.test').route(elsewhere.nextHost(), 'away.test');
      elsewhere.dns.mx('null.test', [0, '.']);
      await scene.sink(['grey.test'], { defers: ['RCPT'], deferral: '450 4.7.1 greylisted' });
      await scene.sink(['drops.test'], { hangsUp: ['.'] });
      await scene.sink(['nodsn.test'], { without: ['dsn'] });
      await scene.sink(['soon.test'], { defers: ['.'] });
      await scene.retry({ destinations: { 'soon.test': { table: [1] } } });
      const to = TO.map((address) => (address === 'ida@nodsn.test' ? { address, parameters: 'NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ida+2Bwork@nodsn.test' } : address));
      const body = Buffer.from(`From: <${addressOf('ann')}>\r\nTo: all\r\nSubject: ${TOKEN}\r\nMessage-ID: <${TOKEN}@x.test>\r\n\r\ntext\r\n`);
      const id = await scene.post({ to, parameters: 'RET=HDRS ENVID=fates-1', body });
      story = await scene.storyWith('all has happened', id, (told) =>
        dataOf(told, 'RecipientExpired').length === 1 && told.outcomes.length === TO.length
        && told.outcomes.every(({ ends }) => ends.length > 0 && ends.every((end) => end.kind !== 'waiting' || end.last !== undefined))
        && dataOf<{ addresses: readonly string[] }>(told, 'NoticeSent').flatMap((sent) => sent.addresses).length === FAILED.length + 1, 60_000);
      reports = await until('ann has every report', 20_000, async () => {
        const found = await Promise.all((await server.mailOf('ann')).map((mail) => parseReport(mail)));
        return found.flatMap((report) => report.recipients).length >= FAILED.length + 1 && found;
      });
    }, 150_000);

    server.it('has one story that tells them all', async () => {
      expect(Object.fromEntries(story.outcomes.map(({ recipient, ends }) => [recipient, ends.map((end) => end.kind)]))).toEqual(
        Object.fromEntries(Object.entries(FATES).map(([recipient, kind]) => [recipient, [kind]])),
      );
      expect(triesOf(story, 'dora@grey.test')).toMatchObject([{ outcome: 'deferred', cause: 'line', reply: '450 4.7.1 greylisted' }]);
      expect(triesOf(story, 'emil@away.test')).toMatchObject([{ outcome: 'deferred', cause: 'no-answer' }]);
      expect(triesOf(story, 'hans@drops.test')).toMatchObject([{ outcome: 'unknown', phase: 'end-of-data' }]);
      expect(triesOf(story, 'ida@nodsn.test')).toMatchObject([{ outcome: 'delivered', relayed: true }]);
      expect(triesOf(story, 'jo@soon.test').map((result) => result.outcome)).toEqual(['deferred', 'deferred']);
    });

    server.it('leaves those in the queue that may still be delivered', async () => {
      const waiting = await scene.waiting();
      expect(waiting.map((row) => row.address).sort()).toEqual(TO.filter((address) => FATES[address as keyof typeof FATES] === 'waiting').sort());
      for (const row of waiting) expect(row.nextAt).toBe(triesOf(story, row.address).at(-1)?.nextAt);
    });

    server.it('is reported to its sender: each failure once, the success that was asked for, and nothing else', async () => {
      const said = reports.flatMap((report) => report.recipients.map((fields) => `${fields.action} ${fields['final-recipient']}`));
      expect(said.sort()).toEqual([...FAILED.map((address) => `failed rfc822; ${address}`), 'relayed rfc822; ida@nodsn.test'].sort());
      for (const report of reports) {
        expect(report).toMatchObject({ type: 'multipart/report', reportType: 'delivery-status', defects: [] });
        expect(report.message).toMatchObject({ 'original-envelope-id': 'fates-1', 'reporting-mta': `dns; ${scene.hostname}`, 'arrival-date': expect.any(String) });
        expect(report.header).toMatchObject({ 'to': `<${addressOf('ann')}>`, 'auto-submitted': expect.stringMatching(/^auto-/), 'return-path': '<>' });
        expect(report.parts.map((part) => part.type)).toEqual(['text/plain', 'message/delivery-status', 'text/rfc822-headers']);
        expect(report.parts[2]?.text).toContain(`Subject: ${TOKEN}`);
      }
      const fields = new Map(reports.flatMap((report) => report.recipients).map((one) => [one['final-recipient'], one]));
      expect(fields.get('rfc822; ida@nodsn.test')).toMatchObject({ 'original-recipient': 'rfc822; ida+work@nodsn.test', 'status': expect.stringMatching(/^2\./) });
      expect(fields.get('rfc822; nobody@plain.test')).toMatchObject({ 'status': '5.1.1', 'remote-mta': 'dns; mx.plain.test', 'diagnostic-code': expect.stringMatching(/^smtp; 550 5\.1\.1 /) });
      expect(fields.get('rfc822; fred@null.test')).toMatchObject({ status: '5.1.10' });
      expect(fields.get('rfc822; gina@nowhere.test')).toMatchObject({ status: '5.1.2' });
      expect(fields.get('rfc822; gina@nowhere.test')).not.toHaveProperty('remote-mta');
    });
  });
}
