import { describe, expect, it } from '@jest/globals';
import type { StoredMessage } from '@kiroku/domain/mailbox/store-port.js';
import { MessageCache } from './message-cache.js';

const message = (uid: number): StoredMessage => ({
  uid, size: 10, receivedAt: 1, savedAt: 1, emailId: `M${uid}`, messageId: '', prefix: '', body: { sha256: String(uid).padStart(64, '0'), size: 10 },
});

/** A mailbox with the messages 1 to `last`, of which some are gone, and a note of what was asked for. */
function mailbox(last: number, gone: readonly number[] = []) {
  const asked: (readonly number[])[] = [];
  const messages = async (_: string, uids: readonly number[]) => {
    asked.push(uids);
    return uids.filter((uid) => uid <= last && !gone.includes(uid)).map(message);
  };
  return { asked, messages };
}

const uidsOf = (found: Awaited<ReturnType<MessageCache['of']>>) => found.map((known) => known?.stored.uid);

describe('what is known of messages', () => {
  it('is asked for once, in the order of the UIDs, with gaps where there is nothing', async () => {
    const store = mailbox(600, [3]);
    const cache = new MessageCache(store);
    expect(uidsOf(await cache.of('a', [2, 3, 300, 700]))).toEqual([2, undefined, 300, undefined]);
    expect(uidsOf(await cache.of('a', [1, 2, 299, 300]))).toEqual([1, 2, 299, 300]);
    expect(store.asked).toEqual([[2, 3, 300, 700], [1, 299]]);
  });

  it('asks for at most a thousand at once', async () => {
    const store = mailbox(2_500);
    await new MessageCache(store).of('a', Array.from({ length: 2_500 }, (_, i) => i + 1));
    expect(store.asked.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
  });

  it('is each mailbox\'s own', async () => {
    const store = mailbox(5);
    const cache = new MessageCache(store);
    const [[one], [other]] = [await cache.of('a', [1]), await cache.of('b', [1])];
    one?.keep('ENVELOPE', 'ENVELOPE ()');
    expect([one?.printed('ENVELOPE'), other?.printed('ENVELOPE')]).toEqual(['ENVELOPE ()', undefined]);
    expect((await cache.of('a', [1]))[0]?.printed('ENVELOPE')).toBe('ENVELOPE ()');
  });

  it('stays within its limit: what was asked for least lately goes', async () => {
    const store = mailbox(256 * 40);
    const cache = new MessageCache(store, 20_000);
    for (let chunk = 0; chunk < 40; chunk++) {
      const [known] = await cache.of('a', [chunk * 256 + 1]);
      known?.keep('BODY', 'x'.repeat(5_000));
      await cache.of('a', [1]); // asked for again and again
      expect(cache.size).toBeLessThanOrEqual(20_000);
    }
    store.asked.length = 0;
    await cache.of('a', [1]);
    await cache.of('a', [257]);
    expect(store.asked).toEqual([[257]]);
  });

  it('keeps neither long texts nor many of one message', async () => {
    const cache = new MessageCache(mailbox(1));
    const [known] = await cache.of('a', [1]);
    known?.keep('long', 'x'.repeat(100_000));
    for (let i = 0; i < 100; i++) known?.keep(`BODY[HEADER.FIELDS (X-${i})]`, 'text');
    expect(known?.printed('long')).toBeUndefined();
    expect(known?.printed('BODY[HEADER.FIELDS (X-0)]')).toBe('text');
    expect(known?.printed('BODY[HEADER.FIELDS (X-99)]')).toBeUndefined();
    expect(cache.size).toBeLessThan(2_000);
  });

  it('does not count what it has let go already', async () => {
    const cache = new MessageCache(mailbox(1_000), 1_000);
    const known = await cache.of('a', Array.from({ length: 1_000 }, (_, i) => i + 1));
    for (const one of known) one?.keep('BODY', 'x'.repeat(1_000));
    expect(cache.size).toBeLessThanOrEqual(1_000);
    expect(cache.size).toBeGreaterThanOrEqual(0);
  });
});
