import { describe, expect, it } from '@jest/globals';
import type { Entry } from '@kiroku/domain/kernel/event-log.js';
import type { SessionFact } from '@kiroku/domain/mail/events.js';
import { MemoryEventLog } from '../event-log/memory.js';
import { fixedClock, fixedIds } from '../ids/ids.js';
import { LoggedSessions } from './log-sessions.js';

const engine = { clock: fixedClock(1_767_571_200_000), ids: fixedIds() };
const closed = (n: number): SessionFact => ({ type: 'SessionClosed', data: { protocol: 'smtp', peer: { ip: '192.0.2.1', port: 1 }, reason: 'quit', seconds: n, commands: 1, bytesIn: 1, bytesOut: 1 } });
const numberOf = (entry: Entry): number => (entry.event.data as { seconds: number }).seconds;

/** A log whose appends wait to be let go, or fail. */
class SlowLog extends MemoryEventLog {
  readonly kept: number[] = [];
  readonly sizes: number[] = [];
  failing = false;
  #gate: Promise<void> = Promise.resolve();
  hold(): () => void {
    let open: () => void = () => undefined;
    this.#gate = new Promise((resolve) => (open = resolve));
    return open;
  }
  override async append(entries: readonly Entry[]): Promise<void> {
    await this.#gate;
    if (this.failing) throw new Error('away');
    this.sizes.push(entries.length);
    this.kept.push(...entries.map(numberOf));
  }
}

function sessions() {
  const log = new SlowLog();
  const lost: number[] = [];
  const troubles: unknown[] = [];
  return { log, lost, troubles, notes: new LoggedSessions(log, engine, (n) => lost.push(n), (e) => troubles.push(e)) };
}
const upTo = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('session facts', () => {
  it('reach the log in their order, gathered while an append is under way', async () => {
    const { log, notes } = sessions();
    const open = log.hold();
    for (let n = 0; n < 2_500; n++) notes.note('S1', closed(n));
    open();
    await notes.flush();
    expect(log.kept).toEqual(upTo(0, 2_500));
    expect(log.sizes.length).toBeLessThanOrEqual(4);
  });

  it('are all there after a flush, also those noted while the last append ended', async () => {
    const { log, notes } = sessions();
    for (let n = 0; n < 200; n++) {
      notes.note('S1', closed(n));
      // Some turns of the microtask queue later: around the end of the append.
      for (let turn = 0; turn < n % 12; turn++) await Promise.resolve();
    }
    await notes.flush();
    expect(log.kept).toEqual(upTo(0, 200));
  });

  it('are kept up to 10,000 while the log is away, then the oldest go and are counted', async () => {
    const { log, lost, troubles, notes } = sessions();
    log.failing = true;
    for (let n = 0; n < 10_000; n++) notes.note('S1', closed(n));
    expect(lost).toEqual([]);
    for (let n = 10_000; n < 25_000; n++) notes.note('S1', closed(n));
    while (troubles.length === 0) await Promise.resolve();
    log.failing = false;
    notes.note('S1', closed(25_000));
    await notes.flush();
    const dropped = lost.reduce((a, b) => a + b, 0);
    expect(log.kept.length + dropped).toBe(25_001);
    expect(log.kept.length).toBeLessThanOrEqual(11_000);
    expect(log.kept).toEqual(log.kept.toSorted((a, b) => a - b));
    expect(log.kept.at(-1)).toBe(25_000);
  });
});
