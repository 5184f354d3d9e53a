import { describe, expect, it } from '@jest/globals';
import { type Decider, Refusal } from './decider.js';
import type { Fact } from './event.js';
import { VersionConflict } from './event-store.js';
import { execute, load } from './execute.js';
import { NINE, testEngine } from './memory-store.js';

type Counted = Fact<'Counted', { readonly by: number }>;
/** Counts to ten, no further. */
const counter: Decider<number, Counted, number> = {
  initial: 0,
  decide(by, sum) {
    if (sum + by > 10) throw new Refusal('too-much', `${sum} + ${by}`);
    return by === 0 ? [] : [{ type: 'Counted', data: { by } }];
  },
  evolve: (sum, { data }) => sum + data.by,
};
const aggregate = { decider: counter, upgrades: { Counted: [(data: object) => data] } };
const origin = { actor: 'admin:ann', correlation: 'request-1', causation: 'cause-1' };

describe('executing a command', () => {
  it('records what was decided, in an envelope', async () => {
    const engine = testEngine();
    expect(await execute(engine, aggregate, 'count-1', 4, origin)).toEqual([{ type: 'Counted', data: { by: 4 } }]);
    expect(engine.store.history).toEqual([
      { stream: 'count-1', event: { id: '00000000-0000-7000-8000-000000000001', type: 'Counted', version: 2, at: NINE, ...origin, data: { by: 4 } } },
    ]);
  });

  it('decides upon all that went before', async () => {
    const engine = testEngine();
    await execute(engine, aggregate, 'count-1', 4, origin);
    await execute(engine, aggregate, 'count-1', 6, origin);
    expect(await load(engine.store, aggregate, 'count-1')).toEqual({ version: 2, state: 10 });
    await expect(execute(engine, aggregate, 'count-1', 1, origin)).rejects.toEqual(new Refusal('too-much', '10 + 1'));
    expect(engine.store.history).toHaveLength(2);
  });

  it('appends nothing when nothing changes', async () => {
    const engine = testEngine();
    expect(await execute(engine, aggregate, 'count-1', 0, origin)).toEqual([]);
    expect(engine.store.appends).toBe(0);
  });

  it('decides again when somebody else was faster', async () => {
    const engine = testEngine();
    engine.store.meanwhile = () => execute(engine, aggregate, 'count-1', 7, origin);
    await execute(engine, aggregate, 'count-1', 3, origin);
    expect((await load(engine.store, aggregate, 'count-1')).state).toBe(10);
  });

  it('refuses by what it finds the second time', async () => {
    const engine = testEngine();
    engine.store.meanwhile = () => execute(engine, aggregate, 'count-1', 8, origin);
    await expect(execute(engine, aggregate, 'count-1', 3, origin)).rejects.toBeInstanceOf(Refusal);
  });

  it('gives up after as many attempts as it was given', async () => {
    const engine = testEngine();
    const again = () => {
      engine.store.meanwhile = undefined;
      return execute(engine, aggregate, 'count-1', 1, origin).then(() => (engine.store.meanwhile = again));
    };
    engine.store.meanwhile = again;
    await expect(execute(engine, aggregate, 'count-1', 1, origin, 3)).rejects.toEqual(new VersionConflict(['count-1']));
    expect((await load(engine.store, aggregate, 'count-1')).state).toBe(3);
  });

  it('passes on any other trouble: the outcome is unknown', async () => {
    const engine = testEngine();
    engine.store.meanwhile = () => Promise.reject(new Error('connection lost'));
    await expect(execute(engine, aggregate, 'count-1', 1, origin)).rejects.toThrow('connection lost');
    expect(engine.store.appends).toBe(0);
  });
});
