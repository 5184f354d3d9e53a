import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Append, CheckpointMoved, type EventStore, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type EventLog, partitionOf, type Positioned, type Slice, type Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';

/** What the contract needs: a log, the store that writes its topic `decision`, and a way to end. */
export interface History {
  readonly log: EventLog;
  readonly store: EventStore;
  /** The same log in another process, where several may use it. */
  readonly other?: EventLog;
  close(): Promise<void>;
}

export const fact = (n: number, correlation = 'c'): Recorded => ({
  id: `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`, type: 'Noted', version: 1, at: n, actor: 'system:test', correlation, data: { n },
});

/** Everything in one partition, page by page. */
export async function readAll(log: EventLog, topic: Topic, partition: number, page = 100): Promise<Positioned[]> {
  const all: Positioned[] = [];
  for (;;) {
    const events = await log.read(topic, partition, all.at(-1) ? (all.at(-1) as Positioned).position + 1 : 0, page);
    if (events.length === 0) return all;
    all.push(...events);
  }
}

const numbers = (events: readonly { event: Recorded }[]): number[] => events.map((p) => (p.event.data as { n: number }).n);

/** The promises of the ports event log and event store; every adapter passes them. */
export function describeHistory(name: string, make: () => Promise<History>): void {
  describe(`the ${name} event log`, () => {
    let h: History;
    beforeAll(async () => void (h = await make()));
    afterAll(() => h.close());

    it('gives back what was appended, in order per key, at positions that count up', async () => {
      await h.log.append([1, 2, 3].map((n) => ({ topic: 'mail' as const, key: 'K1', event: fact(n) })));
      await h.log.append([{ topic: 'mail', key: 'K1', event: fact(4) }]);
      const events = await readAll(h.log, 'mail', partitionOf('K1', h.log.partitions('mail')));
      expect(numbers(events)).toEqual([1, 2, 3, 4]);
      expect(events.map((e) => e.position)).toEqual([0, 1, 2, 3]);
      expect(events[0]).toEqual({ position: 0, key: 'K1', event: fact(1) });
    });

    it('forgets facts up to where it says that it can, and reads on at the first one kept', async () => {
      const partition = partitionOf('old', h.log.partitions('session'));
      const before = await h.log.head('session', partition);
      for (const first of [0, 5]) await h.log.append(Array.from({ length: 5 }, (_, n) => ({ topic: 'session' as const, key: 'old', event: fact(first + n) })));
      const head = await h.log.head('session', partition);
      expect(head).toBe(before + 10);
      const cut = await h.log.forgettable('session', partition, head - 2);
      expect(cut).toBeGreaterThanOrEqual(before + 5);
      expect(cut).toBeLessThanOrEqual(head - 2);
      await h.log.forget('session', partition, cut);
      expect((await h.log.read('session', partition, 0, 100)).map((e) => e.position)).toEqual(Array.from({ length: head - cut }, (_, n) => cut + n));
      expect((await h.log.at('session', partition, [cut - 1, cut])).map((e) => e.position)).toEqual([cut]);
      expect(await h.log.forgettable('session', partition, cut)).toBeLessThanOrEqual(cut);
      await h.log.forget('session', partition, await h.log.forgettable('session', partition, head));
      expect(await h.log.read('session', partition, 0, 100)).toEqual([]);
      await h.log.append([{ topic: 'session', key: 'old', event: fact(11) }]);
      expect((await h.log.read('session', partition, 0, 100)).map((e) => e.position)).toEqual([head]);
    });

    it('reads from any position, also inside what was appended together, and no more than asked for', async () => {
      const partition = partitionOf('K1', h.log.partitions('mail'));
      expect(numbers(await h.log.read('mail', partition, 1, 2))).toEqual([2, 3]);
      expect(numbers(await h.log.read('mail', partition, 3, 10))).toEqual([4]);
      expect(await h.log.read('mail', partition, 4, 10)).toEqual([]);
      expect(await h.log.head('mail', partition)).toBe(4);
    });

    it('looks up events by their positions, whichever of them exist', async () => {
      const partition = partitionOf('K1', h.log.partitions('mail'));
      const all = await readAll(h.log, 'mail', partition);
      expect(await h.log.at('mail', partition, [3, 1, 99])).toEqual([all[1], all[3]]);
      expect(await h.log.at('mail', partition, [])).toEqual([]);
      await h.store.append([{ stream: 'looked-up', expected: 0, events: [1, 2, 3].map((n) => fact(n)) }]);
      const decided = await readAll(h.log, 'decision', 0);
      expect(await h.log.at('decision', 0, decided.map((e) => e.position))).toEqual(decided);
    });

    it('keeps topics apart', async () => {
      await h.log.append([{ topic: 'session', key: 'K1', event: fact(9) }, { topic: 'mail', key: 'K9', event: fact(10) }]);
      expect(numbers(await readAll(h.log, 'session', partitionOf('K1', h.log.partitions('session'))))).toEqual([9]);
    });

    it('leaves out none of the types that are asked for, whatever events of other types look like, and tells how far it looked', async () => {
      const kinds = ['Noted', 'Wanted', 'Noted', 'Noted', 'Wanted', 'Noted', 'Noted', 'Noted', 'Noted'];
      for (const [n, type] of kinds.entries()) {
        const event = { ...fact(n), type, data: { n, type: 'Wanted', text: '"type":"Wanted"' } };
        await h.store.append([{ stream: `typed-${n}`, expected: 0, events: n % 2 === 0 ? [event] : [event, fact(n)] }]);
        await h.log.append([{ topic: 'session', key: 'typed', event }]);
      }
      for (const [topic, partition] of [['decision', 0], ['session', partitionOf('typed', h.log.partitions('session'))]] as const)
        for (const [size, wanted] of [[1, ['Wanted']], [3, ['Wanted', 'Unheard']], [100, ['Wanted']], [4, ['Unheard']]] as const) {
          const [types, head] = [new Set<string>(wanted), await h.log.head(topic, partition)];
          const found: Positioned[] = [];
          for (let at = 0; at < head; ) {
            const page = await h.log.read(topic, partition, at, size, types);
            const last = (page.at(-1) as Positioned).position;
            expect(last).toBeGreaterThanOrEqual(at);
            expect(last).toBeLessThan(head);
            expect(page.length).toBeLessThanOrEqual(size);
            found.push(...page.filter((e) => types.has(e.event.type)));
            at = last + 1;
          }
          expect(found).toEqual((await readAll(h.log, topic, partition)).filter((e) => types.has(e.event.type)));
        }
      expect(await h.log.read('decision', 0, await h.log.head('decision', 0), 10, new Set(['Wanted']))).toEqual([]);
    });

    it('tells where the next page begins, if it tells, as it then does, and leaves nothing out', async () => {
      for (let n = 0; n < 12; n++) {
        await h.store.append([{ stream: `paged-${n}`, expected: 0, events: Array.from({ length: 1 + (n % 5) }, () => fact(n)) }]);
        await h.log.append(Array.from({ length: 1 + (n % 3) }, () => ({ topic: 'session' as const, key: 'paged', event: fact(n) })));
      }
      for (const [topic, partition] of [['decision', 0], ['session', partitionOf('paged', h.log.partitions('session'))]] as const)
        for (const size of [1, 2, 4, 7, 100]) {
          const [head, found]: [number, Positioned[]] = [await h.log.head(topic, partition), []];
          for (let at = 0; at < head; ) {
            let told: number | undefined;
            const page = await h.log.read(topic, partition, at, size, undefined, (next) => (told = next));
            expect(page.length).toBeLessThanOrEqual(size);
            at = (page.at(-1) as Positioned).position + 1;
            expect([undefined, at]).toContain(told);
            found.push(...page);
          }
          expect(found).toEqual(await readAll(h.log, topic, partition));
        }
    });

    it('appends nothing for an empty list', async () => {
      await expect(h.log.append([])).resolves.toBeUndefined();
    });

    it('hands every event to a consumer once, in the order of each partition, also those appended later', async () => {
      const seen: Slice[] = [];
      let enough: () => void = () => undefined;
      const all = new Promise<void>((resolve) => (enough = resolve));
      const subscription = await h.log.consume({
        group: 'readers', topics: ['mail'], batch: 2,
        start: () => Promise.resolve(0),
        handle: (slice) => {
          seen.push(slice);
          if (seen.flatMap((s) => s.events).length === 25) enough();
          return Promise.resolve();
        },
        trouble: (error) => { throw error; },
      });
      for (let n = 100; n < 120; n++) await h.log.append([{ topic: 'mail', key: `L${n}`, event: fact(n) }]);
      await all;
      await subscription.stop();
      for (let partition = 0; partition < h.log.partitions('mail'); partition++) {
        const slices = seen.filter((s) => s.partition === partition);
        expect(slices.flatMap((s) => s.events)).toEqual(await readAll(h.log, 'mail', partition));
        for (const slice of slices) {
          expect(slice.events.length).toBeLessThanOrEqual(2);
          expect(slice.next).toBe((slice.events.at(-1) as Positioned).position + 1);
        }
      }
    });

    it('goes on from the start position of the consumer, and again from there after a failure', async () => {
      const partition = partitionOf('K1', h.log.partitions('mail'));
      const tried: number[][] = [];
      const troubles: unknown[] = [];
      let enough: () => void = () => undefined;
      const done = new Promise<void>((resolve) => (enough = resolve));
      const subscription = await h.log.consume({
        group: 'stumblers', topics: ['mail'], batch: 2,
        start: (_, p) => (p === partition ? Promise.resolve(2) : h.log.head('mail', p)),
        handle: (slice) => {
          tried.push(numbers(slice.events));
          if (tried.length === 1) return Promise.reject(new Error('stumbled'));
          enough();
          return Promise.resolve();
        },
        trouble: (error) => troubles.push(error),
      });
      await done;
      await subscription.stop();
      expect(tried[0]?.[0]).toBe(3);
      expect(tried[1]).toEqual(tried[0]);
      expect(troubles).toEqual([new Error('stumbled')]);
    });

    it('lets one member of a group at a time have a partition, and passes it on when the member leaves', async () => {
      const owners = new Map<number, Set<string>>();
      let both: () => void = () => undefined;
      const running = new Map<number, string>();
      const member = (who: string, log: EventLog) =>
        log.consume({
          group: 'sharers', topics: ['mail'], batch: 100,
          start: () => Promise.resolve(0),
          handle: async (slice) => {
            expect(running.has(slice.partition)).toBe(false);
            running.set(slice.partition, who);
            await Promise.resolve();
            running.delete(slice.partition);
            owners.set(slice.partition, (owners.get(slice.partition) ?? new Set()).add(who));
            if (who === 'b' && [...owners.values()].filter((o) => o.has('b')).length === h.log.partitions('mail')) both();
          },
          trouble: (error) => { throw error; },
        });
      const a = await member('a', h.log);
      const b = await member('b', h.other ?? h.log);
      const takenOver = new Promise<void>((resolve) => (both = resolve));
      await a.stop();
      await takenOver;
      await b.stop();
    });
  });

  describe(`the ${name} event store`, () => {
    let h: History;
    beforeAll(async () => void (h = await make()));
    afterAll(() => h.close());
    const to = (stream: string, expected: number, ...ns: number[]): Append => ({ stream, expected, events: ns.map((n) => fact(n)) });

    it('knows nothing of a stream that nobody wrote', async () => {
      expect(await h.store.read('nobody-1')).toEqual({ version: 0, events: [] });
      expect(await h.store.readLast(['nobody-1'])).toEqual(new Map());
    });

    it('reads a stream from its start or after a version', async () => {
      await h.store.append([to('a-1', 0, 1, 2)]);
      await h.store.append([to('a-1', 2, 3)]);
      expect(await h.store.read('a-1')).toEqual({ version: 3, events: [fact(1), fact(2), fact(3)] });
      expect(await h.store.read('a-1', 1)).toEqual({ version: 3, events: [fact(2), fact(3)] });
      expect(await h.store.read('a-1', 3)).toEqual({ version: 3, events: [] });
      expect(await h.store.readLast(['a-1', 'nobody-1'])).toEqual(new Map([['a-1', { version: 3, event: fact(3) }]]));
    });

    it('refuses an append that expects another version, naming the stream', async () => {
      await expect(h.store.append([to('a-1', 2, 4)])).rejects.toEqual(new VersionConflict(['a-1']));
      await expect(h.store.append([to('a-1', 4, 4)])).rejects.toBeInstanceOf(VersionConflict);
      expect((await h.store.read('a-1')).version).toBe(3);
    });

    it('appends to several streams or to none', async () => {
      await expect(h.store.append([to('b-1', 0, 1), to('a-1', 0, 9), to('c-1', 5, 9)])).rejects.toMatchObject({ streams: ['a-1', 'c-1'] });
      expect((await h.store.read('b-1')).version).toBe(0);
      await h.store.append([to('b-1', 0, 1), to('a-1', 3, 4)]);
      expect((await h.store.read('b-1')).version).toBe(1);
      expect((await h.store.read('a-1')).version).toBe(4);
    });

    it('lets exactly one of several writers win, whenever they come', async () => {
      const results = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => h.store.append([to('race-1', 0, n)])));
      expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
      for (const r of results) if (r.status === 'rejected') expect(r.reason).toBeInstanceOf(VersionConflict);
      expect((await h.store.read('race-1')).version).toBe(1);
    });

    it('does not let a conflict of one caller touch another', async () => {
      const results = await Promise.allSettled([h.store.append([to('d-1', 7, 1)]), h.store.append([to('d-2', 0, 1)]), h.store.append([to('d-3', 0, 1)])]);
      expect(results.map((r) => r.status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    });

    it('keeps a long append whole and readable', async () => {
      const many = Array.from({ length: 1_234 }, (_, n) => n);
      await h.store.append([to('long-1', 0, ...many)]);
      const { version, events } = await h.store.read('long-1', 700);
      expect(version).toBe(1_234);
      expect(events).toHaveLength(534);
      expect((await h.store.readLast(['long-1'])).get('long-1')).toEqual({ version: 1_234, event: fact(1_233) });
    });

    it('refuses an append without events and a stream named twice', async () => {
      await expect(h.store.append([to('e-1', 0)])).rejects.toBeInstanceOf(RangeError);
      await expect(h.store.append([to('e-1', 0, 1), to('e-1', 1, 2)])).rejects.toBeInstanceOf(RangeError);
    });

    it('moves a checkpoint together with the append, or neither', async () => {
      const move = (from: number, next: number) => ({ consumer: 'delivery', topic: 'mail' as const, partition: 1, from, to: next });
      expect(await h.store.checkpoint('delivery', 'mail', 1)).toBe(0);
      await h.store.append([to('f-1', 0, 1)], [move(0, 10)]);
      expect(await h.store.checkpoint('delivery', 'mail', 1)).toBe(10);
      await expect(h.store.append([to('f-1', 1, 2)], [move(0, 20)])).rejects.toBeInstanceOf(CheckpointMoved);
      await expect(h.store.append([to('f-1', 9, 2)], [move(10, 20)])).rejects.toBeInstanceOf(VersionConflict);
      expect(await h.store.checkpoint('delivery', 'mail', 1)).toBe(10);
      expect((await h.store.read('f-1')).version).toBe(1);
      await h.store.append([], [move(10, 20)]);
      expect(await h.store.checkpoint('delivery', 'mail', 1)).toBe(20);
    });

    it('shows every decision once in the log, in the order of its stream', async () => {
      const all = await readAll(h.log, 'decision', 0);
      const { events } = await h.store.read('long-1');
      expect(all.filter((p) => p.key === 'long-1').map((p) => p.event)).toEqual(events);
      expect(all.filter((p) => p.key === 'a-1').map((p) => p.event)).toEqual((await h.store.read('a-1')).events);
      expect(all.map((p) => p.position)).toEqual(all.map((_, i) => i));
      for (const stream of ['long-1', 'a-1', 'b-1']) {
        const versions = all.filter((p) => p.key === stream).map((p) => p.version);
        expect(versions).toEqual(versions.map((_, i) => i + 1));
      }
    });
  });
}
