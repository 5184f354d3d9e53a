import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DnsTrouble } from '@kiroku/domain/routing/dns.js';
import { DnsServer, FORGED_IP, type Misbehaviour } from '../rig/dns-server.js';
import { until } from '../rig/until.js';
import { DNS_DEFAULTS, DnsResolver, type DnsOptions } from './resolver.js';

const NOON = Date.UTC(2026, 0, 5, 12);
let now = NOON;
let server: DnsServer;
let second: DnsServer;
const sockets: Socket[] = [];

beforeEach(async () => {
  now = NOON;
  [server, second] = await Promise.all([DnsServer.start(), DnsServer.start()]);
});
afterEach(async () => {
  await Promise.all([server.stop(), second.stop()]);
  for (const socket of sockets.splice(0)) socket.close();
});

/** ms, on a machine that may be busy; and where silence is what is to be seen. */
const PATIENT = { perTry: 5_000, total: 20_000 };
const HASTY = { perTry: 1_500, total: 20_000 };

const resolver = (options: Partial<DnsOptions> = {}): DnsResolver =>
  new DnsResolver({ servers: [server.address], clock: { now: () => now }, times: PATIENT, ...options });
const found = (...records: unknown[]) => ({ kind: 'found', records, secure: false });
const trouble = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'no trouble',
    (error: unknown) => {
      expect(error).toBeInstanceOf(DnsTrouble);
      return (error as Error).message;
    },
  );

/** An address on which something listens in UDP, and says nothing. */
async function silence(): Promise<string> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'listening');
  return `127.0.0.1:${socket.address().port}`;
}

describe('the DNS', () => {
  it('tells records of every kind, in lower case and without trailing dots', async () => {
    server
      .mx('x.test', [20, 'MX2.x.test.'], [10, 'mx1.x.test'])
      .mx('null.test', [0, '.'])
      .a('mx1.x.test', '192.0.2.1', '192.0.2.2')
      .aaaa('mx1.x.test', '2001:db8::1', '::ffff:192.0.2.9')
      .txt('x.test', ['v=STSv1; ', 'id=1'], ['other'])
      .tlsa('_25._tcp.mx1.x.test', { usage: 3, selector: 1, matching: 1, data: 'c0ffee' });
    const dns = resolver();
    expect(await dns.mx('X.test.')).toEqual(found({ preference: 20, host: 'mx2.x.test' }, { preference: 10, host: 'mx1.x.test' }));
    expect(await dns.mx('null.test')).toEqual(found({ preference: 0, host: '.' }));
    expect(await dns.a('mx1.x.test')).toEqual(found('192.0.2.1', '192.0.2.2'));
    expect(await dns.aaaa('mx1.x.test')).toEqual(found('2001:db8::1'));
    expect(await dns.txt('x.test')).toEqual(found('v=STSv1; id=1', 'other'));
    expect(await dns.tlsa('_25._tcp.mx1.x.test')).toEqual(found({ usage: 3, selector: 1, matching: 1, data: 'c0ffee' }));
  });

  it('tells a name without such records from one that does not exist', async () => {
    server.a('x.test', '192.0.2.1').a('deep.below.x.test', '192.0.2.1');
    const dns = resolver();
    expect(await dns.mx('x.test')).toEqual({ kind: 'none', nxdomain: false, secure: false });
    expect(await dns.a('below.x.test')).toEqual({ kind: 'none', nxdomain: false, secure: false });
    expect(await dns.mx('y.test')).toEqual({ kind: 'none', nxdomain: true, secure: false });
  });

  it('is not asked about what cannot be a name', async () => {
    expect(await resolver().a('no name')).toEqual({ kind: 'none', nxdomain: true, secure: false });
    expect(server.asked).toEqual([]);
  });

  it('is asked about names without a dot, and special ones, like about others', async () => {
    server.a('localhost', '127.0.0.1');
    expect(await resolver().a('localhost')).toEqual(found('127.0.0.1'));
  });

  it('is asked with random ids from random ports, with EDNS and for the AD bit', async () => {
    const dns = resolver();
    await Promise.all(Array.from({ length: 20 }, (_, n) => dns.a(`h${n}.test`)));
    const distinct = (pick: (asked: DnsServer['asked'][number]) => number) => new Set(server.asked.map(pick)).size;
    expect(distinct(({ id }) => id)).toBeGreaterThan(15);
    expect(distinct(({ from }) => from)).toBeGreaterThan(15);
    expect(server.asked.every(({ edns, wantsAd, over }) => edns && wantsAd && over === 'udp')).toBe(true);
  });
});

describe('a chain of CNAMEs', () => {
  const chain = (length: number): void => {
    for (let n = 1; n <= length; n++) server.cname(`c${n}.test`, n === length ? 'end.test' : `c${n + 1}.test`);
    server.a('end.test', '192.0.2.1');
  };

  it.each([1, 8])('of %i is followed', async (length) => {
    chain(length);
    expect(await resolver().a('c1.test')).toEqual(found('192.0.2.1'));
  });

  it('of 9 is too long, and a ring has no end', async () => {
    chain(9);
    server.cname('ring1.test', 'ring2.test').cname('ring2.test', 'ring1.test');
    expect(await trouble(resolver().a('c1.test'))).toBe('too many CNAMEs');
    expect(await trouble(resolver().a('ring1.test'))).toBe('too many CNAMEs');
  });

  it('is followed to its end where the server gives it piece by piece', async () => {
    chain(3);
    server.misbehave('c1.test', 'cut').misbehave('c2.test', 'cut').misbehave('c3.test', 'cut');
    expect(await resolver().a('c1.test')).toEqual(found('192.0.2.1'));
    expect(server.asked.map(({ name }) => name)).toEqual(['c1.test', 'c2.test', 'c3.test', 'end.test']);
  });

  it('may lead to nothing', async () => {
    server.cname('c1.test', 'gone.test').cname('c2.test', 'end.test').a('end.test', '192.0.2.1');
    expect(await resolver().a('c1.test')).toEqual({ kind: 'none', nxdomain: true, secure: false });
    expect(await resolver().mx('c2.test')).toEqual({ kind: 'none', nxdomain: false, secure: false });
  });
});

describe('an answer', () => {
  beforeEach(() => void server.a('x.test', '192.0.2.1'));

  it('with the wrong id, another question or from another port is not believed', async () => {
    server.misbehave('x.test', 'forge');
    expect(await resolver().a('x.test')).toEqual(found('192.0.2.1'));
  });

  it('that is forged is no answer at all', async () => {
    server.misbehave('x.test', 'forge-only');
    expect(await trouble(resolver({ times: HASTY }).a('x.test'))).toBe('no answer in time');
    expect(server.count('x.test')).toBe(3);
  });

  it('is sought by TCP when somebody guesses ids', async () => {
    server.misbehave('x.test', 'flood');
    const answer = await resolver().a('x.test');
    expect(answer).toEqual(found('192.0.2.1'));
    expect(JSON.stringify(answer)).not.toContain(FORGED_IP);
    expect(server.asked.map(({ over }) => over)).toEqual(['udp', 'tcp']);
  });

  it('whose records cannot be read is trouble, never a no', async () => {
    server.aaaa('mapped.test', '::ffff:192.0.2.1');
    expect(await trouble(resolver().aaaa('mapped.test'))).toBe('unreadable records');
  });

  it('may repeat the question in capitals', async () => {
    server.misbehave('x.test', 'shout');
    expect(await resolver().a('x.test')).toEqual(found('192.0.2.1'));
  });

  it('too large for UDP comes by TCP', async () => {
    const ips = Array.from({ length: 900 }, (_, n) => `198.51.${n >> 8}.${n & 0xff}`);
    server.a('large.test', ...ips).misbehave('large.test', 'truncate');
    expect(await resolver().a('large.test')).toEqual(found(...ips));
    expect(server.asked.map(({ over }) => over)).toEqual(['udp', 'tcp']);
  });

  it('of an old server is had without EDNS', async () => {
    server.misbehave('*', 'no-edns');
    expect(await resolver().a('x.test')).toEqual(found('192.0.2.1'));
    expect(server.asked.map(({ edns }) => edns)).toEqual([true, false]);
  });
});

describe('a server in trouble', () => {
  beforeEach(() => {
    server.a('x.test', '192.0.2.1');
    second.a('x.test', '192.0.2.2');
  });

  it.each<[Misbehaviour, string]>([
    ['servfail', 'SERVFAIL'],
    ['refused', 'REFUSED'],
    ['garbage', 'unreadable answer'],
    ['referral', 'the DNS server does not resolve names'],
  ])('(%s) is not asked again; the next one is', async (how, said) => {
    server.misbehave('*', how);
    expect(await trouble(resolver().mx('x.test'))).toBe(said);
    expect(server.count('x.test')).toBe(1);
    expect(await resolver({ servers: [server.address, second.address] }).a('x.test')).toEqual(found('192.0.2.2'));
  });

  it('that is silent is asked again in turn, and last from then on', async () => {
    server.misbehave('*', 'silent');
    const dns = resolver({ servers: [server.address, second.address], times: HASTY });
    expect(await dns.a('x.test')).toEqual(found('192.0.2.2'));
    server.misbehave('*', undefined);
    await dns.aaaa('x.test');
    expect([server.count('x.test'), second.count('x.test')]).toEqual([1, 2]);
  });

  it('that answers the second time has answered', async () => {
    server.misbehave('*', 'silent');
    const answer = resolver({ times: HASTY }).a('x.test');
    await until('the first question', 5_000, () => server.asked.length > 0);
    server.misbehave('*', undefined);
    expect(await answer).toEqual(found('192.0.2.1'));
    expect(server.asked).toHaveLength(2);
  });

  it('that is silent by TCP is silent', async () => {
    server.misbehave('x.test', 'truncate-only');
    expect(await resolver({ servers: [server.address, second.address], times: HASTY }).a('x.test')).toEqual(found('192.0.2.2'));
    expect(server.asked.map(({ over }) => over)).toEqual(['udp', 'tcp']);
  });

  it('costs no more than its time, with others as silent', async () => {
    server.misbehave('x.test', 'silent');
    const servers = [await silence(), server.address, await silence()];
    expect(await trouble(resolver({ servers, times: { perTry: 1_500, total: 3_750 } }).a('x.test'))).toBe('no answer in time');
    // Without the total there would be three rounds of three servers.
    expect(server.asked).toHaveLength(1);
  });

  it('that does not run is noticed at once', async () => {
    const gone = await DnsServer.start();
    const { address } = gone;
    await gone.stop();
    expect(await resolver({ servers: [address, second.address] }).a('x.test')).toEqual(found('192.0.2.2'));
    expect(await trouble(resolver({ servers: [address] }).a('x.test'))).toBe('DNS server not reachable: ECONNREFUSED');
  });
});

describe('equal questions', () => {
  it('share one query, a thousand of them', async () => {
    server.a('x.test', '192.0.2.1');
    const dns = resolver();
    const answers = await Promise.all(Array.from({ length: 1000 }, () => dns.a('x.test')));
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set([JSON.stringify(found('192.0.2.1'))]));
    expect(server.asked).toHaveLength(1);
  });

  it('share one query also when nothing may be kept, and its failure', async () => {
    server.misbehave('*', 'servfail');
    const dns = resolver({ settings: () => ({ ...DNS_DEFAULTS, cacheTime: 0 }) });
    expect(await Promise.all([1, 2, 3].map(() => trouble(dns.a('x.test'))))).toEqual(['SERVFAIL', 'SERVFAIL', 'SERVFAIL']);
    expect(server.asked).toHaveLength(1);
  });

  it('do not keep different ones waiting, though only so many are asked at once', async () => {
    const names = Array.from({ length: 1000 }, (_, n) => `h${n}.test`);
    for (const name of names) server.a(name, '192.0.2.1');
    const dns = resolver();
    const answers = await Promise.all(names.map((name) => dns.a(name)));
    expect(answers.every(({ kind }) => kind === 'found')).toBe(true);
    expect(server.asked).toHaveLength(1000);
  });
});

describe('what was answered', () => {
  const asked = (): number => server.asked.length;

  it.each([
    ['its TTL', 300, 300_000],
    ['5 s when its TTL is less', 0, 5_000],
    ['a day when its TTL is more', 1_000_000, 86_400_000],
    ['5 s when its TTL is out of range', 0xffffffff, 5_000],
  ])('is kept for %s', async (_, ttl, kept) => {
    server.ttl = ttl;
    server.a('x.test', '192.0.2.1');
    const dns = resolver();
    await dns.a('x.test');
    now += kept - 1;
    expect(await dns.a('x.test')).toEqual(found('192.0.2.1'));
    expect(asked()).toBe(1);
    now += 1;
    await dns.a('x.test');
    expect(asked()).toBe(2);
  });

  it('is kept for the shortest TTL on the way', async () => {
    server.a('end.test', '192.0.2.1');
    server.ttl = 30;
    server.cname('x.test', 'end.test');
    const dns = resolver();
    await dns.a('x.test');
    now += 30_000;
    await dns.a('x.test');
    expect(asked()).toBe(2);
  });

  it('is kept as long as the settings say now, MX records by their own', async () => {
    server.ttl = 1_000_000;
    server.mx('x.test', [10, 'mx.x.test']).a('x.test', '192.0.2.1');
    let settings = DNS_DEFAULTS;
    const dns = resolver({ settings: () => settings });
    const again = async (): Promise<number> => {
      await Promise.all([dns.mx('x.test'), dns.a('x.test')]);
      return asked();
    };
    await again();
    now += 2 * 86_400_000;
    expect(await again()).toBe(3);
    settings = { ...DNS_DEFAULTS, mxCacheTime: 0 };
    expect(await again()).toBe(4);
    expect(await again()).toBe(5);
  });

  it('is forgotten when told so', async () => {
    const dns = resolver();
    await dns.a('x.test');
    dns.clear();
    await dns.a('x.test');
    expect(asked()).toBe(2);
  });

  it.each([
    ['as its SOA record says', 60, 60_000],
    ['a quarter of an hour when that says more', 86_400, 900_000],
    ['5 s when there is none', undefined, 5_000],
  ])('with no is kept %s', async (_, negativeTtl, kept) => {
    server.negativeTtl = negativeTtl;
    const dns = resolver();
    await dns.mx('y.test');
    now += kept - 1;
    expect(await dns.mx('y.test')).toEqual({ kind: 'none', nxdomain: true, secure: false });
    expect(asked()).toBe(1);
    now += 1;
    await dns.mx('y.test');
    expect(asked()).toBe(2);
  });

  it('is not asked for 5 s where there was trouble, and then again', async () => {
    server.a('x.test', '192.0.2.1').misbehave('*', 'servfail');
    const dns = resolver();
    await trouble(dns.a('x.test'));
    server.misbehave('*', undefined);
    now += 4_999;
    expect(await trouble(dns.a('x.test'))).toBe('SERVFAIL');
    now += 1;
    expect(await dns.a('x.test')).toEqual(found('192.0.2.1'));
  });

  it('longest ago is forgotten first when there is too much', async () => {
    const dns = resolver({ entries: 2 });
    for (const name of ['a.test', 'b.test', 'a.test', 'c.test', 'a.test']) await dns.a(name);
    expect(asked()).toBe(3);
    await dns.a('b.test');
    expect(asked()).toBe(4);
  });
});

describe('a validated answer', () => {
  it('is secure, also a denial', async () => {
    server.a('x.test', '192.0.2.1').a('plain.test', '192.0.2.1').secure('x.test', 'y.test');
    const dns = resolver();
    expect(await dns.a('x.test')).toMatchObject({ kind: 'found', secure: true });
    expect(await dns.a('y.test')).toEqual({ kind: 'none', nxdomain: true, secure: true });
    expect(await dns.a('plain.test')).toMatchObject({ kind: 'found', secure: false });
  });

  it('is secure only when every piece of it is', async () => {
    server.cname('x.test', 'end.test').a('end.test', '192.0.2.1').misbehave('x.test', 'cut').secure('x.test');
    expect(await resolver().a('x.test')).toMatchObject({ kind: 'found', secure: false });
    server.secure('end.test');
    expect(await resolver().a('x.test')).toMatchObject({ kind: 'found', secure: true });
  });

  it('is secure only when it comes from this machine, or the way to the server is trusted', async () => {
    server.a('x.test', '192.0.2.1').secure('x.test');
    // The same server, by an address that does not look like this machine's own.
    const servers = [`0.0.0.0:${server.port}`];
    expect(await resolver({ servers }).a('x.test')).toMatchObject({ kind: 'found', secure: false });
    expect(await resolver({ servers, settings: () => ({ ...DNS_DEFAULTS, trustResolver: true }) }).a('x.test')).toMatchObject({ secure: true });
  });
});
