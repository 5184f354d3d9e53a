import { describe, expect, it } from '@jest/globals';
import { poolFor, poolProblemsOf, type SourcePool } from './source-pools.js';

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
