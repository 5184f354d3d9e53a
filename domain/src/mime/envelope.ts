import { readAddresses } from './addresses.js';
import type { Binary } from './binary.js';
import type { Fields } from './fields.js';
import type { Address, Envelope } from './structure.js';

/** Fields that an envelope and the threading of messages are made of. */
export const ENVELOPE_FIELDS = ['date', 'subject', 'from', 'sender', 'reply-to', 'to', 'cc', 'bcc', 'in-reply-to', 'message-id', 'references'] as const;

/** Ids of References that are kept: the first, which names the thread, and the last. */
const MOST_REFERENCES = 200;

/** Of a field that stands there twice against RFC 5322 §3.6 the first counts; recipients are gathered from all. */
export function readEnvelope(fields: Fields): Envelope {
  const text = (name: string): Binary | undefined => fields.get(name)?.[0];
  const one = (name: string): readonly Address[] => readAddresses(text(name) ?? '');
  const all = (name: string): readonly Address[] => fields.get(name)?.flatMap(readAddresses) ?? [];
  return {
    ...given('date', text('date')),
    ...given('subject', text('subject')),
    from: one('from'),
    sender: one('sender'),
    replyTo: one('reply-to'),
    to: all('to'),
    cc: all('cc'),
    bcc: all('bcc'),
    ...given('inReplyTo', text('in-reply-to')),
    ...given('messageId', text('message-id')),
  };
}

const given = <K extends string>(key: K, value: Binary | undefined): { readonly [P in K]?: Binary } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: Binary };

export function readReferences(fields: Fields): readonly Binary[] {
  const ids = messageIds((fields.get('references') ?? []).join(' '));
  return ids.length <= MOST_REFERENCES ? ids : [...ids.slice(0, 1), ...ids.slice(1 - MOST_REFERENCES)];
}

/** Message ids in a field, without angle brackets, quotes of the local part undone where it needs none (RFC 5256 §2.2, REFERENCES). */
export function messageIds(value: Binary): readonly Binary[] {
  const ids: Binary[] = [];
  for (const [, id = ''] of value.matchAll(/<([^<>]+)>/g)) {
    const clean = id.replace(/[ \t]/g, '').replace(/^"((?:[^"\\]|\\.)*)"(?=@)/, (_, local: string) => local.replace(/\\(.)/g, '$1'));
    if (clean) ids.push(clean);
  }
  return ids;
}
