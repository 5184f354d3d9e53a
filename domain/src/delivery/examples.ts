import { example, type Examples } from '../kernel/examples.js';
import type { DeliveryEvent } from './delivery.js';
import type { QuarantineEvent } from './quarantine.js';
import type { QueuedMessage, QueueEvent } from './queue-events.js';
import { BOB, MESSAGE, MESSAGE_ID as messageId } from './testing.js';

const NEXT = MESSAGE.acceptedAt + 120_000;
const notice: QueuedMessage = { ...MESSAGE, sender: '', sha256: 'cd'.repeat(32), size: 2_345, hops: 0 };

export const quarantineExamples: Examples<QuarantineEvent> = {
  MessageQuarantined: [
    example('MessageQuarantined', {
      messageId, sha256: 'ab'.repeat(32), size: 1_234, partition: 2, position: 4_711, error: "TypeError: cannot read 'head'", tries: 5, since: MESSAGE.acceptedAt,
    }),
  ],
  QuarantineRetried: [example('QuarantineRetried', { messageId, reason: 'release 0.3 mends it' })],
  QuarantineDiscarded: [example('QuarantineDiscarded', { messageId, reason: 'spam that nobody misses' })],
  QuarantineEnded: [example('QuarantineEnded', { messageId })],
};

export const deliveryExamples: Examples<DeliveryEvent | QueueEvent> = {
  RecipientRouted: [
    example('RecipientRouted', {
      messageId, recipient: 'sales@x.test', address: 'bob@y.test', via: ['sales@x.test'], route: 'remote', notify: ['NEVER'], orcpt: 'rfc822;sales@x.test',
    }),
  ],
  RecipientBounced: [
    example('RecipientBounced', {
      messageId, recipient: 'gone@x.test', address: 'gone@x.test', via: [], rule: 'unknown', reply: '550 5.1.1 User unknown', reason: 'ticket 4711',
    }),
  ],
  MessageQueued: [example('MessageQueued', { messageId, message: MESSAGE, recipients: [BOB, { address: 'cid@[192.0.2.9]', recipient: 'cid@[192.0.2.9]', via: [] }], priority: 0 })],
  DeliveryAttempted: [
    example('DeliveryAttempted', {
      messageId, host: 'mx1.y.test', ip: '192.0.2.25', port: 25, source: '192.0.2.1', route: 'mx',
      tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', verified: 'no' }, duration: 345,
      results: [
        { address: 'bob@y.test', outcome: 'deferred', cause: 'line', reply: '450 4.7.1 Greylisted', phase: 'RCPT', nextAt: NEXT, why: 'line fault: try 1, next in 120 s, given up after 8 h' },
        { address: 'cid@[192.0.2.9]', outcome: 'delivered', reply: '250 2.0.0 Ok', phase: 'end-of-data', relayed: true },
      ],
    }),
  ],
  RecipientExpired: [example('RecipientExpired', { messageId, address: 'bob@y.test', recipient: 'sales@x.test', rule: 'line-fault', reply: '450 4.7.1 Greylisted' })],
  RecipientHeld: [example('RecipientHeld', { messageId, address: 'bob@y.test', reason: 'looks like a leak' })],
  RecipientReleased: [example('RecipientReleased', { messageId, address: 'bob@y.test', reason: 'asked the author' })],
  RetryRequested: [example('RetryRequested', { messageId, address: 'bob@y.test', reason: 'their server is back' })],
  RecipientRerouted: [example('RecipientRerouted', { messageId, address: 'bob@y.test', route: 'relay.y.test:2525', reason: 'their MX is wrong' })],
  RecipientPrioritized: [example('RecipientPrioritized', { messageId, address: 'bob@y.test', priority: -10, reason: 'the board waits for it' })],
  RecipientChanged: [
    example('RecipientChanged', {
      messageId, address: 'bob@y.test', to: 'bob@z.test', reason: 'moved', recipient: { ...BOB, address: 'bob@z.test' }, message: MESSAGE, priority: 0, held: false,
    }),
  ],
  RecipientRemoved: [example('RecipientRemoved', { messageId, address: 'bob@y.test', reason: 'sent by mistake' })],
  NoticeOwed: [
    example('NoticeOwed', {
      messageId, address: 'bob@y.test', kind: 'failed', recipient: 'sales@x.test', orcpt: 'rfc822;sales@x.test', reply: '450 4.7.1 Greylisted',
      host: 'mx1.y.test', rule: 'line-fault', lastAttemptAt: NEXT, message: MESSAGE,
    }),
  ],
  NoticeSent: [example('NoticeSent', { messageId, kind: 'failed', addresses: ['bob@y.test'], noticeId: '01KE5V1W0000002' })],
  MessageSubmitted: [example('MessageSubmitted', { messageId: '01KE5V1W0000002', origin: 'notice', about: messageId, recipients: ['ann@x.test'], message: notice })],
};
