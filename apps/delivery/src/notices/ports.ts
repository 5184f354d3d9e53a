import type { NoticeKind, QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import type { Append } from '@kiroku/domain/kernel/event-store.js';
import type { NoticeStyle } from '@kiroku/domain/notice/compose.js';

/**
 * Takes a message that this server wrote itself, and routes it like any other: `MessageSubmitted` and what becomes of its recipients go into
 * stream `message-<its id>`, entries into mailboxes, and `also` into other streams, all in one transaction. Recipients of a message with the
 * null sender get no reports themselves. Resolves when that is durable.
 * @throws VersionConflict naming a stream of `also` that somebody else appended to; then nothing was written. Conflicts elsewhere are the
 * implementation's own to solve. Any other error: the outcome may be unknown.
 */
export type SubmitMessage = (message: QueueFact<'MessageSubmitted'>, also: readonly Append[]) => Promise<void>;

/** What administrators decide about reports. */
export interface NoticeSettings {
  /** This server's name in reports. */
  readonly hostname: string;
  /** Minutes east of UTC at that time. */
  offset(at: number): number;
  /** Sender, subject and words; `domain` is that of MAILER-DAEMON. Asked with the first recipient of a report. */
  styleOf(about: QueueFact<'NoticeOwed'>): NoticeStyle & { readonly domain: string };
  /** Addresses that get a copy of each report of failure, with the header of the original only. */
  readonly postmasterCopy: readonly string[];
  /** Reports per hour to one address about mail from strangers: their sender may be forged. 0 = no limit. */
  readonly perHour: number;
}

export const NOTICES_PER_HOUR = 100;

/** For the marks in events and errors: which report. */
export interface GroupName {
  readonly messageId: string;
  readonly kind: NoticeKind;
}
export const nameOf = ({ messageId, kind }: GroupName): string => `${messageId} ${kind}`;
