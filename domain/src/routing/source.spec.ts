import { describe, expect, it } from '@jest/globals';
import type { Host } from './hosts.js';
import { poolOf, poolProblems, reachableFrom, sourceOf, type SourcePool } from './source.js';

const SHOP: SourcePool = { name: 'shop', senders: ['shop.test', '*.shop.test'], addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'] };
const OLD: SourcePool = { name: 'old', senders: ['old.test'], addresses: ['192.0.2.9'] };
const REST: SourcePool = { name: 'rest', senders: ['*'], addresses: ['192.0.2.100'] };
const REPORTS: SourcePool = { name: 'reports', senders: ['<>'], addresses: ['192.0.2.101'] };
const host = (ip: string): Host => ({ name: 'mx.test', ip, port: 25, preference: 10, secure: false });

describe('the address that mail goes out from', () => {
  it.each([
    ['ann@shop.test', 'shop'],
    ['ann@News.Shop.test', 'shop'],
    ['ann@myshop.test', 'rest'],
    ['bob@old.test', 'old'],
    ['', 'reports'],
  ])('for %j is of the pool %s', (sender, name) => expect(poolOf([REPORTS, SHOP, OLD, REST], sender)?.name).toBe(name));

  it('is left to the system where no pool fits', () => {
    expect(poolOf([SHOP], 'bob@old.test')).toBeUndefined();
    expect(poolOf([], 'bob@old.test')).toBeUndefined();
    expect(sourceOf(undefined, '198.51.100.1', 0)).toBeUndefined();
  });

  it('is of the family of the other side, any of the pool by chance', () => {
    expect([0, 0.49, 0.5, 0.999].map((chance) => sourceOf(SHOP, '198.51.100.1', chance))).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.2', '192.0.2.2']);
    expect(sourceOf(SHOP, '2001:db8::99', 0.999)).toBe('2001:db8::1');
  });

  it("is never another sender's: places of a family that the pool lacks are left out", () => {
    const hosts = [host('2001:db8::99'), host('198.51.100.1')];
    expect(reachableFrom(OLD, hosts)).toEqual([host('198.51.100.1')]);
    expect(reachableFrom(SHOP, hosts)).toEqual(hosts);
    expect(reachableFrom(undefined, hosts)).toEqual(hosts);
  });
});

describe('pools of addresses', () => {
  it('are accepted', () => expect(poolProblems([REPORTS, SHOP, OLD, REST])).toEqual([]));

  it.each([
    [[{ ...SHOP, name: '' }], 'pool "": expected a name of its own'],
    [[SHOP, { ...OLD, name: 'shop' }], 'pool "shop": expected a name of its own'],
    [[{ ...SHOP, senders: [] }], 'pool "shop": expected senders such as x.test, *.x.test, ann@x.test, <> or *'],
    [[{ ...SHOP, senders: ['Shop.test'] }], 'pool "shop": expected senders such as x.test, *.x.test, ann@x.test, <> or *'],
    [[{ ...SHOP, addresses: [] }], 'pool "shop": expected IP addresses of this machine'],
    [[{ ...SHOP, addresses: ['192.0.2.0/24'] }], 'pool "shop": expected IP addresses of this machine'],
  ])('are refused by name', (pools, problem) => expect(poolProblems(pools)).toEqual([problem]));
});
