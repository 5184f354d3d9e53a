import { describe, expect, it } from '@jest/globals';
import { processorTicks, watchSteal } from './machine.js';

const STAT = `cpu  100 20 30 400 50 6 7 80 90 10
cpu0 50 10 15 200 25 3 3 40 45 5
intr 12345
`;

describe('the time that the host of a virtual machine keeps for others', () => {
  it('is the eighth figure for all processors, and the times of guests are not counted twice', () => {
    expect(processorTicks(STAT)).toEqual({ all: 100 + 20 + 30 + 400 + 50 + 6 + 7 + 80, stolen: 80 });
  });

  it('is none where the kernel does not tell it', () => {
    expect(processorTicks('cpu 1 2 3 4\n')).toEqual({ all: 10, stolen: 0 });
  });

  it('is told as a share of what passed since the watch began', () => {
    const looks = [{ all: 1_000, stolen: 100 }, { all: 1_400, stolen: 200 }];
    expect(watchSteal(() => looks.shift()!)()).toBe(0.25);
  });

  it('is none before a tick has passed', () => {
    expect(watchSteal(() => ({ all: 1_000, stolen: 100 }))()).toBe(0);
  });

  it('is read from this machine as a share', () => {
    const share = watchSteal()();
    expect(share).toBeGreaterThanOrEqual(0);
    expect(share).toBeLessThanOrEqual(1);
  });
});
