import { expect, it } from '@jest/globals';
import type { Consumer } from '@kiroku/domain/kernel/event-log.js';
import { Pace } from './pace.js';

/** A consumer on a clock of its own; `arriving` looks find more than the look before. */
function pacing(how: Pick<Consumer, 'pace' | 'lull'>, arriving = 0) {
  const stop = new AbortController();
  const waits: number[] = [];
  let [now, seen, looks] = [0, 0, 0];
  const pause = (ms: number): Promise<void> => {
    waits.push(ms);
    now += ms;
    if (looks++ < arriving) seen++;
    return Promise.resolve();
  };
  const pace = new Pace(how, { stopping: stop.signal, seen: () => seen, pause }, () => now);
  return { pace, waits, stop, pass: (ms: number) => void (now += ms), at: () => now };
}

it('the first step, and one long after the last, begin at once', async () => {
  const { pace, waits, pass } = pacing({ pace: () => 3_000, lull: 80 });
  await pace.next();
  pass(3_000);
  await pace.next();
  expect(waits).toEqual([]);
});

it('a consumer without a pace never waits', async () => {
  const { pace, waits } = pacing({});
  await pace.next();
  await pace.next();
  expect(waits).toEqual([]);
});

it('the next step comes when the pace has passed since the last one began, however long that took', async () => {
  const { pace, waits, pass, at } = pacing({ pace: () => 300 });
  await pace.next();
  pass(100);
  await pace.next();
  expect(waits).toEqual([200]);
  expect(at()).toBe(300);
});

it('partitions that are ready meanwhile take the same step', async () => {
  const { pace, waits, pass } = pacing({ pace: () => 300 });
  await pace.next();
  pass(100);
  await Promise.all([pace.next(), pace.next(), pace.next()]);
  expect(waits).toEqual([200]);
});

it('a consumer that stands aside goes on as soon as a look finds nothing new in any partition', async () => {
  const { pace, waits } = pacing({ pace: () => 3_000, lull: 80 });
  await pace.next();
  await pace.next();
  expect(waits).toEqual([80]);
});

it('it stands aside as long as each look finds something new, and no longer than its pace', async () => {
  const some = pacing({ pace: () => 3_000, lull: 80 }, 3);
  await some.pace.next();
  await some.pace.next();
  expect(some.waits).toEqual([80, 80, 80, 80]);
  const always = pacing({ pace: () => 200, lull: 80 }, 100);
  await always.pace.next();
  await always.pace.next();
  expect(always.waits).toEqual([80, 80, 40]);
});

it('a consumer without a lull keeps its pace whether something comes or not, and is asked for it now and then', async () => {
  const paces = [0, 3_000, 3_000, 700];
  const { pace, waits } = pacing({ pace: () => paces.shift() ?? 0 });
  await pace.next();
  await pace.next();
  expect(waits).toEqual([500, 500]);
});

it('nobody waits once it is told to stop', async () => {
  const { pace, waits, stop } = pacing({ pace: () => 3_000 });
  await pace.next();
  stop.abort();
  await pace.next();
  expect(waits).toEqual([]);
});
