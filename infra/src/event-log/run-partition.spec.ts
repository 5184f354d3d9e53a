import { expect, it } from '@jest/globals';
import type { Consumer, Positioned } from '@kiroku/domain/kernel/event-log.js';
import { runPartition } from './run-partition.js';

/** A partition with three slices of one event; between slices, `arriving` looks find more than the look before. @returns ms of each wait between slices. */
async function waitsOf(arriving: number, how: Pick<Consumer, 'lull'>): Promise<readonly (readonly number[])[]> {
  const stop = new AbortController();
  const waits: number[][] = [];
  let seen = 0;
  let looks = 0;
  const pause = (ms: number): Promise<void> => {
    waits.at(-1)?.push(ms);
    if (looks++ < arriving) seen++;
    else if (how.lull === undefined) stop.abort();
    return Promise.resolve();
  };
  const consumer: Consumer = {
    group: 'g', topics: ['mail'], batch: 10, pace: () => 3_000, ...how,
    start: () => Promise.resolve(0),
    handle: () => {
      looks = 0;
      waits.push([]);
      if (waits.length > 2) stop.abort();
      return Promise.resolve();
    },
    trouble: (error) => { throw error; },
  };
  const read = (_: unknown, __: unknown, from: number): Promise<readonly Positioned[]> =>
    Promise.resolve([{ position: from, key: 'k', event: { type: 'E', id: '', version: 1, at: 0, actor: '', correlation: '', data: {} } as never }]);
  await runPartition({ read }, consumer, 'mail', 0, { batch: 10, stopping: stop.signal, mine: () => true, seen: () => seen, wait: () => Promise.resolve(), pause });
  return waits;
}

it('a consumer that stands aside goes on as soon as a look finds nothing new', async () => {
  expect(await waitsOf(0, { lull: 80 })).toEqual([[80], [80], []]);
});

it('it stands aside as long as each look finds something new', async () => {
  expect(await waitsOf(3, { lull: 80 })).toEqual([[80, 80, 80, 80], [80, 80, 80, 80], []]);
});

it('a consumer without a lull keeps its pace whether something comes or not, and is asked for it now and then', async () => {
  expect(await waitsOf(2, {})).toEqual([[500, 500, 500]]);
});
