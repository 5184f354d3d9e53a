import { X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { havePostfix } from '../rig/remote/postfix-instance.js';
import { startRemotePostfix } from '../rig/remote/postfix-remote.js';
import { haveSmtpSink, type SinkOptions, startSmtpSink } from '../rig/remote/smtp-sink.js';
import { makeCertificate } from '../rig/test-ca.js';
import { until } from '../rig/until.js';
import { BODY, fates, messageOf, Stage, targetAt } from './testing.js';

const stage = new Stage();
const started: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await stage.end();
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

if (haveSmtpSink())
  describe('smtp-sink', () => {
    const sink = async (options: SinkOptions) => {
      const server = await startSmtpSink(options);
      started.push(server);
      return server;
    };

    it.each<[string, SinkOptions]>([['pipelined', {}], ['in lock-step', { without: ['pipelining'] }], ['with HELO only', { without: ['esmtp'] }]])(
      'takes several messages on a connection, %s',
      async (_, options) => {
        const server = await sink({ keep: true, ...options });
        const client = await stage.open(targetAt(server.port));
        for (let i = 0; i < 3; i++) expect(fates(await client.send(messageOf(BODY, { to: ['bob@y.test', 'cid@y.test'] })))[1]).toMatch(/^delivered /);
        await client.quit();
        const mails = await until('all are kept', 5000, () => server.mails().length === 3 && server.mails());
        expect(mails[0]).toMatchObject({ sender: 'ann@x.test', recipients: ['bob@y.test', 'cid@y.test'], message: BODY.replaceAll('\r\n', '\n') });
      },
    );

    it.each<[SinkOptions, string]>([
      [{ refuses: ['RCPT'], refusal: '550 5.1.1 nobody' }, 'refused refused RCPT 550 5.1.1 nobody'],
      [{ defers: ['.'], deferral: '452 4.2.2 full' }, 'deferred line end-of-data 452 4.2.2 full'],
      [{ hangsUp: ['.'] }, 'unknown line end-of-data 450 4.4.2 Connection dropped by host'],
      [{ hangsUp: ['RCPT'] }, 'deferred line RCPT 450 4.4.2 Connection dropped by host'],
      [{ hangsUpWith421: ['.'] }, 'deferred line end-of-data 421 '],
    ])('that fails is understood: %j', async (options, fate) => {
      const server = await sink(options);
      const client = await stage.open(targetAt(server.port));
      expect(fates(await client.send(messageOf()))[0]).toContain(fate);
    });
  });

if (havePostfix())
  describe('a remote Postfix', () => {
    it('is spoken to under TLS that DANE vouches for, and takes what has dots and bare line ends', async () => {
      const { cert, key } = await makeCertificate({ names: ['mx.remote.test'] });
      const server = await startRemotePostfix({ hostname: 'mx.remote.test', domains: ['remote.test'], users: ['bob'], tls: { level: 'encrypt', key, cert } });
      started.push(server);
      const data = new X509Certificate(cert).raw.toString('hex');
      const client = await stage.open(targetAt(server.port, { mode: 'required', verify: 'dane', names: ['mx.remote.test'], tlsa: [{ usage: 3, selector: 0, matching: 0, data }] }));
      expect(client.tls).toMatchObject({ version: 'TLSv1.3', verified: 'dane' });
      const results = fates(await client.send(messageOf('Subject: x\n\n.\nMAIL FROM:<eve@z.test>\r.\r\nend', { to: ['nobody@remote.test', 'bob@remote.test'] })));
      expect(results).toEqual([expect.stringMatching(/^refused refused RCPT 550 5\.1\.1 /), expect.stringMatching(/^delivered end-of-data 250 2\.0\.0 /)]);
      const [mail] = await until('it is in the Maildir', 10_000, () => server.mails('bob@remote.test').length === 1 && server.mails());
      expect(mail).toMatch(/\n\n\.\nMAIL FROM:<eve@z\.test>\n\.\nend\n$/);
    });
  });
