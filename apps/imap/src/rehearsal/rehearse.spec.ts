import { describe, expect, it } from '@jest/globals';
import { rehearse } from './rehearse.js';

const engine = { clock: { now: () => 1_767_600_000_000 }, ids: { uuid: () => '00000000-0000-7000-8000-000000000003', queueId: () => 'Q1' } };

describe('the rehearsal', () => {
  it('gets through its script without a refusal', async () => {
    expect(await rehearse(engine, new AbortController().signal, 2)).toEqual([]);
  });

  it('ends early when the process is to end', async () => {
    const ending = new AbortController();
    let looks = 0;
    const clock = { now: () => (++looks > 3 && ending.abort(), 0) };
    expect(await rehearse({ ...engine, clock }, ending.signal, 1_000)).toEqual([]);
    expect(ending.signal.aborted).toBe(true);
  });
});
