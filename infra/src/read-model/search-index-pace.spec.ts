import { describe, expect, it } from '@jest/globals';
import { whenIdle } from './search-index-pace.js';

/** A machine whose state the test says; rests last no time, and each look at the clock 1 ms. */
function machine() {
  const state = { busy: false, alone: true, looks: 0, asked: 0, asking: 0, time: 0 };
  return { state, gate: whenIdle({ busy: () => (state.looks++, state.busy), usual: 0, longest: 0, watch: () => () => ((state.asked += state.asking), state.alone), asked: () => state.asked, now: () => state.time++ }) };
}
const open = new AbortController().signal;
/** ms that a spell goes on. */
const spell = (gate: ReturnType<typeof whenIdle>): Promise<number | undefined> =>
  gate(open, (more) => {
    let ms = 1; // the look that ends it
    while (more()) ms++;
    return Promise.resolve(ms);
  });

describe('work while the machine is idle', () => {
  it('goes on for longer where nothing else does', async () => {
    const { state, gate } = machine();
    const long = await spell(gate);
    state.alone = false;
    expect([long, await spell(gate)]).toEqual([100, 30]);
  });

  it('waits as soon as a rest shows other work and the machine has no time left', async () => {
    const { state, gate } = machine();
    await spell(gate);
    Object.assign(state, { busy: true, alone: false });
    let worked = false;
    const waiting = gate(open, () => Promise.resolve(void (worked = true)));
    const { looks } = state;
    while (state.looks < looks + 6) await new Promise((resolve) => setImmediate(resolve));
    expect(worked).toBe(false);
    state.busy = false;
    await waiting;
    expect(worked).toBe(true);
  });

  it('ends its spell when a client asks for something, and is a short one after that', async () => {
    const { state, gate } = machine();
    const went: boolean[] = [];
    await gate(open, (more) => {
      went.push(more());
      state.asked++;
      went.push(more());
      return Promise.resolve();
    });
    expect(went).toEqual([true, false]);
    const long = await spell(gate);
    state.asking = 1; // while it rests
    expect([long, await spell(gate)]).toEqual([100, 30]);
  });

  it('is done one spell after another, and not at all when told to stop', async () => {
    const { gate } = machine();
    let [under, most] = [0, 0];
    const work = async (): Promise<void> => {
      most = Math.max(most, ++under);
      await new Promise((resolve) => setImmediate(resolve));
      under--;
    };
    await Promise.all([gate(open, work), gate(open, work), gate(open, work)]);
    expect(most).toBe(1);
    expect(await gate(AbortSignal.abort(), () => Promise.resolve(1))).toBeUndefined();
  });

  it('lets the next spell begin after one that failed', async () => {
    const { gate } = machine();
    await expect(gate(open, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await gate(open, () => Promise.resolve(1))).toBe(1);
  });
});
