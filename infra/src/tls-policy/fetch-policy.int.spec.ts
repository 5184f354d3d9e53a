import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { type FetchOptions, policyFetcher } from './fetch-policy.js';
import { isPublicAddress } from './public-address.js';
import { MemoryDns, testAuthority, testHttps, type TestAuthority, type TestHttps } from './testing.js';

const TEXT = 'version: STSv1\nmode: enforce\nmx: mx.x.test\nmax_age: 86400\n';
let authority: TestAuthority;
let stranger: TestAuthority;
const open: { close(): unknown }[] = [];
const asked: { url: string | undefined; host: string | undefined }[] = [];

beforeAll(async () => {
  authority = await testAuthority(Date.now());
  stranger = await testAuthority(Date.now());
});
afterAll(() => Promise.all(open.map((server) => server.close())));

const serve = async (respond: (response: ServerResponse) => void, { names = ['mta-sts.x.test'], days = 2, by = authority } = {}): Promise<TestHttps> => {
  const server = await testHttps(await by.issue(names, days), ({ url, headers: { host } }, response) => {
    asked.push({ url, host });
    respond(response);
  });
  open.push(server);
  return server;
};
const text = (body: string | Buffer, type = 'text/plain', status = 200, more: Record<string, string> = {}) => (response: ServerResponse): void => {
  response.writeHead(status, { 'content-type': type, ...more }).end(body);
};
const dns = (...ips: string[]): MemoryDns => new MemoryDns().set('a mta-sts.x.test', ips);
const fetchFrom = (port: number, more: Partial<FetchOptions> = {}) =>
  policyFetcher({ dns: dns('127.0.0.1'), ca: authority.ca, port, allowPrivate: true, ...more })('x.test');
const failure = (detail: string) => ({ failure: 'sts-policy-fetch-error', detail: expect.stringContaining(detail) });

describe('fetching an MTA-STS policy', () => {
  it('asks the well-known place under the name of the policy host', async () => {
    const { port } = await serve(text(TEXT, 'Text/Plain; charset=utf-8'));
    expect(await fetchFrom(port)).toEqual({ text: TEXT });
    expect(asked.at(-1)).toEqual({ url: '/.well-known/mta-sts.txt', host: 'mta-sts.x.test' });
  });

  it.each<[string, (response: ServerResponse) => void, string]>([
    ['follows no redirect', text('', 'text/plain', 301, { location: 'https://mta-sts.x.test/' }), 'answers 301'],
    ['takes nothing but 200', text(TEXT, 'text/plain', 404), 'answers 404'],
    ['takes nothing but text/plain', text(TEXT, 'text/html'), 'text/plain'],
    ['takes no type that only begins so', text(TEXT, 'text/plainly'), 'text/plain'],
    ['takes nothing compressed', text(TEXT, 'text/plain', 200, { 'content-encoding': 'gzip' }), 'encoding'],
    ['stops at 64 KB', text(`${TEXT}x: ${'x'.repeat(70_000)}`), 'longer than 65536'],
    ['does not take half a policy', (response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000' });
      response.write(TEXT, () => response.destroy());
    }, 'breaks off'],
  ])('%s', async (_, respond, detail) => expect(await fetchFrom((await serve(respond)).port)).toEqual(failure(detail)));

  it('stops a body that never ends, at once', async () => {
    const { port } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const more = (): void => void (response.destroyed || response.write('x: y\n'.repeat(1000), more));
      more();
    });
    expect(await fetchFrom(port)).toEqual(failure('longer than 65536'));
  });

  it.each([
    ['for another name', { names: ['www.x.test'] }, 'certificate-host-mismatch'],
    ['that has expired', { days: -1 }, 'certificate-expired'],
  ])('takes no certificate %s', async (_, options, words) => {
    const before = asked.length;
    expect(await fetchFrom((await serve(text(TEXT), options)).port)).toEqual({ failure: 'sts-webpki-invalid', detail: `mta-sts.x.test: ${words}` });
    expect(asked).toHaveLength(before);
  });

  it('takes no certificate of an authority that nobody trusts', async () => {
    expect(await fetchFrom((await serve(text(TEXT), { by: stranger })).port)).toMatchObject({ failure: 'sts-webpki-invalid' });
    expect(await policyFetcher({ dns: dns('127.0.0.1'), port: (await serve(text(TEXT))).port, allowPrivate: true })('x.test')).toMatchObject({ failure: 'sts-webpki-invalid' });
  });

  it('does not talk to servers in our own network', async () => {
    const { port } = await serve(text(TEXT));
    const before = asked.length;
    expect(await fetchFrom(port, { allowPrivate: false })).toEqual(failure('no address'));
    expect(asked).toHaveLength(before);
  });

  it('tries the next address when one does not answer', async () => {
    const { port } = await serve(text(TEXT));
    expect(await fetchFrom(port, { dns: dns('127.0.0.2', '127.0.0.1') })).toEqual({ text: TEXT });
  });

  it('knows when there is nobody to ask', async () => {
    expect(await fetchFrom(1)).toEqual(failure('ECONNREFUSED'));
    expect(await fetchFrom(1, { dns: new MemoryDns() })).toEqual(failure('no address'));
    expect(await fetchFrom(1, { dns: new MemoryDns().set('a mta-sts.x.test', 'trouble').set('aaaa mta-sts.x.test', 'trouble') })).toEqual(failure('no address'));
  });

  it('gives up in time: with a server that drips, one that is silent, and a DNS that is', async () => {
    const dripping = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const drip = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(drip));
    });
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    open.push(silent);
    expect(await fetchFrom(dripping.port, { timeout: 200 })).toMatchObject({ failure: 'sts-policy-fetch-error' });
    expect(await fetchFrom((silent.address() as AddressInfo).port, { timeout: 100 })).toMatchObject({ failure: 'sts-policy-fetch-error' });
    const never = (): Promise<never> => new Promise(() => undefined);
    expect(await fetchFrom(1, { timeout: 100, dns: { a: never, aaaa: never } })).toEqual(failure('no answer in time'));
  });
});

describe('a public address', () => {
  it.each(['8.8.8.8', '203.0.112.1', '2606:4700::1111', '2a00:1450:4001::1', '::ffff:8.8.8.8'])('is %s', (ip) => expect(isPublicAddress(ip)).toBe(true));
  it.each([
    '127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '::1', '::', 'fe80::1',
    'fc00::1', '64:ff9b::7f00:1', '2002:7f00:1::1', '2001::1', '2001:db8::1', '::ffff:127.0.0.1', 'ff02::1', 'no address',
  ])('is not %s', (ip) => expect(isPublicAddress(ip)).toBe(false));
});
