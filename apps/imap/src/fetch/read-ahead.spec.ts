import { describe, expect, it } from '@jest/globals';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import type { StoredMessage } from '@kiroku/domain/mailbox/store-port.js';
import { ReadAhead } from './read-ahead.js';

const message = (uid: number, size: number): StoredMessage => ({
  uid, size, receivedAt: 1, savedAt: 1, emailId: '', messageId: '', prefix: '', body: { sha256: `${uid}`, size },
});

/** Bodies that are one octet long, their UID; what was asked for, and what waits for an answer. */
function objects() {
  const asked: string[][] = [];
  const readMany = async (refs: readonly BodyRef[]) => {
    asked.push(refs.map(({ sha256 }) => sha256));
    await new Promise(setImmediate);
    return refs.map(({ sha256 }) => (sha256 === '7' ? undefined : Uint8Array.of(Number(sha256))));
  };
  return { asked, readMany };
}

describe('reading ahead', () => {
  it('brings each body when it is its turn', async () => {
    const store = objects();
    const ahead = new ReadAhead(store, Array.from({ length: 200 }, (_, i) => message(i, 1_000)));
    for (let i = 0; i < 200; i++) expect(await ahead.of(i)).toEqual(i === 7 ? undefined : Uint8Array.of(i));
    expect(store.asked.flat()).toHaveLength(200);
    expect(store.asked.length).toBeLessThan(4);
  });

  it('reads no further than the next group', async () => {
    const store = objects();
    const ahead = new ReadAhead(store, Array.from({ length: 40 }, (_, i) => message(i, 60_000)));
    await ahead.of(0);
    expect(store.asked).toEqual([['0', '1', '2', '3'], ['4', '5', '6', '7']]);
    await ahead.of(5);
    expect(store.asked).toHaveLength(3);
  });

  it('tells nothing where reading fails: the single read will', async () => {
    const ahead = new ReadAhead({ readMany: () => Promise.reject(new Error('no disk')) }, [message(1, 10)]);
    expect(await ahead.of(0)).toBeUndefined();
  });

  it('asks for nothing where there is nothing', () => {
    const store = objects();
    new ReadAhead(store, []);
    expect(store.asked).toEqual([]);
  });
});
