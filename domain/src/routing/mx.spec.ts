import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Route } from './hosts.js';
import { type HostOptions, hostsOf } from './mx.js';
import { MemoryDns, type Zone } from './testing/memory-dns.js';

const SELF = { names: ['mail.here.test'], ips: ['192.0.2.25', '2001:db8::25'], ports: [25] };
/** Nearly 1 leaves lists as they are, and lets IPv6 begin. */
const OPTIONS: HostOptions = { self: SELF, family: 'both', chance: () => 0.999, maxHosts: 20 };

const find = (zones: Record<string, Zone>, route: Route, options: Partial<HostOptions> = {}) => hostsOf(route, new MemoryDns(zones), { ...OPTIONS, ...options });
const mx = (domain: string): Route => ({ kind: 'mx', domain });
const gateway = (host: string, port = 587): Route => ({ kind: 'gateway', host, port, implicitTls: false });
/** `name ip` of each place, or the reply. */
async function places(zones: Record<string, Zone>, route: Route, options: Partial<HostOptions> = {}): Promise<readonly string[] | string> {
  const found = await find(zones, route, options);
  return found.kind === 'hosts' ? found.hosts.map(({ name, ip }) => `${name} ${ip}`) : `${found.kind}: ${found.reply}`;
}

describe('mail for a domain', () => {
  it('goes to its mail servers, the best first', async () => {
    const zones: Record<string, Zone> = {
      'x.test': { mx: [[20, 'b.x.test'], [10, 'a.x.test'], [30, 'c.x.test']] },
      'a.x.test': { a: ['198.51.100.1'] },
      'b.x.test': { aaaa: ['2001:db8::2'] },
      'c.x.test': { a: ['198.51.100.3'] },
    };
    expect(await find(zones, mx('x.test'))).toEqual({
      kind: 'hosts',
      hosts: [
        { name: 'a.x.test', ip: '198.51.100.1', port: 25, preference: 10, secure: false },
        { name: 'b.x.test', ip: '2001:db8::2', port: 25, preference: 20, secure: false },
        { name: 'c.x.test', ip: '198.51.100.3', port: 25, preference: 30, secure: false },
      ],
    });
  });

  it('goes to its own address when it has no mail servers', async () => {
    const zones = { 'x.test': { a: ['198.51.100.1'], aaaa: ['2001:db8::1'] } };
    expect(await find(zones, mx('x.test'), { family: 'prefer-ipv4' })).toMatchObject({
      hosts: [{ name: 'x.test', ip: '198.51.100.1', preference: 0 }, { name: 'x.test', ip: '2001:db8::1', preference: 0 }],
    });
  });

  it('never goes to its own address when it has mail servers, be they unreachable', async () => {
    const zones = { 'x.test': { mx: [[10, 'gone.test']] as const, a: ['198.51.100.1'] } };
    expect(await places(zones, mx('x.test'))).toBe('refused: 550 5.4.4 No mail server of x.test has a usable address');
  });

  it.each<[string, Record<string, Zone>, string]>([
    ['does not exist', {}, 'refused: 550 5.1.2 Domain x.test does not exist'],
    ['has neither mail server nor address', { 'x.test': {} }, 'refused: 550 5.4.4 No mail server of x.test has a usable address'],
    ['wants no mail', { 'x.test': { mx: [[0, '.']] } }, 'refused: 556 5.1.10 Domain x.test does not accept mail (null MX)'],
    ['cannot be asked about', { 'x.test': { mx: 'trouble', a: ['198.51.100.1'] } }, 'deferred: 451 4.4.3 No mail servers found for x.test yet: SERVFAIL'],
    ['has a mail server that cannot be asked about', { 'x.test': { mx: [[10, 'a.test']] }, 'a.test': { a: 'trouble' } }, 'deferred: 451 4.4.3 No address found for the mail servers of x.test yet: SERVFAIL'],
    ['has one mail server that does not exist, and another in trouble', { 'x.test': { mx: [[5, 'gone.test'], [10, 'a.test']] }, 'a.test': { a: 'trouble' } }, 'deferred: 451 4.4.3 No address found for the mail servers of x.test yet: SERVFAIL'],
    ['has an address instead of a mail server', { 'x.test': { mx: [[10, '198.51.100.1']] } }, 'refused: 550 5.4.4 No mail server of x.test has a usable address'],
  ])('that %s', async (_, zones, expected) => expect(await places(zones, mx('x.test'))).toBe(expected));

  it.each(['', 'x..test', 'x.test.', 'X.test', 'not a domain', '-'.repeat(300)])('%j is refused without asking, and not repeated', async (domain) => {
    const dns = new MemoryDns({});
    expect(await hostsOf(mx(domain), dns, OPTIONS)).toEqual({ kind: 'refused', reply: '550 5.1.2 Not a domain name' });
    expect(dns.asked).toEqual([]);
  });

  it('passes over mail servers without address, with nonsense for a name, and the root beside others', async () => {
    const zones: Record<string, Zone> = {
      'x.test': { mx: [[0, '.'], [1, 'gone.test'], [2, 'in trouble'], [3, 'trouble.test'], [4, 'fine.test']] },
      'trouble.test': { a: 'trouble', aaaa: 'trouble' },
      'fine.test': { a: ['198.51.100.1'], aaaa: 'trouble' },
    };
    expect(await places(zones, mx('x.test'))).toEqual(['fine.test 198.51.100.1']);
  });

  it('is spread over equal mail servers by chance', async () => {
    const names = ['a.test', 'b.test', 'c.test', 'd.test'];
    const zones: Record<string, Zone> = { 'x.test': { mx: [...names.map((name) => [10, name] as const), [5, 'first.test']] } };
    for (const [n, name] of [...names, 'first.test'].entries()) zones[name] = { a: [`198.51.100.${n}`] };
    let seed = 1;
    const chance = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const firsts = new Map<string, number>();
    for (let n = 0; n < 400; n++) {
      const found = await find(zones, mx('x.test'), { chance });
      const hosts = found.kind === 'hosts' ? found.hosts.map(({ name }) => name) : [];
      expect(hosts[0]).toBe('first.test');
      expect(hosts.toSorted()).toEqual([...names, 'first.test'].toSorted());
      firsts.set(hosts[1] ?? '', (firsts.get(hosts[1] ?? '') ?? 0) + 1);
    }
    for (const name of names) expect(firsts.get(name)).toBeGreaterThan(60);
  });
});

describe('the addresses of mail servers', () => {
  const zones: Record<string, Zone> = {
    'x.test': { mx: [[10, 'a.test'], [10, 'b.test'], [20, 'c.test']] },
    'a.test': { a: ['198.51.100.1'], aaaa: ['2001:db8::1'] },
    'b.test': { a: ['198.51.100.2'], aaaa: ['2001:db8::2'] },
    'c.test': { a: ['198.51.100.3'], aaaa: ['2001:db8::3'] },
  };
  const ips = async (options: Partial<HostOptions>) => {
    const found = await find(zones, mx('x.test'), options);
    return found.kind === 'hosts' ? found.hosts.map(({ ip }) => ip.replace('198.51.100.', 'v4-').replace('2001:db8::', 'v6-')) : found.reply;
  };

  it('alternate between families and hosts, within one preference', async () => {
    expect(await ips({ family: 'prefer-ipv6' })).toEqual(['v6-1', 'v4-2', 'v6-2', 'v4-1', 'v6-3', 'v4-3']);
    expect(await ips({ family: 'prefer-ipv4' })).toEqual(['v4-1', 'v6-2', 'v4-2', 'v6-1', 'v4-3', 'v6-3']);
  });

  it('begin with either family by chance when none is preferred', async () => {
    expect((await ips({ chance: () => 0.999 }))[0]).toMatch(/^v6/);
    expect((await ips({ chance: () => 0 }))[0]).toMatch(/^v4/);
  });

  it('are asked for and used of one family only where that is set', async () => {
    const dns = new MemoryDns(zones);
    expect(await hostsOf(mx('x.test'), dns, { ...OPTIONS, family: 'ipv4' })).toMatchObject({ hosts: [{ ip: '198.51.100.1' }, { ip: '198.51.100.2' }, { ip: '198.51.100.3' }] });
    expect(dns.asked.filter((question) => question.startsWith('aaaa'))).toEqual([]);
    expect(await ips({ family: 'ipv6' })).toEqual(['v6-1', 'v6-2', 'v6-3']);
  });

  it('are no more than wanted', async () => expect(await ips({ maxHosts: 2 })).toHaveLength(2));

  it('are each tried once, whatever the names', async () => {
    const twice: Record<string, Zone> = { 'x.test': { mx: [[10, 'a.test'], [20, 'b.test'], [30, 'a.test']] }, 'a.test': { a: ['198.51.100.1'] }, 'b.test': { a: ['198.51.100.1', '198.51.100.2'] } };
    expect(await places(twice, mx('x.test'))).toEqual(['a.test 198.51.100.1', 'b.test 198.51.100.2']);
  });

  it('are 5 of each host at most, of both families, and 20 hosts are asked about', async () => {
    const many = (prefix: string) => Array.from({ length: 50 }, (_, n) => `${prefix}${n + 1}`);
    const hosts = many('h').map((name, n) => [n, `${name}.test`] as const);
    const large: Record<string, Zone> = { 'x.test': { mx: hosts }, 'h1.test': { a: many('198.51.100.'), aaaa: many('2001:db8::1:') }, 'h2.test': { aaaa: many('2001:db8::2:') } };
    const dns = new MemoryDns(large);
    const found = await hostsOf(mx('x.test'), dns, { ...OPTIONS, maxHosts: 1000 });
    const byHost = Map.groupBy(found.kind === 'hosts' ? found.hosts : [], ({ name }) => name);
    expect([...byHost].map(([name, list]) => [name, list.filter(({ ip }) => ip.includes(':')).length, list.length])).toEqual([['h1.test', 3, 5], ['h2.test', 5, 5]]);
    expect(dns.asked).toHaveLength(1 + 40);
  });

  it.each(['0.0.0.0', '0.1.2.3', '127.0.0.1', '127.9.9.9', '224.0.0.1', '255.255.255.255', '::', '::1', 'ff02::1', 'fe80::1'])('never are %s', async (ip) => {
    const bad: Record<string, Zone> = { 'x.test': { mx: [[10, 'a.test']] }, 'a.test': ip.includes(':') ? { aaaa: [ip] } : { a: [ip] } };
    expect(await places(bad, mx('x.test'))).toBe('refused: 550 5.4.4 No mail server of x.test has a usable address');
  });

  it('may be private ones, and those of this machine where a test says so', async () => {
    const near: Record<string, Zone> = { 'x.test': { a: ['10.0.0.1'] }, 'y.test': { a: ['127.0.0.2'], aaaa: ['::1'] }, 'z.test': { a: ['0.0.0.0', '224.0.0.1'] } };
    expect(await places(near, mx('x.test'))).toEqual(['x.test 10.0.0.1']);
    expect(await places(near, mx('y.test'), { allowLoopback: true })).toEqual(['y.test ::1', 'y.test 127.0.0.2']);
    expect(await places(near, mx('z.test'), { allowLoopback: true })).toMatch(/^refused: 550 5\.4\.4/);
  });

  it('are secure only when every answer on the way was validated', async () => {
    const secure = async (domain: boolean, host: boolean) => {
      const found = await find({ 'x.test': { mx: [[10, 'a.test']], secure: domain }, 'a.test': { a: ['198.51.100.1'], secure: host } }, mx('x.test'));
      return found.kind === 'hosts' && found.hosts[0]?.secure;
    };
    expect([await secure(true, true), await secure(true, false), await secure(false, true)]).toEqual([true, false, false]);
    expect(await find({ 'x.test': { a: ['198.51.100.1'], secure: true } }, mx('x.test'))).toMatchObject({ hosts: [{ secure: true }] });
  });
});

describe('a server among the mail servers of a domain', () => {
  const backup: Record<string, Zone> = {
    'x.test': { mx: [[10, 'a.test'], [20, 'mail.here.test'], [20, 'equal.test'], [30, 'worse.test']] },
    'a.test': { a: ['198.51.100.1'] },
    'mail.here.test': { a: ['192.0.2.25'] },
    'equal.test': { a: ['198.51.100.2'] },
    'worse.test': { a: ['198.51.100.3'] },
  };
  const LOOP = 'refused: 554 5.4.6 Mail for x.test loops back to this server';

  it('sends to better ones only', async () => expect(await places(backup, mx('x.test'))).toEqual(['a.test 198.51.100.1']));

  it('knows itself by address under any name', async () => {
    const renamed: Record<string, Zone> = { ...backup, 'x.test': { mx: [[10, 'a.test'], [20, 'alias.test'], [30, 'worse.test']] }, 'alias.test': { a: ['198.51.100.9', '192.0.2.25'] } };
    expect(await places(renamed, mx('x.test'))).toEqual(['a.test 198.51.100.1']);
    expect(await places({ ...renamed, 'alias.test': { aaaa: ['2001:db8::25'] } }, mx('x.test'))).toEqual(['a.test 198.51.100.1']);
  });

  it('does not give up while a better one cannot be found', async () => {
    expect(await places({ ...backup, 'a.test': { a: 'trouble' } }, mx('x.test'))).toMatch(/^deferred: 451 4\.4\.3/);
    expect(await places({ ...backup, 'a.test': {} }, mx('x.test'))).toBe('refused: 550 5.4.4 No mail server of x.test has a usable address');
  });

  it.each<[string, Record<string, Zone>]>([
    ['by name', { 'x.test': { mx: [[10, 'mail.here.test'], [20, 'a.test']] }, 'a.test': { a: ['198.51.100.1'] } }],
    ['by address', { 'x.test': { mx: [[10, 'other.test'], [20, 'a.test']] }, 'other.test': { a: ['192.0.2.25'] }, 'a.test': { a: ['198.51.100.1'] } }],
    ['as one of several equal ones', { 'x.test': { mx: [[10, 'a.test'], [10, 'mail.here.test']] }, 'a.test': { a: ['198.51.100.1'] } }],
    ['without MX', { 'x.test': { a: ['192.0.2.25'] } }],
    ['behind twenty others in the list', { 'x.test': { mx: [...Array.from({ length: 30 }, (_, n) => [20, `h${n}.test`] as const), [10, 'mail.here.test']] } }],
  ])('is told of the loop when it is the best one (%s)', async (_, zones) => expect(await places(zones, mx('x.test'))).toBe(LOOP));

  it('is another server on another port', async () =>
    expect(await places(backup, mx('x.test'), { port: 2525 })).toEqual(expect.arrayContaining(['mail.here.test 192.0.2.25', 'worse.test 198.51.100.3'])));
});

describe('mail for an address literal', () => {
  it.each([
    ['[198.51.100.1]', '198.51.100.1'],
    ['[ipv6:2001:db8::1]', '2001:db8::1'],
  ])('%s goes there', async (domain, ip) => {
    const dns = new MemoryDns({});
    expect(await hostsOf(mx(domain), dns, OPTIONS)).toEqual({ kind: 'hosts', hosts: [{ name: ip, ip, port: 25, preference: 0, secure: false }] });
    expect(dns.asked).toEqual([]);
  });

  it.each([
    ['[192.0.2.25]', 'refused: 554 5.4.6 Mail for [192.0.2.25] loops back to this server'],
    ['[127.0.0.1]', 'refused: 550 5.4.4 No mail can be sent to [127.0.0.1]'],
    ['[ipv6:::]', 'refused: 550 5.4.4 No mail can be sent to [ipv6:::]'],
    ['[nonsense]', 'refused: 550 5.4.4 No mail can be sent to [nonsense]'],
  ])('%s is refused', async (domain, expected) => expect(await places({}, mx(domain))).toBe(expected));

  it('of a family that is not used is refused', async () => expect(await places({}, mx('[198.51.100.1]'), { family: 'ipv6' })).toMatch(/^refused: 550 5\.4\.4/));
});

describe('a gateway', () => {
  it('is found by the addresses of its name, never by MX', async () => {
    const dns = new MemoryDns({ 'gw.test': { mx: [[10, 'other.test']], a: ['198.51.100.1'], aaaa: ['2001:db8::1'], secure: true } });
    expect(await hostsOf(gateway('GW.test'), dns, OPTIONS)).toEqual({
      kind: 'hosts',
      hosts: [
        { name: 'gw.test', ip: '2001:db8::1', port: 587, preference: 0, secure: true },
        { name: 'gw.test', ip: '198.51.100.1', port: 587, preference: 0, secure: true },
      ],
    });
    expect(dns.asked).not.toContain('mx gw.test');
  });

  it.each(['198.51.100.1', '2001:db8::1', '127.0.0.1', '10.0.0.1'])('may be the address %s', async (ip) => {
    expect(await find({}, gateway(ip, 10_025), { family: 'ipv4' })).toEqual({ kind: 'hosts', hosts: [{ name: ip, ip, port: 10_025, preference: 0, secure: false }] });
  });

  it.each<[string, Route, string]>([
    ['does not exist', gateway('gone.test'), 'deferred: 451 4.3.5 Gateway gone.test has no usable address'],
    ['is in trouble', gateway('sick.test'), 'deferred: 451 4.4.3 No address found for gateway sick.test yet: SERVFAIL'],
    ['is this server by name', gateway('mail.here.test', 25), 'deferred: 451 4.3.5 Gateway mail.here.test is this server'],
    ['is this server by address', gateway('192.0.2.25', 25), 'deferred: 451 4.3.5 Gateway 192.0.2.25 is this server'],
    ['is this server by another name', gateway('here.test', 25), 'deferred: 451 4.3.5 Gateway here.test is this server'],
    ['is nonsense', gateway('no host'), 'deferred: 451 4.3.5 Gateway no host is neither name nor address'],
    ['leads nowhere', gateway('0.0.0.0'), 'deferred: 451 4.3.5 Gateway 0.0.0.0 has no usable address'],
  ])('that %s keeps mail waiting until somebody mends it', async (_, route, expected) =>
    expect(await places({ 'sick.test': { a: 'trouble' }, 'here.test': { a: ['192.0.2.25'] } }, route)).toBe(expected),
  );

  it('may be another server on this machine', async () => expect(await places({}, gateway('192.0.2.25', 10_025))).toEqual(['192.0.2.25 192.0.2.25']));
});

describe('whatever the DNS says', () => {
  const host = fc.constantFrom('a.test', 'b.test', 'mail.here.test', '.', '198.51.100.1', 'no name', 'x.test', 'gone.test');
  const ip = fc.oneof(fc.ipV4(), fc.constantFrom('127.0.0.1', '192.0.2.25', '0.0.0.0'));
  const answer = <T>(list: fc.Arbitrary<T[]>) => fc.oneof(list, fc.constant('trouble' as const));
  const zone = fc.record({ mx: answer(fc.array(fc.tuple(fc.nat(5), host), { maxLength: 6 })), a: answer(fc.array(ip, { maxLength: 8 })), aaaa: answer(fc.array(fc.ipV6(), { maxLength: 8 })), secure: fc.boolean() });
  const zones = fc.dictionary(fc.constantFrom('x.test', 'a.test', 'b.test', 'mail.here.test'), zone);

  it('there are places to try, never this server, in order of preference, or a reply', () =>
    fc.assert(
      fc.asyncProperty(zones, fc.constantFrom('both', 'ipv4', 'ipv6', 'prefer-ipv4', 'prefer-ipv6'), fc.double({ min: 0, max: 0.999, noNaN: true }), async (known, family, luck) => {
        const found = await find(known, mx('x.test'), { family, chance: () => luck });
        if (found.kind !== 'hosts') {
          expect(found.reply).toMatch(found.kind === 'refused' ? /^55\d 5\.\d+\.\d+ [ -~]+$/ : /^451 4\.\d+\.\d+ [ -~]+$/);
          return;
        }
        expect(found.hosts.length).toBeGreaterThan(0);
        expect(found.hosts.map(({ preference }) => preference)).toEqual(found.hosts.map(({ preference }) => preference).toSorted((a, b) => a - b));
        for (const place of found.hosts) expect(SELF.ips.includes(place.ip) || place.name === 'mail.here.test' || /^(0|127)\./.test(place.ip)).toBe(false);
      }),
      { numRuns: 500 },
    ));
});
