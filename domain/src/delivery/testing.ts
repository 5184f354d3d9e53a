import type { Recorded } from '../kernel/event.js';
import type { QueuedMessage, QueuedRecipient, QueueEvent } from './queue-events.js';
import type { DeliveryEvent } from './delivery.js';

/** 2026-01-05 09:00 in Japan. */
const NINE = Date.UTC(2026, 0, 5, 0, 0);

export const MESSAGE_ID = '01KE5V1W0000001';
export const MESSAGE: QueuedMessage = {
  sender: 'ann@x.test', sha256: 'ab'.repeat(32), size: 1_234, at: 'seg-1:0', trace: 'Received: from a.test by b.test; Mon, 5 Jan 2026 09:00:00 +0900\r\n',
  body: '8BITMIME', smtputf8: false, requireTls: false, ret: 'HDRS', envid: 'QQ314159', hops: 1, acceptedAt: NINE,
  headerMessageId: 'm1@x.test', login: 'ann@x.test',
};
export const BOB: QueuedRecipient = { address: 'bob@y.test', recipient: 'sales@x.test', via: ['sales@x.test'], notify: ['FAILURE', 'DELAY'], orcpt: 'rfc822;sales@x.test' };
export const CID: QueuedRecipient = { address: 'cid@z.test', recipient: 'cid@z.test', via: [] };

/** Events of the message's stream as they are kept, one a second unless said otherwise. For tests only. */
export const inStream = (...facts: readonly ((QueueEvent | DeliveryEvent) & { readonly at?: number })[]): readonly { stream: string; event: Recorded }[] =>
  facts.map(({ at, ...fact }, i) => ({
    stream: `message-${fact.data.messageId}`,
    event: { id: `id-${String(i).padStart(4, '0')}`, version: 1, at: at ?? NINE + i * 1_000, actor: 'system:test', correlation: fact.data.messageId, ...fact },
  }));
