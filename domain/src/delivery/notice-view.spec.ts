import { describe, expect, it } from '@jest/globals';
import { fold } from '../kernel/fold.js';
import { noticeView } from './notice-view.js';
import type { NoticeKind, QueueEvent } from './queue-events.js';
import { BOB, inStream, MESSAGE, MESSAGE_ID as messageId } from './testing.js';

const owed = (address: string, kind: NoticeKind): QueueEvent => ({ type: 'NoticeOwed', data: { messageId, address, kind, recipient: BOB.recipient, reply: '550 No', message: MESSAGE } });
const sent = (kind: NoticeKind, ...addresses: string[]): QueueEvent => ({ type: 'NoticeSent', data: { messageId, kind, addresses, noticeId: '01KE5V1W0000002' } });
const rows = (...events: QueueEvent[]) => fold(noticeView, inStream(...events));

describe('the reports that are owed', () => {
  it('carry all that the report needs', () => {
    const event = owed('bob@y.test', 'failed');
    expect(rows(event)).toEqual([{ message_id: messageId, address: 'bob@y.test', kind: 'failed', owed_at: MESSAGE.acceptedAt, sender: 'ann@x.test', data: JSON.stringify(event.data) }]);
  });

  it('go when they are sent, one report for several recipients', () =>
    expect(rows(owed('a@y.test', 'failed'), owed('b@y.test', 'failed'), owed('c@y.test', 'failed'), sent('failed', 'a@y.test', 'b@y.test')).map((r) => r.address)).toEqual(['c@y.test']));

  it('are of one kind each', () => expect(rows(owed('a@y.test', 'delayed'), owed('a@y.test', 'failed'), sent('delayed', 'a@y.test'))).toMatchObject([{ kind: 'failed' }]));
});
