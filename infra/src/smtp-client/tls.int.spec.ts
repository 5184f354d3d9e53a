import { createHash, X509Certificate } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { TlsDemand } from '@kiroku/domain/smtp-client/types.js';
import type { Reaction, Script, ScriptedOptions } from '../rig/scripted-smtp.js';
import { makeCertificate, type Pair } from '../rig/test-ca.js';
import { fates, messageOf, PATIENT, Stage, targetAt } from './testing.js';

const stage = new Stage();
afterEach(() => stage.end());

let ca: Pair, leaf: Pair, expired: Pair, middle: Pair, chained: Pair;
beforeAll(async () => {
  ca = await makeCertificate({ commonName: 'Test CA', ca: true });
  middle = await makeCertificate({ commonName: 'Test intermediate', ca: true, issuer: ca });
  leaf = await makeCertificate({ names: ['mx.y.test'], issuer: ca });
  expired = await makeCertificate({ names: ['mx.y.test'], issuer: ca, to: Date.now() - 60_000 });
  const below = await makeCertificate({ names: ['mx.y.test'], issuer: middle });
  chained = { cert: below.cert + middle.cert, key: below.key };
});

const EXTENSIONS = ['PIPELINING', 'STARTTLS', 'DSN', 'REQUIRETLS'];
const serve = (script: Script = {}, options: ScriptedOptions = {}) => stage.server(script, { extensions: EXTENSIONS, tls: leaf, ...options });
const trusting = () => ({ ca: [ca.cert] });
const spki = ({ cert }: Pair) => createHash('sha256').update(new X509Certificate(cert).publicKey.export({ format: 'der', type: 'spki' })).digest('hex');

describe('STARTTLS', () => {
  it('encrypts where it is offered, and EHLO is said again', async () => {
    const server = await serve();
    const client = await stage.open(targetAt(server.port, {}));
    expect(client.tls).toEqual({ version: 'TLSv1.3', cipher: expect.stringContaining('AES'), verified: 'no' });
    expect(server.heard).toEqual(['EHLO mail.x.test', 'STARTTLS', 'EHLO mail.x.test']);
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.connections[0]?.encrypted).toBe(true);
  });

  it('believes only what the server offers under TLS', async () => {
    const server = await serve({ EHLO: (_, c) => (c.encrypted ? '250 scripted.test' : undefined) });
    const client = await stage.open(targetAt(server.port, {}));
    await client.send(messageOf());
    expect(server.connections[0]?.reads.slice(-4)).toHaveLength(4); // lock-step: PIPELINING was offered in plain text only
    expect(server.connections[0]?.reads.at(-4)).toBe('MAIL FROM:<ann@x.test>\r\n');
  });

  it.each<[string, Partial<TlsDemand>, Script, readonly string[]]>([
    ['is not wanted', { mode: 'off' }, {}, EXTENSIONS],
    ['is not offered', {}, {}, ['PIPELINING']],
    ['is refused', {}, { STARTTLS: '454 4.7.0 not now' }, EXTENSIONS],
  ])('is done without when it %s', async (_, tls, script, extensions) => {
    const server = await serve(script, { extensions });
    const client = await stage.open(targetAt(server.port, tls));
    expect(client.tls).toBeUndefined();
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
  });

  it('that is required and not offered or refused ends the conversation', async () => {
    const without = await serve({}, { extensions: [] });
    expect(await stage.failure(targetAt(without.port, { mode: 'required' }))).toMatchObject({
      phase: 'STARTTLS', outcome: 'deferred', because: 'line', tlsFailed: true, reply: '450 4.7.10 Encryption required but STARTTLS not offered',
    });
    const refusing = await serve({ STARTTLS: '454 4.7.0 not now' });
    for (const demand of [{ mode: 'required' }, { mode: 'opportunistic', plainAfterFailure: false }] as const)
      expect(await stage.failure(targetAt(refusing.port, demand))).toMatchObject({ phase: 'STARTTLS', tlsFailed: true, reply: '450 4.7.5 STARTTLS refused: 454 4.7.0 not now' });
    expect([...without.heard, ...refusing.heard].some((line) => line.startsWith('MAIL'))).toBe(false);
  });

  it.each(['220 2.0.0 go\r\n250 2.1.0 injected\r\n', '220 2.0.0 go\r\n25'])('with plain text behind its answer is an attack: %j', async (raw) => {
    const server = await serve({ STARTTLS: { raw } });
    for (const mode of ['opportunistic', 'required'] as const)
      expect(await stage.failure(targetAt(server.port, { mode }))).toMatchObject({
        phase: 'STARTTLS', outcome: 'deferred', tlsFailed: true, reply: '450 4.7.5 Plain text injected after STARTTLS',
      });
  });

  it.each<[string, Reaction, Partial<typeof PATIENT>, RegExp]>([
    ['closes', { drop: true, say: '220 go' }, {}, /^450 4\.7\.5 TLS handshake failed: /],
    ['falls silent', { silent: true, say: '220 go' }, { tls: 60 }, /^450 4\.7\.5 TLS handshake failed: no answer$/],
  ])('whose handshake fails says so: the server %s', async (_, reaction, timeouts, reply) => {
    const server = await stage.server({ STARTTLS: reaction }, { extensions: EXTENSIONS });
    expect(await stage.failure(targetAt(server.port, {}), { timeouts: { ...PATIENT, ...timeouts } })).toMatchObject({
      phase: 'tls', outcome: 'deferred', because: 'line', tlsFailed: true, reply: expect.stringMatching(reply),
    });
  });

  it('fails where no version is common, and works where one is', async () => {
    const server = await serve({}, { tls: { ...leaf, maxVersion: 'TLSv1.2' } });
    expect(await stage.failure(targetAt(server.port, { minVersion: 'TLSv1.3' }))).toMatchObject({ phase: 'tls', tlsFailed: true });
    const client = await stage.open(targetAt(server.port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.2' }));
    expect(client.tls?.version).toBe('TLSv1.2');
  });
});

describe('implicit TLS', () => {
  it('comes before the greeting', async () => {
    const server = await serve({}, { implicitTls: true });
    const client = await stage.open(targetAt(server.port, { mode: 'implicit', verify: 'pkix' }), trusting());
    expect(client.tls).toMatchObject({ version: 'TLSv1.3', verified: 'pkix' });
    expect(server.heard).toEqual(['EHLO mail.x.test']);
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    await client.quit();
    expect(server.heard.at(-1)).toBe('QUIT');
  });

  it('fails with a server that speaks plain text', async () => {
    const server = await stage.server();
    expect(await stage.failure(targetAt(server.port, { mode: 'implicit' }))).toMatchObject({ phase: 'tls', outcome: 'deferred', tlsFailed: true });
  });

  it('carries a large message', async () => {
    const chunks = Array.from({ length: 40 }, () => Buffer.alloc(256 * 1024, 'x'.repeat(62).concat('\r\n')));
    const server = await serve({}, { implicitTls: true });
    const client = await stage.open(targetAt(server.port, { mode: 'implicit' }));
    expect(fates(await client.send(messageOf(chunks)))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.messages[0]?.body.equals(Buffer.concat(chunks))).toBe(true);
  });
});

describe('a certificate', () => {
  const check = async (tls: () => Pair, demand: Partial<TlsDemand>, roots: readonly string[] = [ca.cert]) => {
    const server = await serve({}, { tls: tls() });
    const target = targetAt(server.port, { mode: 'required', ...demand });
    try {
      return (await stage.open(target, { ca: roots })).tls?.verified;
    } catch (error) {
      expect(error).toMatchObject({ phase: 'tls', outcome: 'deferred', tlsFailed: true });
      return (error as Error).message;
    }
  };

  it.each<[string, string, () => Promise<unknown>, string]>([
    ['good', 'pkix', () => check(() => leaf, { verify: 'pkix' }), 'pkix'],
    ['good', 'mta-sts', () => check(() => leaf, { verify: 'mta-sts', names: ['other.test', 'MX.y.test'] }), 'mta-sts'],
    ['good, with an intermediate', 'pkix', () => check(() => chained, { verify: 'pkix' }), 'pkix'],
    ['of an unknown issuer', 'pkix', () => check(() => leaf, { verify: 'pkix' }, [middle.cert]), 'not trusted: '],
    ['of another host', 'pkix', () => check(() => leaf, { verify: 'pkix', names: ['mx.z.test', 'y.test'] }), 'certificate is not for mx.z.test, y.test'],
    ['of another host', 'mta-sts', () => check(() => leaf, { verify: 'mta-sts', names: ['mx.z.test'] }), 'certificate is not for mx.z.test'],
    ['that has expired', 'pkix', () => check(() => expired, { verify: 'pkix' }), 'not trusted: CERT_HAS_EXPIRED'],
    ['that has expired', 'no', () => check(() => expired, { verify: 'no' }), 'no'],
    ['named by TLSA 3 1 1', 'dane', () => check(() => leaf, { verify: 'dane', tlsa: [{ usage: 3, selector: 1, matching: 1, data: spki(leaf) }] }, []), 'dane'],
    ['named by TLSA 2 1 1 through an intermediate', 'dane', () => check(() => chained, { verify: 'dane', tlsa: [{ usage: 2, selector: 1, matching: 1, data: spki(middle) }] }, []), 'dane'],
    ['not named by TLSA', 'dane', () => check(() => leaf, { verify: 'dane', tlsa: [{ usage: 3, selector: 1, matching: 1, data: spki(ca) }] }), 'no TLSA record matches'],
  ])('%s is judged by %s', async (_, __, checked, expected) => {
    expect(await checked()).toContain(expected);
  });
});

describe('REQUIRETLS', () => {
  it('is passed on over a verified connection only', async () => {
    const server = await serve();
    const demand = messageOf('A: b\r\n', { requireTls: true });
    const verified = await stage.open(targetAt(server.port, { mode: 'required', verify: 'pkix' }), trusting());
    expect(fates(await verified.send(demand))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.messages[0]?.mail).toBe('FROM:<ann@x.test> REQUIRETLS');
    const unverified = await stage.open(targetAt(server.port, { mode: 'required' }));
    expect(fates(await unverified.send(demand))).toEqual(['refused refused MAIL 550 5.7.30 REQUIRETLS requires a verified TLS connection']);
  });
});
