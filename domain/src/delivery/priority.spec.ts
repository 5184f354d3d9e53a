import { describe, expect, it } from '@jest/globals';
import { DEFAULT_PRIORITY, priorityFor, priorityOf, priorityProblemsOf, type PrioritySettings } from './priority.js';

const letter = { sender: 'ann@x.test', login: 'ann@x.test' };
const outside = { sender: 'eve@else.test' };
const notice = { sender: '' };

describe('the priority of a message', () => {
  it('is usual for letters, after them mailings, after these notices', () => {
    const [first, second, third] = [letter, { ...outside, bulk: true as const }, notice].map((message) => priorityFor(DEFAULT_PRIORITY, message, 'y.test'));
    expect([first, second, third]).toEqual([0, 10, 20]);
    expect(priorityFor(DEFAULT_PRIORITY, outside, 'y.test')).toBe(0);
  });

  it('is the sum of what fits, within bounds', () => {
    const settings: PrioritySettings = { senders: { outside: 5, authenticated: -5 }, bulk: 7, destinations: { 'y.test': -20, '*.y.test': 3, '*': 1 } };
    expect(priorityFor(settings, letter, 'y.test')).toBe(-25);
    expect(priorityFor(settings, { ...outside, bulk: true }, 'a.y.test')).toBe(15);
    expect(priorityFor(settings, letter, '[192.0.2.1]')).toBe(-4);
    expect(priorityFor({ senders: { outside: 90 }, bulk: 90, destinations: {} }, { ...outside, bulk: true }, 'y.test')).toBe(100);
    expect(priorityFor({ senders: { outside: -90 }, bulk: -90, destinations: {} }, { ...outside, bulk: true }, 'y.test')).toBe(-100);
  });

  it('has its defaults where administrators say nothing', () => {
    expect(priorityOf({ bulk: 3 })).toEqual({ senders: { notice: 20 }, bulk: 3, destinations: {} });
    expect(priorityOf({ senders: { authenticated: -5 } }).senders).toEqual({ authenticated: -5, notice: 20 });
  });
});

describe('settings of priorities', () => {
  it.each<[unknown]>([[{}], [{ bulk: -100 }], [{ senders: { authenticated: 1, outside: 2, notice: 100 }, destinations: { '*.y.test': -1, '[192.0.2.1]': 2, '*': 0 } }]])(
    '%j will do', (settings) => expect(priorityProblemsOf(settings)).toEqual([]));

  it.each<[unknown, string]>([
    [[], 'expected senders, bulk and destinations'],
    [{ bulk: 101 }, 'bulk: expected a whole number from -100 to 100'],
    [{ bulk: '1' }, 'bulk: expected a whole number from -100 to 100'],
    [{ senders: { friends: 1 } }, 'senders friends: expected authenticated, outside or notice'],
    [{ senders: 1 }, 'senders: expected a number for each name'],
    [{ destinations: { 'Y.test': 1 } }, 'destinations Y.test: expected a domain in lower case, *.domain or *'],
    [{ destinations: { 'y.test': 1.5 } }, 'destinations y.test: expected a whole number from -100 to 100'],
    [{ colour: 1 }, 'colour: there is no such part'],
  ])('%j will not', (settings, problem) => expect(priorityProblemsOf(settings)).toEqual([problem]));
});
