import { describe, expect, it } from '@jest/globals';
import { poolFor, poolProblemsOf, type SourcePool, sourcesFor } from './source-pools.js';

const news: SourcePool = { sender: '*.news.test', addresses: ['192.0.2.1'] };
const picky: SourcePool = { destination: 'picky.test', addresses: ['192.0.2.2'] };
const notices: SourcePool = { sender: '<>', destination: '*', addresses: ['192.0.2.3'] };
const rest: SourcePool = { sender: 'x.test', addresses: ['192.0.2.4', '2001:db8::4'] };
const pools = { pools: [news, picky, notices, rest] };

describe('the pool of local addresses', () => {
  it.each<[string, string, SourcePool | undefined]>([
    ['picky.test', 'ann@a.News.test', news],
    ['picky.test', 'ann@news.test', picky],
    ['y.test', '', notices],
    ['[192.0.2.9]', '', notices],
    ['y.test', 'ann@x.test', rest],
    ['y.test', 'ann@y.test', undefined],
  ])('for mail to %s from <%s> is the first that fits', (destination, sender, pool) => expect(poolFor(pools, destination, sender)).toBe(pool));

  it('without a condition fits all, the null sender too', () => {
    const all = { addresses: ['192.0.2.1'] };
    for (const sender of ['', 'ann@x.test']) expect(poolFor({ pools: [all] }, 'y.test', sender)).toBe(all);
  });
});

describe('the local addresses for a host', () => {
  const both = ['192.0.2.1', '2001:db8::1', '192.0.2.2'];

  it('are those of its family in the order set, or any that the system chooses', () => {
    expect(sourcesFor('198.51.100.1', undefined, both, 0.9)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(sourcesFor('2001:db8::9', undefined, both, 0)).toEqual(['2001:db8::1']);
    expect(sourcesFor('198.51.100.1', undefined, ['2001:db8::1'], 0)).toEqual([undefined]);
  });

  it('of a pool are taken by chance, and are none where it has none of the family', () => {
    for (const [chance, first] of [[0, '192.0.2.1'], [0.49, '192.0.2.1'], [0.5, '192.0.2.2'], [1, '192.0.2.2']] as const) {
      const sources = sourcesFor('198.51.100.1', both, [], chance);
      expect([sources[0], sources.length]).toEqual([first, 2]);
    }
    expect(sourcesFor('2001:db8::9', ['192.0.2.1'], ['2001:db8::1'], 0)).toEqual([]);
  });
});

describe('settings of pools', () => {
  it('are taken when they make sense', () => expect(poolProblemsOf(pools)).toEqual([]));

  it.each<[unknown, string]>([
    [[], 'expected pools, a list'],
    [{ pools: [], rules: [] }, 'rules: there is no such part'],
    [{ pools: [{}] }, 'pool 1: addresses: expected 1 to 256 IP addresses'],
    [{ pools: [news, { addresses: ['192.0.2.256'] }] }, 'pool 2: addresses: expected 1 to 256 IP addresses'],
    [{ pools: [{ ...news, sender: 'ann@x.test' }] }, 'pool 1: sender: expected a domain in lower case, *.domain or *, or <>'],
    [{ pools: [{ ...news, destination: '<>' }] }, 'pool 1: destination: expected a domain in lower case, *.domain or *'],
    [{ pools: [{ ...news, weight: 1 }] }, 'pool 1: weight: there is no such part'],
  ])('%j are not', (settings, problem) => expect(poolProblemsOf(settings)).toEqual([problem]));
});
