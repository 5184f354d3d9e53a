import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DEFAULT_RETRY, PMAIL_TABLE, type SenderClass } from './retry.js';
import { DEFAULT_RETRY_SETTINGS, parseRetrySettings, parseTable, policyFor, retryProblemsOf, type RetrySettings } from './retry-settings.js';

const HOUR = 3_600_000;

describe('the policy for a recipient', () => {
  const settings: RetrySettings = {
    base: { line: 9 * HOUR },
    senders: { authenticated: { noAnswer: 48 * HOUR }, notice: { line: 99 * HOUR, noAnswer: HOUR } },
    destinations: {
      'x.test': { interval: 1_001 }, '*.x.test': { interval: 1_002 }, '*.b.x.test': { interval: 1_003 }, '*': { interval: 1_004 }, '[192.0.2.1]': { interval: 1_005 },
    },
  };

  it('is the default where nothing is set', () => expect(policyFor(DEFAULT_RETRY_SETTINGS, 'y.test', 'outside')).toEqual(DEFAULT_RETRY));

  it.each([
    ['x.test', 1_001], ['a.x.test', 1_002], ['b.x.test', 1_002], ['a.b.x.test', 1_003], ['z.a.b.x.test', 1_003], ['ax.test', 1_004], ['y.test', 1_004],
    ['[192.0.2.1]', 1_005], ['[192.0.2.2]', 1_004], ['', 1_004],
  ])('for %s is that of the longest match', (destination, interval) => expect(policyFor(settings, destination, 'outside').interval).toBe(interval));

  it('changes the base by sender, and both by destination', () => {
    expect(policyFor(settings, 'y.test', 'authenticated')).toEqual({ ...DEFAULT_RETRY, line: 9 * HOUR, noAnswer: 48 * HOUR, interval: 1_004 });
    const one = { ...settings, destinations: { 'y.test': { noAnswer: 5 * HOUR } } };
    expect(policyFor(one, 'y.test', 'authenticated').noAnswer).toBe(5 * HOUR);
  });

  it('gives a notice less time, never more, and nobody hears of its delay', () =>
    expect(policyFor(settings, 'y.test', 'notice')).toMatchObject({ line: 9 * HOUR, noAnswer: HOUR, delayNotice: 0 }));

  it('is found once', () => expect(policyFor(settings, 'y.test', 'outside')).toBe(policyFor(settings, 'z.test', 'outside')));

  it('is found for any name', () =>
    fc.assert(fc.property(fc.string(), fc.constantFrom<SenderClass>('authenticated', 'outside', 'notice'), (name, sender) => {
      expect(policyFor(DEFAULT_RETRY_SETTINGS, name, sender).maxAge).toBe(DEFAULT_RETRY.maxAge);
    })));
});

describe('proposed settings', () => {
  it.each([
    ['nothing', {}],
    ['all of it', { base: DEFAULT_RETRY, senders: { notice: { line: HOUR } }, destinations: { 'x.test': {}, '*.x.test': { table: PMAIL_TABLE }, '*': {}, '[ipv6:2001:db8::1]': {} } }],
    ['the smallest numbers', { base: { refused: 0, line: 60_000, noAnswer: 60_000, interval: 1_000, longest: 1_000, jitter: 0, maxAge: 60_000, delayNotice: 0, table: [] } }],
    ['the greatest numbers', { base: { refused: 1_000, line: 2_592_000_000, interval: 86_400_000, jitter: 50, table: [604_800] } }],
  ])('are fine: %s', (_, settings) => {
    expect(retryProblemsOf(settings)).toEqual([]);
    expect(parseRetrySettings(settings)).toEqual({ ...DEFAULT_RETRY_SETTINGS, ...settings });
  });

  it.each([
    [null, 'expected base, senders and destinations'],
    [{ bases: {} }, 'bases: there is no such part'],
    [{ base: 3 }, 'base: expected a policy'],
    [{ base: { speed: 3 } }, 'base speed: there is no such setting'],
    [{ base: { refused: -1 } }, 'base refused: expected a whole number from 0 to 1000'],
    [{ base: { line: 0 } }, 'base line: expected a whole number from 60000 to 2592000000'],
    [{ base: { noAnswer: 1e12 } }, 'base noAnswer: expected a whole number from 60000 to 2592000000'],
    [{ base: { interval: 999 } }, 'base interval: expected a whole number from 1000 to 86400000'],
    [{ base: { asIs: 1 } }, 'base asIs: expected true or false'],
    [{ base: { jitter: 51 } }, 'base jitter: expected a whole number from 0 to 50'],
    [{ base: { table: [300, 0] } }, 'base table: expected a list of at most 1000 whole numbers of seconds, each from 1 to 604800'],
    [{ senders: { friends: {} } }, 'senders friends: expected authenticated, outside or notice'],
    [{ senders: { notice: { maxAge: '5d' } } }, 'senders notice maxAge: expected a whole number from 60000 to 2592000000'],
    [{ destinations: { 'X.test': {} } }, 'destinations X.test: expected a domain in lower case, *.domain or *'],
    [{ destinations: { 'a*.test': {} } }, 'destinations a*.test: expected a domain in lower case, *.domain or *'],
    [{ destinations: [] }, 'destinations: expected a policy for each name'],
  ])('%j are refused', (settings, problem) => {
    expect(retryProblemsOf(settings)).toEqual([problem]);
    expect(parseRetrySettings(settings)).toBeUndefined();
  });

  it('never throw, whatever they are', () =>
    fc.assert(fc.property(fc.oneof(fc.anything(), fc.record({ base: fc.anything(), destinations: fc.dictionary(fc.string(), fc.anything()) })), (data) => {
      expect(Array.isArray(retryProblemsOf(data))).toBe(true);
    })));
});

describe('a table of seconds', () => {
  it.each([
    ['300, 900, 1800,3600 10800\n21600 43200', PMAIL_TABLE],
    ['60', [60]],
    ['', undefined], ['0', undefined], ['5 min', undefined], ['1.5', undefined], ['700000', undefined],
  ])('%j', (text, table) => expect(parseTable(text)).toEqual(table));
});
