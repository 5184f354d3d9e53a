import { describe, expect, it } from '@jest/globals';
import { report, type Results } from './report.js';
import { median } from './settle.js';

const machine = { cores: 2, cpu: 'test', memoryGiB: 4, kernel: '6', node: 'v24', folder: '/tmp', fsyncMs: 0.5, loadBefore: 0, stolen: 0.126 };
const empty: Results = { machine, versions: [], generator: 'smtp-source', quick: false };
const lineWith = (text: string, results: Partial<Results>): string =>
  report({ ...empty, ...results }).split('\n').find((line) => line.includes(text)) ?? '';

describe('a report', () => {
  it('begins with the machine, and with what its host took meanwhile', () => {
    expect(report(empty)).toMatch(/^2 cores .*fdatasync 0\.50 ms in \/tmp; load before 0; the host took 13 % of the processors' time meanwhile\n/);
  });

  it('says what mail costs on the cluster engines, and whether they keep up with the embedded ones', () => {
    const figures = (rate: number, cpu: Readonly<Record<string, number>>) => ({ rate, cpu, busy: 0.9 });
    const engines = [
      { what: 'embedded', accept: figures(2000, { Kiroku: 400 }), e2e: figures(1500, { Kiroku: 500 }) },
      { what: 'cluster', accept: figures(1400, { Kiroku: 420, Kafka: 200 }), e2e: figures(750, { Kiroku: 500, Kafka: 300 }), ratio: { accept: 0.7, e2e: 0.5 } },
    ];
    expect(lineWith('cluster  ', { engines })).toMatch(/1400 \/s\s+90 %\s+0\.70 ×\s+750 \/s\s+90 %\s+0\.50 ×.*NOT MET/);
    expect(lineWith('cluster: accepted', { engines })).toMatch(/620 µs\s+420 µs\s+200 µs\s+90 %/);
    expect(lineWith('embedded: accepted', { engines })).toMatch(/400 µs\s+400 µs\s+–/);
  });

  it('tells the times of a large mailbox, and what it took of memory', () => {
    const imapLarge = { rows: [{ what: 'SELECT', ms: 3.21 }, { what: 'COPY', ms: 12_345.6 }], memory: 650e6 };
    expect(lineWith('SELECT', { imapLarge })).toMatch(/SELECT +3\.2 ms$/);
    expect(lineWith('COPY', { imapLarge })).toMatch(/COPY +12346 ms$/);
    expect(lineWith('the most', { imapLarge })).toMatch(/650 MB$/);
  });

  const cell = { size: 3072, connections: 50, keep: true };

  it('says that a target is met when it is reached exactly, and not below', () => {
    const row = (own: number): string => lineWith('3 KB', { accept: [{ ...cell, rates: { Postfix: 1000, Kiroku: own } }] });
    expect(row(4000)).toMatch(/4\.00 × +≥ 4 × +met$/);
    expect(row(3990)).toMatch(/3\.99 × +≥ 4 × +NOT MET$/);
  });

  it('judges acceptance where the target was set, and tells the other cases without', () => {
    const other = { ...cell, connections: 10, rates: { Postfix: 1000, Kiroku: 4000 } };
    expect(lineWith('10 kept', { accept: [other] })).toMatch(/4\.00 ×$/);
  });

  it('judges nothing where the peer is absent', () => {
    expect(lineWith('3 KB', { accept: [{ ...cell, rates: { Kiroku: 4000 } }] })).toMatch(/– +4000 \/s +– +≥ 4 × +–$/);
  });

  it('judges replay by events per second and memory by the peak of the sum of PSS', () => {
    expect(lineWith('mailbox', { replay: [{ view: 'mailbox', events: 49_999, seconds: 1 }] })).toMatch(/NOT MET$/);
    expect(lineWith('session', { replay: [{ view: 'session', events: 148, seconds: 1 }] })).toMatch(/–$/);
    const memory = { server: 'Kiroku', senders: 50, bytesEach: 50e6, idle: { rss: 1, pss: 1 }, processes: 9, seconds: 5 };
    expect(lineWith('at once', { memory: [{ ...memory, peak: { rss: 900e6, pss: 499e6 } }] })).toMatch(/ met$/);
    expect(lineWith('at once', { memory: [{ ...memory, peak: { rss: 900e6, pss: 500e6 } }] })).toMatch(/NOT MET$/);
  });
});

describe('a report of sending on', () => {
  const figure = (rate: number, queue: number) => ({ rate, cpu: 1, memory: { all: 2 * queue, queue } });
  const lines = (own: number, queue: number): string[] =>
    report({
      ...empty,
      outbound: {
        rows: [
          { what: 'one destination', figures: { Postfix: figure(500, 5e6), Kiroku: figure(own, 80e6) } },
          { what: 'one destination, 100 waiting', figures: { Postfix: figure(500, 9e6), Kiroku: figure(own, queue) } },
        ],
        waiting: { Postfix: 100, Kiroku: 100 },
      },
    }).split('\n');

  it('judges the rate by the peer and the memory by what it was before the queue grew', () => {
    const lineOf = (all: readonly string[], start: string): string => all.find((line) => line.startsWith(start)) ?? '';
    expect(lineOf(lines(1000, 100e6), 'one destination, 3 KB')).toMatch(/2\.00 × +≥ 2 × +met$/);
    expect(lineOf(lines(999, 100e6), 'one destination, 3 KB')).toMatch(/NOT MET$/);
    expect(lineOf(lines(1000, 100e6), 'Kiroku, 100 waiting')).toMatch(/80 MB +100 MB +1\.25 × +≤ 1\.25 × +met$/);
    expect(lineOf(lines(1000, 101e6), 'Kiroku, 100 waiting')).toMatch(/NOT MET$/);
    expect(lineOf(lines(1000, 101e6), 'Postfix, 100 waiting')).toMatch(/1\.80 ×$/);
  });
});

describe('a median', () => {
  it('is the middle value, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});
