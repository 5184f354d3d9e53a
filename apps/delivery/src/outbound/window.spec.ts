import { describe, expect, it } from '@jest/globals';
import type { Head } from '@kiroku/infra/read-model/queue.js';
import { Window } from './window.js';

const head = (n: number, destination = 'y.test', sender = 'ann@here.test', message = `M${String(n).padStart(6, '0')}`): Head =>
  ({ next_at: 1_000 + n, message_id: message, address: `u${n}@${destination}`, destination, partition: 0, sender, priority: 0 });
const keyOf = ({ message_id, address }: Head): string => `${message_id} ${address}`;

describe('the window', () => {
  it('takes a share of each lane and remembers where it left rows out', () => {
    const window = new Window(1_000);
    const heads = Array.from({ length: 150 }, (_, n) => head(n));
    expect(heads.filter((one) => window.admit(one))).toHaveLength(100);
    expect(window.admit(head(0, 'z.test'))).toBe(true);
    expect(window.hungry).toBe(false);
    for (const one of heads.slice(0, 71)) window.taken(keyOf(one));
    expect(window.takeHungry(10)).toEqual([{ destination: 'y.test', sender: 'ann@here.test', from: { next_at: 1_100, message_id: 'M000100', address: 'u100@y.test' } }]);
    expect(window.takeHungry(10)).toEqual([]);
    expect(window.size).toBe(101);
  });

  it('goes back to the earliest row that was left out', () => {
    const window = new Window(1_000);
    for (let n = 100; n < 200; n++) window.admit(head(n));
    window.admit(head(250));
    window.admit(head(7));
    window.admit(head(260));
    for (let n = 100; n < 200; n++) window.taken(keyOf(head(n)));
    expect(window.takeHungry(1)[0]?.from.next_at).toBe(1_007);
  });

  it('keeps recipients of one message together beyond a lane’s share', () => {
    const window = new Window(10_000);
    for (let n = 0; n < 99; n++) window.admit(head(n));
    const together = Array.from({ length: 300 }, (_, n) => head(1_000 + n, 'y.test', 'ann@here.test', 'Z'));
    expect(together.filter((one) => window.admit(one))).toHaveLength(100);
  });

  it('gives slow lanes less the fuller it is, and is never more than full', () => {
    const window = new Window(1_000);
    const counts: number[] = [];
    for (let d = 0; d < 60; d++) {
      let count = 0;
      for (let n = 0; n < 200; n++) if (window.admit(head(n, `d${d}.test`))) count++;
      counts.push(count);
    }
    expect(counts[0]).toBe(100);
    expect(counts).toContain(20);
    expect(counts).toContain(4);
    expect(window.size).toBeLessThanOrEqual(1_000);
    for (let d = 100; d < 2_000; d++) window.admit(head(1, `d${d}.test`));
    expect(window.size).toBe(1_000);
    expect(window.room).toBe(0);
  });

  it('has room again when a row leaves, and knows who is in', () => {
    const window = new Window(10);
    const one = head(1);
    window.admit(one);
    window.occupy('elsewhere');
    expect(window.size).toBe(2);
    expect(window.has(keyOf(one))).toBe(true);
    window.drop(keyOf(one));
    window.drop(keyOf(one));
    window.drop('elsewhere');
    expect(window.size).toBe(0);
    expect(window.admit(one)).toBe(true);
  });
});
