import type { Fact } from '../kernel/event.js';
import type { Notify } from '../mail/events.js';

/** Stream `message-<queue id>`: what delivery decided about a message beyond putting it into mailboxes here. */
export type DeliveryEvent =
  /** The recipient is on another server: it waits in the queue for outbound delivery. */
  | Fact<
      'RecipientRouted',
      {
        readonly messageId: string;
        /** Envelope recipient as accepted. */
        readonly recipient: string;
        /** Where it is to go: the recipient, or the remote target of an alias. */
        readonly address: string;
        /** Aliases on the way, in order. */
        readonly via: readonly string[];
        readonly route: 'remote';
        readonly notify?: readonly Notify[];
        readonly orcpt?: string;
      }
    >
  /** The recipient can never be delivered. `reply` is what a server would have said: code, enhanced code, text. */
  | Fact<
      'RecipientBounced',
      {
        readonly messageId: string;
        readonly recipient: string;
        readonly address: string;
        readonly via: readonly string[];
        readonly rule: string;
        readonly reply: string;
        /** By people, in their words: for administrators, not for the sender. */
        readonly reason?: string;
      }
    >;

export const messageStream = (messageId: string): string => `message-${messageId}`;
