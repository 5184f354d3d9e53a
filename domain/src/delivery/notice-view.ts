import type { RecordedOf } from '../kernel/event.js';
import type { Projection } from '../kernel/projection.js';
import type { QueueEvent } from './queue-events.js';

/** A report that somebody is owed and that is not written yet. */
export type NoticeRow = {
  message_id: string;
  address: string;
  kind: string;
  /** Epoch ms. */
  owed_at: number;
  /** Who is to get it: the message's envelope sender. */
  sender: string;
  /** JSON of NoticeOwed's data. */
  data: string;
};

/** Reports owed, by message, recipient and kind; gone when they are sent. */
export const noticeView: Projection<NoticeRow> = {
  name: 'notice_1',
  topics: ['decision'],
  inline: true,
  types: ['NoticeOwed', 'NoticeSent'],
  blind: ['NoticeOwed', 'NoticeSent'],
  key: ['message_id', 'address', 'kind'],
  columns: { message_id: 'text', address: 'text', kind: 'text', owed_at: 'bigint', sender: 'text', data: 'text' },
  keysOf({ event }) {
    const { type, data } = event as RecordedOf<QueueEvent>;
    if (type === 'NoticeOwed') return [{ message_id: data.messageId, address: data.address, kind: data.kind }];
    return type === 'NoticeSent' ? data.addresses.map((address) => ({ message_id: data.messageId, address, kind: data.kind })) : [];
  },
  apply(_, { event }) {
    const { type, data, at } = event as RecordedOf<QueueEvent>;
    if (type !== 'NoticeOwed') return null;
    return { message_id: data.messageId, address: data.address, kind: data.kind, owed_at: at, sender: data.message.sender, data: JSON.stringify(data) };
  },
};
