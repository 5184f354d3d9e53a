import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import { accepted, recorded, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { adoptUnread } from './adopt.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

const routed = (messageId: string, address: string) =>
  recorded(h.engine, { type: 'RecipientRouted', data: { messageId, recipient: address, address, via: [], route: 'remote', notify: ['FAILURE'] } });
const queue = async () => (await h.pool.query<{ state: string }>('SELECT message_id, address, state, sender, notify, version FROM view.queue_1 ORDER BY 1, 2')).rows;

describe('what release 0.1 left waiting', () => {
  it('is taken over once, with the message that it had recorded apart', async () => {
    await h.log.append([accepted(h.engine, 'OLD1', ['far@y.test', 'near@z.test']), accepted(h.engine, 'OLD2', ['ann@x.test'])]);
    await h.store.append([{ stream: messageStream('OLD1'), expected: 0, events: [routed('OLD1', 'far@y.test'), routed('OLD1', 'near@z.test')] }]);
    expect((await queue()).map((row) => row.state)).toEqual(['unread', 'unread']);
    expect(await adoptUnread(h.pool, h.log, h.engine)).toBe(1);
    expect(await queue()).toEqual(['far@y.test', 'near@z.test'].map((address) =>
      ({ message_id: 'OLD1', address, state: 'waiting', sender: 'bob@y.test', notify: '["FAILURE"]', version: 3 })));
    expect(await adoptUnread(h.pool, h.log, h.engine)).toBe(0);
  });
});
