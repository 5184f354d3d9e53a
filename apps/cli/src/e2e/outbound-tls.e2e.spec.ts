import { createHash, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect } from '@jest/globals';
import type { AttemptResult, TlsOutcome } from '@kiroku/domain/delivery/queue-events.js';
import type { TlsReportRow } from '@kiroku/domain/tls-policy/views.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { openPool } from '@kiroku/infra/read-model/database.js';
import { signalAll } from '@kiroku/infra/rig/processes.js';
import { PolicyHost } from '@kiroku/infra/rig/remote/policy-host.js';
import { haveSmtpSink } from '@kiroku/infra/rig/remote/smtp-sink.js';
import type { ScriptedSmtp } from '@kiroku/infra/rig/scripted-smtp.js';
import { makeCertificate, type Pair } from '@kiroku/infra/rig/test-ca.js';
import { withDatabase } from '@kiroku/infra/supervise/local-database.js';
import { useFolder } from './harness.js';
import { attemptsIn, plain, type TimedAttempt, useOutbound } from './outbound-scene.js';

interface Elsewhere { readonly remote: ScriptedSmtp; readonly attempt: TimedAttempt; readonly result: AttemptResult }

if (haveSmtpSink()) {
  const folder = useFolder();
  let authority: Pair;
  beforeAll(async () => {
    authority = await makeCertificate({ commonName: 'Test Authority', ca: true });
    folder.file('ca.pem', authority.cert);
  });
  const scene = useOutbound([], () => ({ NODE_EXTRA_CA_CERTS: join(folder.path, 'ca.pem') }));
  const { server } = scene;
  let policies: PolicyHost;
  beforeAll(async () => {
    const { elsewhere } = scene;
    policies = scene.keep(await PolicyHost.start(elsewhere.nextHost(), elsewhere.httpsPort));
  });

  const issued = (...names: readonly string[]): Promise<Pair> => makeCertificate({ names, issuer: authority });

  /** A policy for the domain whose MX is `mx.<domain>`. @param shown by the server of the policy; default a good one. */
  async function publish(domain: string, mode: 'enforce' | 'testing', { mx = `mx.${domain}`, shown }: { readonly mx?: string; readonly shown?: Pair } = {}): Promise<void> {
    const { dns } = scene.elsewhere;
    dns.txt(`_mta-sts.${domain}`, ['v=STSv1; id=20260105;']).a(`mta-sts.${domain}`, policies.host);
    policies.publish(domain, `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx}\r\nmax_age: 86400\r\n`, shown ?? (await issued(`mta-sts.${domain}`)));
  }

  /** One message to a server of that certificate, whose domain wants reports. @param tls undefined: it knows no TLS. */
  async function mailTo(domain: string, tls: Pair | undefined): Promise<Elsewhere> {
    scene.elsewhere.dns.txt(`_smtp._tls.${domain}`, [`v=TLSRPTv1; rua=mailto:tls@${domain}`]);
    const remote = await scene.scripted([domain], {}, tls && { tls, extensions: ['PIPELINING', 'STARTTLS', '8BITMIME'] });
    const id = await scene.post({ to: [`carl@${domain}`], body: plain(domain) });
    const attempts = attemptsIn(await scene.tried(id));
    expect(attempts).toHaveLength(1);
    const [attempt] = attempts as [TimedAttempt];
    const [result] = attempt.results as [AttemptResult];
    return { remote, attempt, result };
  }

  /** Nothing was said about the message, not even in plain text; it waits. */
  function expectKept({ remote, result }: Elsewhere, reply: RegExp, cause = 'line'): void {
    expect(result).toMatchObject({ outcome: 'deferred', cause, reply: expect.stringMatching(reply), nextAt: expect.any(Number) });
    expect(remote.heard.filter((line) => /^MAIL/i.test(line))).toEqual([]);
  }
  function expectDelivered({ remote, attempt, result }: Elsewhere, verified: string): void {
    expect(result).toMatchObject({ outcome: 'delivered' });
    expect(attempt.tls).toMatchObject({ version: 'TLSv1.3', verified });
    expect(remote.messages).toHaveLength(1);
  }
  const outcome = (domain: string, policy: TlsOutcome['policy'], failure?: TlsOutcome['failure']): unknown => [
    { domain, policy, host: `mx.${domain}`, ip: expect.any(String), ...(failure && { failure }) },
  ];

  /** What a report about the domain would be made of. */
  const reportOf = (domain: string): Promise<readonly TlsReportRow[]> =>
    withDatabase(readConfig({ KIROKU_DATA: server.kiroku.data }), async (connection) => {
      const pool = openPool(connection, 1);
      const { rows } = await pool.query<TlsReportRow>('SELECT * FROM view.tls_report_1 WHERE domain = $1', [domain]);
      await pool.end();
      return rows;
    });

  describe('an MTA-STS policy that is enforced', () => {
    server.it('lets mail go to a server with the right certificate, and says that it was checked', async () => {
      await publish('good.test', 'enforce');
      const there = await mailTo('good.test', await issued('mx.good.test'));
      expectDelivered(there, 'mta-sts');
      expect(there.attempt.tlsOutcomes).toEqual(outcome('good.test', 'sts'));
      expect(policies.asked.filter((domain) => domain === 'good.test')).toHaveLength(1);
    });

    server.it('is fetched once, and holds after a restart at which nobody can look it up', async () => {
      const { dns } = scene.elsewhere;
      await publish('lasts.test', 'enforce');
      expectDelivered(await mailTo('lasts.test', await issued('mx.lasts.test')), 'mta-sts');
      for (const name of ['_mta-sts.lasts.test', 'mta-sts.lasts.test']) dns.misbehave(name, 'servfail');
      const [pid] = server.kiroku.pidsOf('delivery') as [number];
      signalAll([pid], 'SIGTERM');
      const there = await mailTo('lasts.test', await issued('mx.other.test'));
      expect(server.kiroku.pidsOf('delivery')).not.toEqual([pid]);
      expectKept(there, /certificate is not for mx\.lasts\.test$/);
      expect(policies.asked.filter((domain) => domain === 'lasts.test')).toHaveLength(1);
    });

    server.it('keeps mail from a server whose certificate is for another name', async () => {
      await publish('mismatch.test', 'enforce');
      const there = await mailTo('mismatch.test', await issued('mx.elsewhere.test'));
      expectKept(there, /^450 4\.7\.5 Server certificate not trusted: certificate is not for mx\.mismatch\.test$/);
      expect(there.result.phase).toBe('tls');
      expect(there.attempt.tlsOutcomes).toEqual(outcome('mismatch.test', 'sts', 'certificate-host-mismatch'));
    });

    server.it('keeps mail from a server whose certificate nobody vouches for', async () => {
      await publish('own.test', 'enforce');
      const there = await mailTo('own.test', await makeCertificate({ names: ['mx.own.test'] }));
      expectKept(there, /^450 4\.7\.5 Server certificate not trusted/);
      expect(there.attempt.tlsOutcomes).toEqual(outcome('own.test', 'sts', 'certificate-not-trusted'));
    });

    server.it('keeps mail from a server that offers no encryption', async () => {
      await publish('bare.test', 'enforce');
      const there = await mailTo('bare.test', undefined);
      expectKept(there, /^450 4\.7\.10 /);
      expect(there.attempt.tlsOutcomes).toEqual(outcome('bare.test', 'sts', 'starttls-not-supported'));
    });

    server.it('keeps mail from a server that it does not name, without calling it', async () => {
      await publish('unnamed.test', 'enforce', { mx: '*.mail.unnamed.test' });
      const there = await mailTo('unnamed.test', await issued('mx.unnamed.test'));
      expectKept(there, /^451 4\.7\.5 The MTA-STS policy of unnamed\.test does not name the MX mx\.unnamed\.test$/, 'no-answer');
      expect(there.remote.connections).toEqual([]);
    });

    server.it('does not count when it comes from a server with a certificate for another name', async () => {
      await publish('forged.test', 'enforce', { shown: await issued('mta-sts.elsewhere.test') });
      const there = await mailTo('forged.test', await makeCertificate({ names: ['anything.test'] }));
      expectDelivered(there, 'no');
      expect(there.attempt.tlsOutcomes).toEqual(outcome('forged.test', 'sts', 'sts-webpki-invalid'));
    });
  });

  describe('an MTA-STS policy that is only tested', () => {
    server.it('lets mail go all the same, and what it would have kept back is counted for the report', async () => {
      await publish('tested.test', 'testing');
      const there = await mailTo('tested.test', await issued('mx.elsewhere.test'));
      expectDelivered(there, 'no');
      expect(there.attempt.tlsOutcomes).toEqual(outcome('tested.test', 'sts', 'certificate-host-mismatch'));
      expect(await reportOf('tested.test')).toMatchObject([{ policy: 'sts', host: 'mx.tested.test', failure: 'certificate-host-mismatch', count: 1 }]);
    });
  });

  describe('TLSA records (DANE)', () => {
    const keyHash = ({ cert }: Pair): string => createHash('sha256').update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })).digest('hex');

    /** Says in the DNS which key the server of the domain has. @returns the names that the verdict of DNSSEC is about. */
    function promise(domain: string, data: string): readonly string[] {
      const name = `_${scene.elsewhere.port}._tcp.mx.${domain}`;
      scene.elsewhere.dns.tlsa(name, { usage: 3, selector: 1, matching: 1, data });
      return [domain, `mx.${domain}`, name];
    }

    server.it('vouch for a certificate that names nobody, where the resolver vouches for them', async () => {
      const pair = await makeCertificate({ names: ['nobody.test'] });
      scene.elsewhere.dns.secure(...promise('dane.test', keyHash(pair)));
      const there = await mailTo('dane.test', pair);
      expectDelivered(there, 'dane');
      expect(there.attempt.tlsOutcomes).toEqual(outcome('dane.test', 'tlsa'));
    });

    server.it('keep mail from a server with another key, whoever signed its certificate', async () => {
      scene.elsewhere.dns.secure(...promise('swapped.test', keyHash(await issued('mx.swapped.test'))));
      const there = await mailTo('swapped.test', await issued('mx.swapped.test'));
      expectKept(there, /^450 4\.7\.5 Server certificate not trusted: no TLSA record matches$/);
      expect(there.attempt.tlsOutcomes).toEqual(outcome('swapped.test', 'tlsa', 'validation-failure'));
      expect(await reportOf('swapped.test')).toMatchObject([{ policy: 'tlsa', failure: 'validation-failure', count: 1 }]);
    });

    server.it('keep mail from a server that offers no encryption', async () => {
      scene.elsewhere.dns.secure(...promise('stripped.test', '00'.repeat(32)));
      expectKept(await mailTo('stripped.test', undefined), /^450 4\.7\.10 /);
    });

    server.it('mean nothing where the resolver does not vouch for them', async () => {
      promise('unsigned.test', '00'.repeat(32));
      const there = await mailTo('unsigned.test', await makeCertificate({ names: ['nobody.test'] }));
      expectDelivered(there, 'no');
      expect(there.attempt.tlsOutcomes).toEqual(outcome('unsigned.test', 'no-policy-found'));
    });

    server.it('mean nothing where only they are signed and the way to the server is not', async () => {
      const [, , name] = promise('partly.test', '00'.repeat(32));
      scene.elsewhere.dns.secure(name!);
      expectDelivered(await mailTo('partly.test', await makeCertificate({ names: ['nobody.test'] })), 'no');
    });

    server.it('that cannot be looked up keep mail waiting: they may have been suppressed', async () => {
      const [domain, mx, name] = promise('hidden.test', '00'.repeat(32)) as [string, string, string];
      scene.elsewhere.dns.secure(domain, mx).misbehave(name, 'servfail');
      const there = await mailTo('hidden.test', await makeCertificate({ names: ['nobody.test'] }));
      expectKept(there, /^451 4\.7\.5 The TLSA records of mx\.hidden\.test cannot be had/, 'no-answer');
      expect(there.remote.connections).toEqual([]);
    });

    server.it('go before an MTA-STS policy', async () => {
      await publish('both.test', 'enforce');
      const pair = await makeCertificate({ names: ['nobody.test'] });
      scene.elsewhere.dns.secure(...promise('both.test', keyHash(pair)));
      expectDelivered(await mailTo('both.test', pair), 'dane');
    });
  });
}
