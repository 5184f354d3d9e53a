import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Packer } from './s3-packer.js';

/** A server that answers when the test says so. */
function server() {
  const requests: { readonly items: readonly number[]; readonly answer: () => void; readonly fail: (error: Error) => void }[] = [];
  const arrived: (() => void)[] = [];
  const send = (items: readonly number[]) =>
    new Promise<readonly number[]>((resolve, reject) => {
      requests.push({ items, answer: () => resolve(items.map((item) => item * 10)), fail: reject });
      for (const go of arrived.splice(0)) go();
    });
  const until = async (count: number): Promise<void> => {
    while (requests.length < count) await new Promise<void>((resolve) => arrived.push(resolve));
  };
  return { requests, send, until };
}

describe('bodies on their way', () => {
  afterEach(() => void jest.useRealTimers());

  it('go at once when nobody else is there', async () => {
    const { requests, send, until } = server();
    const packer = new Packer(send);
    const one = packer.add(1, 100);
    await until(1);
    requests[0]!.answer();
    expect(await one).toBe(10);
  });

  it('that arrive while a request is under way go together with the next', async () => {
    const { requests, send, until } = server();
    const packer = new Packer(send);
    const all = [packer.add(1, 100)];
    await until(1);
    for (let i = 2; i <= 50; i++) all.push(packer.add(i, 100));
    requests[0]!.answer();
    await until(2);
    requests[1]!.answer();
    expect(await Promise.all(all)).toEqual(Array.from({ length: 50 }, (_, i) => (i + 1) * 10));
    expect(requests.map(({ items }) => items.length)).toEqual([1, 49]);
  });

  it('of those who come in numbers wait a moment for each other', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'performance'] });
    const { requests, send, until } = server();
    const packer = new Packer(send);
    const first = Array.from({ length: 10 }, (_, i) => packer.add(i, 100));
    await until(1);
    const before = packer.add(10, 100);
    requests[0]!.answer();
    await Promise.all(first);
    await new Promise((resolve) => setImmediate(resolve));
    // They have heard the answer, and come back with the next.
    const after = Array.from({ length: 10 }, (_, i) => packer.add(11 + i, 100));
    expect(requests).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(10);
    await until(2);
    requests[1]!.answer();
    await Promise.all([before, ...after]);
    expect(requests.map(({ items }) => items.length)).toEqual([10, 11]);
  });

  it('do not wait when they are enough for a large request', async () => {
    const { requests, send, until } = server();
    const packer = new Packer(send, 1000, 3);
    const all = Array.from({ length: 45 }, (_, i) => packer.add(i, 100));
    await until(3);
    await new Promise((resolve) => setImmediate(resolve));
    // Never more at a time than agreed.
    expect(requests.map(({ items }) => items.length)).toEqual([10, 10, 10]);
    requests[1]!.answer();
    await until(4);
    for (const { answer } of requests) answer();
    await until(5);
    requests[4]!.answer();
    expect((await Promise.all(all)).length).toBe(45);
    expect(requests.map(({ items }) => items.length)).toEqual([10, 10, 10, 10, 5]);
  });

  it('do not wait for a request that hangs', async () => {
    const { requests, send, until } = server();
    const packer = new Packer(send);
    const stuck = packer.add(1, 100);
    await until(1);
    const next = packer.add(2, 100);
    await until(2);
    requests[1]!.answer();
    expect(await next).toBe(20);
    requests[0]!.answer();
    await stuck;
  });

  it('fail together, and only those of one request', async () => {
    const { requests, send, until } = server();
    const packer = new Packer(send);
    const first = packer.add(1, 100);
    await until(1);
    const others = [packer.add(2, 100), packer.add(3, 100)].map((body) => expect(body).rejects.toThrow('broken'));
    requests[0]!.answer();
    await until(2);
    requests[1]!.fail(new Error('broken'));
    await Promise.all([expect(first).resolves.toBe(10), ...others]);
  });

  it('are waited for by close, after which none is taken', async () => {
    const { requests, send, until } = server();
    const packer = new Packer(send);
    const one = packer.add(1, 100);
    const closed = packer.close();
    await expect(packer.add(2, 100)).rejects.toThrow('closed');
    await until(1);
    requests[0]!.answer();
    await closed;
    expect(await one).toBe(10);
  });
});
