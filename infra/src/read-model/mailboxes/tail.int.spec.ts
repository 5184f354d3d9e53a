import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { filledMailbox, type TestHistory, testHistory } from '../testing.js';
import { mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { type Growth, Tail } from './tail.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

it('asks nothing while nobody appends, and tells of what another process appended before it resolves', async () => {
  const { pool } = h.another();
  const tail = new Tail(pool);
  const told: (Growth | 'all')[] = [];
  tail.onGrown((grown) => told.push(grown));
  await tail.current();
  expect(told).toEqual(['all']);
  let statements = 0;
  pool.on('acquire', () => void statements++);
  const began = performance.now();
  for (let n = 0; n < 50; n++) await tail.current();
  // An answer counts for a second at most.
  expect(statements).toBeLessThanOrEqual(Math.ceil((performance.now() - began) / 1_000));
  for (let n = 0; n < 3; n++) {
    const { id, version } = await filledMailbox(h, 2);
    await tail.current();
    expect(told.at(-1)).toEqual(new Map([[mailboxStream(id), version]]));
  }
  expect(told).toHaveLength(4);
});
