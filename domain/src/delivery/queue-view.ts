import type { Recorded, RecordedOf } from '../kernel/event.js';
import { partitionOf, type Positioned } from '../kernel/event-log.js';
import type { Projection, Row } from '../kernel/projection.js';
import { parseAddress } from '../mail/address.js';
import type { DeliveryEvent } from './delivery.js';
import type { AttemptResult, QueuedMessage, QueuedRecipient, QueueEvent, QueueFact } from './queue-events.js';
import { afresh, counted, FRESH, type RetryState } from './retry.js';

/** Partitions that the queue is spread over by destination, so that a destination belongs to one process at a time. */
export const QUEUE_PARTITIONS = 16;
/** ms until a recipient is looked at again whose attempt forgot to say when. */
const FORGOTTEN = 15 * 60_000;

/** One recipient that waits for delivery to another server. Instants are epoch ms. */
export type QueueRow = {
  message_id: string;
  address: string;
  /** Envelope recipient as accepted. */
  recipient: string;
  /** JSON lists. */
  via: string;
  notify: string | null;
  orcpt: string | null;
  /** Domain of the address in lower-case A-labels, or its address literal. */
  destination: string;
  partition: number;
  sender: string;
  /** Envelope sender towards this recipient, where it is another (SRS). */
  envelope_sender: string | null;
  /** `unread`: queued by release 0.1; its message has to be looked up in the log. */
  state: 'waiting' | 'held' | 'unread';
  /** For held ones: what it would be. */
  next_at: number;
  /** Lower first. */
  priority: number;
  /** Attempts so far, without those that failed by this machine's own trouble. */
  attempts: number;
  accepted_at: number;
  /** JSON of RetryState. */
  retry: string;
  /** Of the last attempt. */
  last_at: number | null;
  last_host: string | null;
  last_reply: string | null;
  last_outcome: string | null;
  /** Why `next_at` is then. */
  why: string | null;
  /** `host:port` by an administrator, else ''. */
  route: string;
  /** The notice of its delay was owed already. */
  delayed: boolean;
  size: number;
  /** JSON of QueuedMessage; `{}` while unread. */
  message: string;
  /** The stream's version after the last event that touched this row. */
  version: number;
};

type Event = DeliveryEvent | QueueEvent;
/** Recipients leave the queue with these. */
const GONE = ['RecipientBounced', 'RecipientExpired', 'RecipientRemoved'] as const;
const BLIND = ['MessageQueued', 'RecipientRouted', 'RecipientChanged', ...GONE] as const;

/** The outbound queue: one row per recipient that waits. Inline, so that it is true as soon as an append has returned. */
export const queueView: Projection<QueueRow> = {
  name: 'queue_1',
  topics: ['decision'],
  inline: true,
  types: [...BLIND, 'DeliveryAttempted', 'RecipientHeld', 'RecipientReleased', 'RetryRequested', 'RecipientRerouted', 'RecipientPrioritized', 'NoticeOwed'],
  blind: BLIND,
  key: ['message_id', 'address'],
  columns: {
    message_id: 'text', address: 'text', recipient: 'text', via: 'text', notify: 'text', orcpt: 'text', destination: 'text', partition: 'integer',
    sender: 'text', envelope_sender: 'text', state: 'text', next_at: 'bigint', priority: 'integer', attempts: 'integer', accepted_at: 'bigint', retry: 'text',
    last_at: 'bigint', last_host: 'text', last_reply: 'text', last_outcome: 'text', why: 'text', route: 'text', delayed: 'boolean',
    size: 'bigint', message: 'text', version: 'integer',
  },
  keysOf({ event }) {
    const { type, data } = event as RecordedOf<Event>;
    const key = (address: string): Row => ({ message_id: data.messageId, address });
    switch (type) {
      case 'MessageQueued':
        return data.recipients.map((r) => key(r.address));
      case 'DeliveryAttempted':
        return data.results.map((r) => key(r.address));
      case 'RecipientChanged':
        return [key(data.address), key(data.to)];
      case 'NoticeOwed':
        return data.kind === 'delayed' ? [key(data.address)] : [];
      case 'NoticeSent':
      case 'MessageSubmitted':
        return [];
      default:
        return [key(data.address)];
    }
  },
  // Most attempts deliver, and a row that goes need not be read.
  unread: ({ event }, key) => event.type === 'DeliveryAttempted' && resultOf(event as AttemptRecorded, key)?.outcome === 'delivered',
  apply(row, positioned, key) {
    const event = positioned.event as RecordedOf<Event>;
    switch (event.type) {
      case 'MessageQueued':
      case 'RecipientRouted':
      case 'RecipientChanged':
        return begun(event, positioned, key);
      case 'RecipientBounced':
      case 'RecipientExpired':
      case 'RecipientRemoved':
        return null;
      default: {
        const after = row && changed(row, event, key);
        return after ? { ...after, version: positioned.version ?? 0 } : null;
      }
    }
  },
};

type AttemptRecorded = Recorded<'DeliveryAttempted', QueueFact<'DeliveryAttempted'>>;
const resultOf = ({ data: { results } }: AttemptRecorded, key: Row): AttemptResult | undefined =>
  (results.length === 1 ? results[0] : indexed(results).get(key.address as string)) as AttemptResult | undefined;

type Named = { readonly address: string };
/** A message to ten thousand recipients asks ten thousand times. */
const indexes = new WeakMap<readonly Named[], ReadonlyMap<string, Named>>();
function indexed(list: readonly Named[]): ReadonlyMap<string, Named> {
  let index = indexes.get(list);
  if (!index) indexes.set(list, (index = new Map(list.map((r) => [r.address, r]))));
  return index;
}

/** A row that is new, whatever stood there. */
function begun(event: RecordedOf<Extract<Event, { type: 'MessageQueued' | 'RecipientRouted' | 'RecipientChanged' }>>, positioned: Positioned, key: Row): QueueRow | null {
  const version = positioned.version ?? 0;
  const { at, data } = event;
  switch (event.type) {
    case 'MessageQueued': {
      const { message, recipients, priority } = event.data;
      const recipient = indexed(recipients).get(key.address as string) as QueuedRecipient | undefined;
      return recipient ? newRow(data.messageId, recipient, message, priority, at, version) : null;
    }
    case 'RecipientChanged': {
      const { address, to, recipient, message, priority, held } = event.data;
      if (key.address === address && address !== to) return null;
      return { ...newRow(data.messageId, recipient, message, priority, at, version), state: held ? 'held' : 'waiting', retry: JSON.stringify(afresh(at)), why: 'recipient changed' };
    }
    case 'RecipientRouted': {
      const unknown = { sender: '', sha256: '', size: 0, trace: '', body: '8BITMIME', smtputf8: false, requireTls: false, hops: 0, acceptedAt: at } as const;
      return { ...newRow(data.messageId, event.data, unknown, 0, at, version), state: 'unread', message: '{}', why: null };
    }
  }
}

/** The same text for all recipients of a message. */
const texts = new WeakMap<QueuedMessage, string>();
function textOf(message: QueuedMessage): string {
  let text = texts.get(message);
  if (text === undefined) texts.set(message, (text = JSON.stringify(message)));
  return text;
}

const NEW = JSON.stringify(FRESH);

function newRow(
  messageId: string, { address, recipient, via, sender, notify, orcpt, priority: own }: QueuedRecipient, message: QueuedMessage, priority: number, at: number, version: number,
): QueueRow {
  const destination = destinationOf(address);
  return {
    message_id: messageId, address, recipient, via: JSON.stringify(via), notify: notify ? JSON.stringify(notify) : null, orcpt: orcpt ?? null,
    destination, partition: partitionOf(destination, QUEUE_PARTITIONS), sender: message.sender, envelope_sender: sender ?? null, state: 'waiting', next_at: at, priority: own ?? priority,
    attempts: 0, accepted_at: message.acceptedAt, retry: NEW, last_at: null, last_host: null, last_reply: null, last_outcome: null,
    why: 'new', route: '', delayed: false, size: message.size, message: textOf(message), version,
  };
}

/** Where mail for an address goes: its domain in lower-case A-labels, or its address literal. */
export const destinationOf = (address: string): string => parseAddress(address)?.domain ?? address.slice(address.lastIndexOf('@') + 1).toLowerCase();

type Change = Exclude<Event, { type: (typeof BLIND)[number] }>;

/** What an event does to a row that is there; undefined when the row goes. */
function changed(row: QueueRow, event: RecordedOf<Change>, key: Row): QueueRow | undefined {
  const { at } = event;
  /** Due at once, on a schedule of its own. */
  const again = (why: string): Pick<QueueRow, 'next_at' | 'retry' | 'why'> => ({ next_at: at, retry: JSON.stringify(afresh(at)), why });
  switch (event.type) {
    case 'DeliveryAttempted':
      return attempted(row, event, key);
    case 'RecipientHeld':
      return { ...row, state: 'held', why: 'held' };
    case 'RecipientReleased':
      return { ...row, state: 'waiting', ...again('released') };
    case 'RetryRequested':
      return { ...row, next_at: at, why: 'retry requested' };
    case 'RecipientRerouted':
      return { ...row, route: event.data.route, ...again('rerouted') };
    case 'RecipientPrioritized':
      // What is due already comes due anew, so that whoever follows the queue sees it again.
      return { ...row, priority: event.data.priority, next_at: Math.max(row.next_at, at) };
    case 'NoticeOwed':
      return { ...row, delayed: true };
    case 'NoticeSent':
    case 'MessageSubmitted':
      return row;
  }
}

function attempted(row: QueueRow, event: AttemptRecorded, key: Row): QueueRow | undefined {
  const { at, data } = event;
  const result = resultOf(event, key);
  if (!result || result.outcome === 'delivered') return undefined;
  const cause = causeOf(result);
  return {
    ...row,
    attempts: row.attempts + (cause === 'local' ? 0 : 1),
    retry: cause === 'local' ? row.retry : JSON.stringify(counted(JSON.parse(row.retry) as RetryState, cause, at)),
    next_at: result.nextAt ?? (cause === 'local' ? row.next_at : at + FORGOTTEN),
    last_at: at, last_host: data.host ?? null, last_reply: result.reply, last_outcome: result.outcome,
    why: row.state === 'held' ? row.why : (result.why ?? null),
  };
}

/** The cause by which a failure is scheduled: an unknown outcome is a line that broke. */
export const causeOf = ({ outcome, cause }: Pick<AttemptResult, 'outcome' | 'cause'>): Exclude<AttemptResult['cause'], undefined> =>
  cause ?? (outcome === 'refused' ? 'refused' : 'line');
