import type { QueueEvent } from '../delivery/queue-events.js';
import type { Positioned, Topic } from '../kernel/event-log.js';
import type { Projection } from '../kernel/projection.js';
import type { MailFact } from '../mail/events.js';

/** Which message an event is about: its own field where it has one, else the envelope's correlation. */
const messageOf = ({ event }: Positioned): string => {
  const { messageId } = event.data as { messageId?: unknown };
  return typeof messageId === 'string' ? messageId : event.correlation;
};

/** All of them: copies and expunges of IMAP tell of many at once. A message that a client put into a mailbox itself has no name of this kind. */
const messagesOf = (positioned: Positioned): readonly string[] => {
  const { messageIds } = positioned.event.data as { messageIds?: unknown };
  return Array.isArray(messageIds) ? [...new Set((messageIds as string[]).filter((id) => id !== ''))] : [messageOf(positioned)];
};

const FACTS = ['MessageAccepted', 'MessageRefused', 'RecipientRefused'] as const;
const DECISIONS = [
  'MessageAppended', 'MessageExpunged', 'MessagesAppended', 'MessagesExpunged', 'RecipientRouted', 'RecipientBounced', 'MessageQueued', 'DeliveryAttempted', 'RecipientExpired',
  'RecipientHeld', 'RecipientReleased', 'RetryRequested', 'RecipientRerouted', 'RecipientPrioritized', 'RecipientChanged', 'RecipientRemoved', 'NoticeOwed',
  'NoticeSent', 'MessageSubmitted', 'MessageQuarantined', 'QuarantineRetried', 'QuarantineDiscarded', 'QuarantineEnded',
] as const;
const ABOUT_SESSIONS = ['SessionOpened', 'TlsStarted', 'LoginSucceeded', 'LoginFailed', 'CommandRefused', 'SessionClosed'] as const;

/** Positions as text, in order: a story is read from the log itself, so no event is kept twice. */
const noted = (positions: string, { position }: Positioned): string => (positions === '' ? String(position) : `${positions} ${position}`);
export const positionsOf = (text: string): readonly number[] => (text === '' ? [] : text.split(' ').map(Number));

type SessionRow = { session: string; facts: string };

/** Where the facts of a session lie: positions in its partition of topic `session`. */
export const sessions: Projection<SessionRow> = {
  name: 'session_1',
  topics: ['session'] satisfies readonly Topic[],
  inline: false,
  types: ABOUT_SESSIONS,
  key: ['session'],
  columns: { session: 'text', facts: 'text' },
  keysOf: ({ event }) => [{ session: event.correlation }],
  apply: (row, positioned, key) => ({ ...(key as { session: string }), facts: noted(row?.facts ?? '', positioned) }),
};

type MessageRow = {
  message_id: string;
  /** From the header, without angle brackets. */
  header_message_id: string | null;
  session: string | null;
  sender: string | null;
  /** JSON list of envelope recipients. */
  recipients: string | null;
  size: number | null;
  sha256: string | null;
  accepted_at: number | null;
  refused_at: number | null;
  /** The rule that refused it. */
  refused_by: string | null;
  /** Mailboxes it was put into; recipients queued for other servers; of those, delivered there; recipients given up here or there. */
  delivered: number;
  remote: number;
  sent: number;
  bounced: number;
  /** Positions of its events in its partition of topic `mail`, and in topic `decision`. */
  facts: string;
  decisions: string;
};

/** In UTF-16 units; the index takes 2,700 bytes, and one entry it cannot take would stop the view. A longer Message-ID is only in the story. */
const LONGEST_INDEXED = 800;
const indexed = (id: string | undefined): string | null => (id !== undefined && id.length <= LONGEST_INDEXED ? id : null);

const unknownMessage = (message_id: string): MessageRow => ({
  message_id, header_message_id: null, session: null, sender: null, recipients: null, size: null, sha256: null,
  accepted_at: null, refused_at: null, refused_by: null, delivered: 0, remote: 0, sent: 0, bounced: 0, facts: '', decisions: '',
});

const isFact = (type: string): boolean => (FACTS as readonly string[]).includes(type);

/** One row per message. The two lanes arrive in any order, so each event sets only what is its own. */
export const messages: Projection<MessageRow> = {
  name: 'message_2',
  topics: ['mail', 'decision'],
  inline: false,
  types: [...FACTS, ...DECISIONS],
  key: ['message_id'],
  columns: {
    message_id: 'text', header_message_id: 'text', session: 'text', sender: 'text', recipients: 'text', size: 'bigint', sha256: 'bytea',
    accepted_at: 'bigint', refused_at: 'bigint', refused_by: 'text', delivered: 'integer', remote: 'integer', sent: 'integer', bounced: 'integer',
    facts: 'text', decisions: 'text',
  },
  keysOf: (positioned) => messagesOf(positioned).map((message_id) => ({ message_id })),
  apply(before, positioned, key) {
    const row = before ?? unknownMessage((key as { message_id: string }).message_id);
    const { type, at } = positioned.event;
    return isFact(type)
      ? { ...row, facts: noted(row.facts, positioned), ...received(positioned.event as unknown as MailFact, at) }
      : { ...row, decisions: noted(row.decisions, positioned), ...decided(row, positioned) };
  },
};

function received(fact: MailFact, at: number): Partial<MessageRow> {
  switch (fact.type) {
    case 'MessageAccepted': {
      const { session, sender, recipients, size, sha256, headerMessageId } = fact.data;
      return {
        session, sender, size, accepted_at: at, header_message_id: indexed(headerMessageId), sha256: `\\x${sha256}`,
        recipients: JSON.stringify(recipients.map((r) => r.address)),
      };
    }
    case 'MessageRefused': {
      const { session, sender, recipients, size, rule } = fact.data;
      return { session, sender, size, refused_at: at, refused_by: rule, recipients: JSON.stringify(recipients) };
    }
    case 'RecipientRefused':
      return {};
  }
}

function decided(row: MessageRow, { event }: Positioned): Partial<MessageRow> {
  if (event.type === 'MessageAppended') return { delivered: row.delivered + 1 };
  if (event.type === 'RecipientRouted') return { remote: row.remote + 1 };
  if (event.type === 'RecipientBounced' || event.type === 'RecipientExpired') return { bounced: row.bounced + 1 };
  const queued = event as unknown as QueueEvent;
  switch (queued.type) {
    case 'MessageQueued': // absolute: 0.1 wrote an event per recipient before it
      return { remote: queued.data.recipients.length };
    case 'DeliveryAttempted':
      return { sent: row.sent + queued.data.results.filter((r) => r.outcome === 'delivered').length };
    case 'MessageSubmitted': {
      const { recipients, message } = queued.data;
      const { sender, size, sha256, headerMessageId } = message;
      return {
        sender, size, accepted_at: event.at, header_message_id: indexed(headerMessageId), sha256: `\\x${sha256}`, recipients: JSON.stringify(recipients),
      };
    }
    default:
      return {};
  }
}
