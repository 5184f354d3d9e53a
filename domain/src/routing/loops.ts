import { canonical } from '../mail/address.js';

/** Of one header; a message that was in more mailboxes than this is not worth the time. */
const MOST_FIELDS = 100;
const DELIVERED_TO = /(?:^|\n)delivered-to[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)/gi;

/**
 * Says no to a message that has passed too many servers (RFC 5321 §6.3).
 * @param hops Received fields it arrived with.
 * @param limit 0 = none.
 * @returns the reply, undefined when it may go on.
 */
export const tooManyHops = (hops: number, limit: number): string | undefined =>
  limit > 0 && hops > limit ? `554 5.4.6 Passed ${hops} servers, more than ${limit}: it seems to loop` : undefined;

/**
 * The mailboxes that a message has been in, by its Delivered-To fields, as canonical addresses; what is no address is left out.
 * @param header bounded by whoever read it (HEADER_LIMIT); the first empty line ends it.
 */
export function deliveredTo(header: Uint8Array): readonly string[] {
  // Only these bytes matter, and they are ASCII or UTF-8; what is neither becomes no address.
  const [text = ''] = new TextDecoder().decode(header).split(/(?:^|\n)\r?\n/, 1);
  const found = new Set<string>();
  for (const [, value = ''] of text.matchAll(DELIVERED_TO)) {
    const address = canonical(value.replace(/\r?\n/g, '').trim().replace(/^<(.*)>$/, '$1'));
    if (address !== undefined) found.add(address);
    if (found.size === MOST_FIELDS) break;
  }
  return [...found];
}

/** Whether the message was delivered to this mailbox before: forwarding it from there once more would go round in circles. */
export const wasDeliveredTo = (header: Uint8Array, address: string): boolean => {
  const own = canonical(address);
  return own !== undefined && deliveredTo(header).includes(own);
};
