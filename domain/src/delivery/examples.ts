import { example, type Examples } from '../kernel/examples.js';
import type { DeliveryEvent } from './delivery.js';

const messageId = '01KE5V1W0000001';

export const deliveryExamples: Examples<DeliveryEvent> = {
  RecipientRouted: [
    example('RecipientRouted', {
      messageId, recipient: 'sales@x.test', address: 'bob@y.test', via: ['sales@x.test'], route: 'remote', notify: ['NEVER'], orcpt: 'rfc822;sales@x.test',
    }),
  ],
  RecipientBounced: [
    example('RecipientBounced', {
      messageId, recipient: 'gone@x.test', address: 'gone@x.test', via: [], rule: 'unknown', reply: '550 5.1.1 User unknown',
    }),
  ],
};
