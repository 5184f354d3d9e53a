import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Route } from '@kiroku/domain/routing/hosts.js';
import { DnsResolver } from '../dns/resolver.js';
import { DnsServer } from '../rig/dns-server.js';
import { hostFinder, type HostSettings, ownIps } from './hosts.js';

const clock = { now: () => Date.UTC(2026, 0, 5, 12) };
const SETTINGS: HostSettings = { names: ['Mail.here.test'], publicIps: ['192.0.2.25'], ports: [25], family: 'prefer-ipv4', maxHosts: 10 };
const mx = (domain: string): Route => ({ kind: 'mx', domain });
let server: DnsServer;

beforeEach(async () => void (server = await DnsServer.start()));
afterEach(() => server.stop());

const finder = (changes: Partial<HostSettings> = {}) =>
  hostFinder({ dns: new DnsResolver({ servers: [server.address], clock }), clock, chance: () => 0.999, settings: () => ({ ...SETTINGS, ...changes }) });

describe('the way of mail to another server', () => {
  it('is found in the DNS, and validated where that says so', async () => {
    server
      .mx('x.test', [20, 'b.x.test'], [10, 'a.x.test'])
      .a('a.x.test', '198.51.100.1')
      .aaaa('a.x.test', '2001:db8::1')
      .cname('b.x.test', 'c.x.test')
      .a('c.x.test', '198.51.100.3')
      .secure('x.test', 'a.x.test');
    expect(await finder()(mx('x.test'))).toEqual({
      kind: 'hosts',
      hosts: [
        { name: 'a.x.test', ip: '198.51.100.1', port: 25, preference: 10, secure: true },
        { name: 'a.x.test', ip: '2001:db8::1', port: 25, preference: 10, secure: true },
        { name: 'b.x.test', ip: '198.51.100.3', port: 25, preference: 20, secure: false },
      ],
    });
  });

  it('ends where the DNS says no, and waits where it says nothing', async () => {
    server.mx('null.test', [0, '.']).misbehave('sick.test', 'servfail');
    const find = finder();
    expect(await find(mx('null.test'))).toMatchObject({ kind: 'refused', reply: expect.stringMatching(/^556 5\.1\.10 /) });
    expect(await find(mx('gone.test'))).toMatchObject({ kind: 'refused', reply: expect.stringMatching(/^550 5\.1\.2 /) });
    expect(await find(mx('sick.test'))).toEqual({ kind: 'deferred', reply: '451 4.4.3 No mail servers found for sick.test yet: SERVFAIL' });
  });

  it.each([
    ['a name of its own', 'mail.here.test', '198.51.100.9'],
    ['its address on the router', 'other.test', '192.0.2.25'],
    ['an address of this machine', 'other.test', '127.0.0.1'],
  ])('does not lead back to this server by %s', async (_, name, ip) => {
    server.mx('x.test', [10, name]).a(name, ip);
    expect(await finder({ allowLoopback: true })(mx('x.test'))).toEqual({ kind: 'refused', reply: '554 5.4.6 Mail for x.test loops back to this server' });
  });

  it('may lead to another port of this machine in a test', async () => {
    server.a('x.test', '127.0.0.1');
    expect(await finder({ allowLoopback: true, port: 2526 })(mx('x.test'))).toMatchObject({ hosts: [{ ip: '127.0.0.1', port: 2526 }] });
  });

  it('is asked for once by a thousand messages at the same time', async () => {
    server.mx('x.test', [10, 'a.x.test']).a('a.x.test', '198.51.100.1');
    const find = finder();
    const found = await Promise.all(Array.from({ length: 1000 }, () => find(mx('x.test'))));
    expect(found.every(({ kind }) => kind === 'hosts')).toBe(true);
    expect(server.asked.map(({ type }) => type).toSorted()).toEqual(['A', 'AAAA', 'MX']);
  });
});

describe('this machine', () => {
  it('knows its own addresses', () => expect(ownIps()).toContain('127.0.0.1'));
});
