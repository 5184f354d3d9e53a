import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { Gathering } from './gathering.js';

/** Whether a round trip that is asked for now has begun at the end of this turn; resolves when it has in any case. */
async function beginsAtOnce(gathering: Gathering): Promise<boolean> {
  let begun = false;
  const beginning = new Promise<void>((resolve) => gathering.start(() => {
    begun = true;
    resolve();
  }));
  await turn();
  const atOnce = begun;
  await beginning;
  return atOnce;
}

const after = (...served: readonly number[]): Gathering => {
  const gathering = new Gathering();
  for (const n of served) gathering.served(n);
  return gathering;
};

describe('callers that gather', () => {
  it('wait for nobody at first, nor while they are few', async () => {
    expect(await beginsAtOnce(after())).toBe(true);
    expect(await beginsAtOnce(after(1, 1, 2))).toBe(true);
  });

  it('wait a moment when they come in numbers', async () => {
    expect(await beginsAtOnce(after(30))).toBe(false);
  });

  it('wait also as stragglers between two waves', async () => {
    expect(await beginsAtOnce(after(30, 1, 2))).toBe(false);
  });

  it('wait no longer when the waves are over', async () => {
    expect(await beginsAtOnce(after(30, 1, 1, 1, 1, 1, 1))).toBe(true);
  });
});
