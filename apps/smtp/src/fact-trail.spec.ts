import { describe, expect, it } from '@jest/globals';
import type { Entry } from '@kiroku/domain/kernel/event-log.js';
import { MemoryEventLog } from '@kiroku/infra/event-log/memory.js';
import { FactTrail } from './fact-trail.js';

const entry = (n: number): Entry => ({
  topic: 'mail',
  key: 'Q1',
  event: { id: `${n}`, type: 'RecipientRefused', version: 1, at: 0, actor: 'session:s', correlation: 'Q1', data: { n } },
});

/** A log that can be held up and made to fail. */
class SlowLog extends MemoryEventLog {
  readonly batches: string[][] = [];
  fails = false;
  release: () => void = () => undefined;

  override async append(entries: readonly Entry[]): Promise<void> {
    this.batches.push(entries.map(({ event }) => event.id));
    await new Promise<void>((resolve) => (this.release = resolve));
    if (this.fails) throw new Error('the log is away');
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a trail of facts', () => {
  it('writes in order, one batch at a time', async () => {
    const log = new SlowLog();
    const trail = new FactTrail(log);
    trail.add([entry(1), entry(2)]);
    trail.add([entry(3)]);
    await turn();
    trail.add([entry(4)]);
    trail.add([entry(5)]);
    await turn();
    expect(log.batches).toEqual([['1', '2', '3']]);
    log.release();
    await turn();
    log.release();
    await trail.settled();
    expect(log.batches).toEqual([['1', '2', '3'], ['4', '5']]);
  });

  it('counts what the log did not take, and goes on', async () => {
    const log = new SlowLog();
    const trail = new FactTrail(log);
    log.fails = true;
    trail.add([entry(1), entry(2)]);
    await turn();
    log.release();
    await turn();
    log.fails = false;
    trail.add([entry(3)]);
    await turn();
    log.release();
    await trail.settled();
    expect(trail.dropped).toBe(2);
    expect(log.batches.at(-1)).toEqual(['3']);
  });

  it('keeps ten thousand while it waits, and no more', async () => {
    const log = new SlowLog();
    const trail = new FactTrail(log);
    trail.add([entry(0)]);
    await turn();
    for (let n = 0; n < 10_001; n++) trail.add([entry(n)]);
    expect(trail.dropped).toBe(1);
    log.append = () => Promise.resolve();
    log.release();
    await trail.settled();
  });
});
