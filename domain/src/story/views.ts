import type { Positioned } from '../kernel/event-log.js';
import type { Projection } from '../kernel/projection.js';
import type { MailFact } from '../mail/events.js';

/** Which message an event is about: its own field where it has one, else the envelope's correlation. */
const messageOf = ({ event }: Positioned): string => {
  const { messageId } = event.data as { messageId?: unknown };
  return typeof messageId === 'string' ? messageId : event.correlation;
};

const ABOUT_MESSAGES = [
  'MessageAccepted', 'MessageRefused', 'RecipientRefused', 'MessageAppended', 'MessageExpunged', 'RecipientRouted', 'RecipientBounced',
] as const;
const ABOUT_SESSIONS = ['SessionOpened', 'TlsStarted', 'LoginSucceeded', 'LoginFailed', 'CommandRefused', 'SessionClosed'] as const;

type StoryRow = { subject: string; event_id: string; at: number; event: string };

/** Every event of one message or one session, found by queue id or session id. `event` is the envelope as JSON text. */
export const stories: Projection<StoryRow> = {
  name: 'story_1',
  topics: ['mail', 'session', 'decision'],
  inline: false,
  types: [...ABOUT_MESSAGES, ...ABOUT_SESSIONS],
  key: ['subject', 'event_id'],
  columns: { subject: 'text', event_id: 'uuid', at: 'bigint', event: 'text' },
  blind: [...ABOUT_MESSAGES, ...ABOUT_SESSIONS],
  keysOf: (positioned) => [{ subject: messageOf(positioned), event_id: positioned.event.id }],
  apply: (_, { event }, key) => ({ ...key, at: event.at, event: JSON.stringify(event) }) as unknown as StoryRow,
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
  /** Mailboxes it was put into, recipients sent on to other servers, recipients that failed. */
  delivered: number;
  remote: number;
  bounced: number;
};

/** In UTF-16 units; the index takes 2,700 bytes, and one entry it cannot take would stop the view. A longer Message-ID is only in the story. */
const LONGEST_INDEXED = 800;
const indexed = (id: string | undefined): string | null => (id !== undefined && id.length <= LONGEST_INDEXED ? id : null);

const unknownMessage = (message_id: string): MessageRow => ({
  message_id, header_message_id: null, session: null, sender: null, recipients: null, size: null, sha256: null,
  accepted_at: null, refused_at: null, refused_by: null, delivered: 0, remote: 0, bounced: 0,
});

/** One row per message. The two lanes arrive in any order, so each event sets only what is its own. */
export const messages: Projection<MessageRow> = {
  name: 'message_1',
  topics: ['mail', 'decision'],
  inline: false,
  types: ['MessageAccepted', 'MessageRefused', 'MessageAppended', 'RecipientRouted', 'RecipientBounced'],
  key: ['message_id'],
  columns: {
    message_id: 'text', header_message_id: 'text', session: 'text', sender: 'text', recipients: 'text', size: 'bigint', sha256: 'bytea',
    accepted_at: 'bigint', refused_at: 'bigint', refused_by: 'text', delivered: 'integer', remote: 'integer', bounced: 'integer',
  },
  keysOf: (positioned) => [{ message_id: messageOf(positioned) }],
  apply(before, positioned) {
    const row = before ?? unknownMessage(messageOf(positioned));
    switch (positioned.event.type) {
      case 'MessageAppended':
        return { ...row, delivered: row.delivered + 1 };
      case 'RecipientRouted':
        return { ...row, remote: row.remote + 1 };
      case 'RecipientBounced':
        return { ...row, bounced: row.bounced + 1 };
      default:
        return afterReception(row, positioned.event as unknown as MailFact, positioned.event.at);
    }
  },
};

function afterReception(row: MessageRow, fact: MailFact, at: number): MessageRow {
  switch (fact.type) {
    case 'MessageAccepted': {
      const { session, sender, recipients, size, sha256, headerMessageId } = fact.data;
      return {
        ...row, session, sender, size, accepted_at: at, header_message_id: indexed(headerMessageId), sha256: `\\x${sha256}`,
        recipients: JSON.stringify(recipients.map((r) => r.address)),
      };
    }
    case 'MessageRefused': {
      const { session, sender, recipients, size, rule } = fact.data;
      return { ...row, session, sender, size, refused_at: at, refused_by: rule, recipients: JSON.stringify(recipients) };
    }
    case 'RecipientRefused':
      return row;
  }
}
