import { describe, expect, it } from '@jest/globals';
import { report, type Results } from './report.js';
import { median } from './settle.js';

const machine = { cores: 2, cpu: 'test', memoryGiB: 4, kernel: '6', node: 'v24', folder: '/tmp', fsyncMs: 0.5, loadBefore: 0 };
const empty: Results = { machine, versions: [], generator: 'smtp-source', quick: false };
const lineWith = (text: string, results: Partial<Results>): string =>
  report({ ...empty, ...results }).split('\n').find((line) => line.includes(text)) ?? '';

describe('a report', () => {
  const cell = { size: 3072, connections: 50, keep: true };

  it('says that a target is met when it is reached exactly, and not below', () => {
    const row = (own: number): string => lineWith('3 KB', { accept: [{ ...cell, rates: { Postfix: 1000, Kiroku: own } }] });
    expect(row(4000)).toMatch(/4\.00 × +≥ 4 × +met$/);
    expect(row(3990)).toMatch(/3\.99 × +≥ 4 × +NOT MET$/);
  });

  it('judges nothing where the peer is absent', () => {
    expect(lineWith('3 KB', { accept: [{ ...cell, rates: { Kiroku: 4000 } }] })).toMatch(/– +4000 \/s +– +≥ 4 × +–$/);
  });

  it('judges replay by events per second and memory by the peak of the sum of PSS', () => {
    expect(lineWith('mailbox', { replay: [{ view: 'mailbox', events: 49_999, seconds: 1 }] })).toMatch(/NOT MET$/);
    const memory = { server: 'Kiroku', senders: 50, bytesEach: 50e6, idle: { rss: 1, pss: 1 }, processes: 9, seconds: 5 };
    expect(lineWith('at once', { memory: [{ ...memory, peak: { rss: 900e6, pss: 499e6 } }] })).toMatch(/ met$/);
    expect(lineWith('at once', { memory: [{ ...memory, peak: { rss: 900e6, pss: 500e6 } }] })).toMatch(/NOT MET$/);
  });
});

describe('a median', () => {
  it('is the middle value, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});
