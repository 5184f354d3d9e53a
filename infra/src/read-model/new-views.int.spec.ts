import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import { buildNewViews } from './new-views.js';
import { filledMailbox, recorded, type TestHistory, testHistory } from './testing.js';

let h: TestHistory;
beforeAll(async () => void (h = await testHistory()));
afterAll(() => h.close());

const routed = (messageId: string) => recorded(h.engine, { type: 'RecipientRouted', data: { messageId, recipient: 'a@y.test', address: 'a@y.test', via: [], route: 'remote' } });
const queue = async () => (await h.pool.query<{ message_id: string; state: string }>('SELECT message_id, state FROM view.queue_1 ORDER BY 1')).rows;

describe('an inline view that a release adds', () => {
  it('is built from the history that the release before has left, once', async () => {
    await h.store.append([{ stream: messageStream('M1'), expected: 0, events: [routed('M1')] }]);
    await h.pool.query('DELETE FROM view.queue_1'); // as a migration leaves it
    const { rows } = await h.pool.query<{ name: string }>('SELECT name FROM ops.unbuilt_view ORDER BY 1');
    expect((await buildNewViews(h.pool, h.log)).toSorted()).toEqual(rows.map((r) => r.name));
    expect(rows.map((r) => r.name)).toEqual(expect.arrayContaining(['folder_1', 'mailbox_state_1', 'notice_1', 'queue_1']));
    expect(await queue()).toEqual([{ message_id: 'M1', state: 'unread' }]);
    await h.pool.query('DELETE FROM view.queue_1');
    expect(await buildNewViews(h.pool, h.log)).toEqual([]);
    expect(await queue()).toEqual([]);
  });

  it('holds the INBOX of an account of that release', async () => {
    const { id, accountId } = await filledMailbox(h, 2);
    await h.pool.query(`DELETE FROM view.folder_1; INSERT INTO ops.unbuilt_view VALUES ('folder_1')`);
    expect(await buildNewViews(h.pool, h.log)).toEqual(['folder_1']);
    expect((await h.pool.query('SELECT * FROM view.folder_1')).rows).toEqual([{ account_id: accountId, id, path: 'INBOX', special_use: '' }]);
  });
});
