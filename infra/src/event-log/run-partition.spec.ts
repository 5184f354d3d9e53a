import { expect, it } from '@jest/globals';
import type { Consumer, Positioned } from '@kiroku/domain/kernel/event-log.js';
import { type PartitionControl, runPartition } from './run-partition.js';

const event = (position: number): Positioned => ({ position, key: 'k', event: { type: 'E', id: '', version: 1, at: 0, actor: '', correlation: '', data: {} } });

/** A partition with so many events, read two at a time. @returns what happened, in order. */
async function run(events: number, more: Partial<PartitionControl> & Partial<Consumer> = {}): Promise<readonly string[]> {
  const stop = new AbortController();
  const story: string[] = [];
  const consumer: Consumer = {
    group: 'g', topics: ['mail'], batch: 2,
    start: () => Promise.resolve(0),
    handle: ({ from, next }) => {
      story.push(`handle ${from}-${next}`);
      return Promise.resolve();
    },
    trouble: (error) => story.push(`trouble: ${(error as Error).message}`),
    ...more,
  };
  const read = (_: unknown, __: unknown, from: number): Promise<readonly Positioned[]> =>
    Promise.resolve(Array.from({ length: Math.max(0, Math.min(2, events - from)) }, (__, i) => event(from + i)));
  await runPartition({ read }, consumer, 'mail', 0, {
    batch: 2, stopping: stop.signal, mine: () => true, seen: () => 0,
    wait: () => {
      story.push('wait');
      stop.abort();
      return Promise.resolve();
    },
    pause: () => Promise.resolve(),
    next: () => {
      story.push('step');
      return Promise.resolve();
    },
    ...more,
  });
  return story;
}

it('each read waits for the next step, except what is left of a full slice', async () => {
  expect(await run(5)).toEqual(['step', 'handle 0-2', 'handle 2-4', 'handle 4-5', 'step', 'wait']);
});

it('after trouble the partition is read again from its start, in a step', async () => {
  let tries = 0;
  const handle = () => (tries++ === 0 ? Promise.reject(new Error('no')) : Promise.resolve());
  expect(await run(1, { handle })).toEqual(['step', 'trouble: no', 'step', 'step', 'wait']);
  expect(tries).toBe(2);
});

it('a partition that was taken away while the step was waited for is not read', async () => {
  const owned = [true, false, false];
  expect(await run(2, { mine: () => owned.shift() ?? false })).toEqual(['step', 'wait']);
});
