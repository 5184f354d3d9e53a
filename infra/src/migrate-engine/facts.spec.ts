import { beforeEach, describe, expect, it } from '@jest/globals';
import { type Entry, partitionOf } from '@kiroku/domain/kernel/event-log.js';
import { MemoryEventLog } from '../event-log/memory.js';
import { compareFacts, copyFacts, factsIn } from './facts.js';
import { MigrationRefused } from './steps.js';

/** A log with other partitions than the source: keys have to move. */
class Spread extends MemoryEventLog {
  readonly wide = 7;
  readonly #events: { topic: string; partition: number; key: string; event: Entry['event'] }[] = [];
  appends = 0;
  /** Appends after which nothing works any more. */
  breaksAfter = Infinity;

  override partitions(): number {
    return this.wide;
  }

  override append(entries: readonly Entry[]): Promise<void> {
    if (++this.appends > this.breaksAfter) {
      this.#take(entries.slice(0, Math.floor(entries.length / 2)));
      return Promise.reject(new Error('the broker is away'));
    }
    this.#take(entries);
    return Promise.resolve();
  }

  #take(entries: readonly Entry[]): void {
    for (const { topic, key, event } of entries) this.#events.push({ topic, partition: partitionOf(key, this.wide), key, event: JSON.parse(JSON.stringify(event)) as Entry['event'] });
  }

  in(topic: string, partition: number) {
    return this.#events.filter((e) => e.topic === topic && e.partition === partition).map(({ key, event }, position) => ({ position, key, event }));
  }

  /** Removes the newest event. */
  forgetNewest(): void {
    this.#events.pop();
  }

  override head(topic: string, partition: number): Promise<number> {
    return Promise.resolve(this.in(topic, partition).length);
  }

  override read(topic: string, partition: number, from: number, limit: number) {
    return Promise.resolve(this.in(topic, partition).slice(from, from + limit));
  }
}

const steps = { progress: () => undefined };
let [source, target]: [MemoryEventLog, Spread] = [undefined, undefined] as never;
const entry = (topic: Entry['topic'], n: number): Entry => ({
  topic, key: `K${n % 37}`, event: { id: `${topic}-${n}`, type: 'Noted', version: 1, at: 1_000 + n, actor: 'system:test', correlation: 'c', data: { n, text: '記録' } },
});
beforeEach(async () => {
  [source, target] = [new MemoryEventLog(), new Spread()];
  for (let n = 0; n < 5_000; n++) await source.append([entry('mail', n)]);
  for (let n = 0; n < 300; n++) await source.append([entry('session', n)]);
});

describe('facts that move to another log', () => {
  it('all arrive, in order per key and nearly in the order of time, whatever the numbers of partitions', async () => {
    const progress: number[] = [];
    const report = await copyFacts(source, target, { progress: ({ done, total }) => progress.push(done / total) });
    expect(report).toEqual({ events: 5_300, kept: 0, differences: [] });
    expect(progress.at(-1)).toBe(1);
    for (let partition = 0; partition < target.wide; partition++) {
      const found = target.in('mail', partition).map(({ key, event }) => ({ key, n: (event.data as { n: number }).n }));
      for (const numbers of Map.groupBy(found, ({ key }) => key).values()) expect(numbers).toEqual(numbers.toSorted((a, b) => a.n - b.n));
      let newest = 0;
      for (const { n } of found) {
        expect(newest - n).toBeLessThan(1_000);
        newest = Math.max(newest, n);
      }
    }
    expect(await factsIn(target)).toBe(5_300);
    expect(target.in('mail', partitionOf('K5', 7)).find(({ key }) => key === 'K5')?.event).toEqual(entry('mail', 5).event);
  });

  it('go on where a copy was cut off, and none is there twice', async () => {
    target.breaksAfter = 3;
    await expect(copyFacts(source, target, steps)).rejects.toThrow('the broker is away');
    target.breaksAfter = Infinity;
    const cut = await factsIn(target);
    expect(cut).toBeGreaterThan(3_000);
    expect(await copyFacts(source, target, steps)).toEqual({ events: 5_300, kept: cut, differences: [] });
    expect(await factsIn(target)).toBe(5_300);
    expect(await copyFacts(source, target, steps)).toMatchObject({ kept: 5_300, differences: [] });
  });

  it('stop when told to, and go on later', async () => {
    const cut = new AbortController();
    await expect(copyFacts(source, target, { progress: () => cut.abort(new Error('cut off')), signal: cut.signal })).rejects.toThrow('cut off');
    expect(await copyFacts(source, target, steps)).toMatchObject({ events: 5_300, differences: [] });
  });

  it.each([
    ['something else', [{ ...entry('mail', 0), event: { ...entry('mail', 0).event, id: 'other' } }]],
    ['more than there is', [{ ...entry('session', 0), key: 'nobody has this key' }]],
  ])('do not join %s', async (_, entries: readonly Entry[]) => {
    await target.append(entries);
    await expect(copyFacts(source, target, steps)).rejects.toThrow(MigrationRefused);
  });

  it('are compared without being written', async () => {
    expect((await compareFacts(source, target, steps)).differences).not.toEqual([]);
    expect(target.appends).toBe(0);
    await copyFacts(source, target, steps);
    expect(await compareFacts(source, target, steps)).toMatchObject({ events: 5_300, differences: [] });
    target.forgetNewest();
    expect((await compareFacts(source, target, steps)).differences).toEqual([expect.stringMatching(/^session\/\d: \d+ events, \d+ expected$/)]);
  });

  it('may be none', async () => {
    expect(await copyFacts(new MemoryEventLog(), target, steps)).toEqual({ events: 0, kept: 0, differences: [] });
  });
});
