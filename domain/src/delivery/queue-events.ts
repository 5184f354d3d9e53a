import type { Fact } from '../kernel/event.js';
import type { Notify } from '../mail/events.js';

/** What sending a message on, or reporting about it, needs to know of it: the acceptance, without what concerns only this server. */
export interface QueuedMessage {
  /** Envelope sender; '' is the null sender. */
  readonly sender: string;
  readonly sha256: string;
  /** Bytes of the stored body, without `trace`. */
  readonly size: number;
  /** The object store's hint. */
  readonly at?: string;
  /** What goes in front of the body: Received and added headers, CRLF-ended lines. */
  readonly trace: string;
  readonly body: '7BIT' | '8BITMIME' | 'BINARYMIME';
  readonly smtputf8: boolean;
  readonly requireTls: boolean;
  readonly ret?: 'FULL' | 'HDRS';
  readonly envid?: string;
  /** Received fields it arrived with. */
  readonly hops: number;
  /** Canonical addresses of its Delivered-To fields: who has sent it on before. */
  readonly deliveredTo?: readonly string[];
  /** Epoch ms. */
  readonly acceptedAt: number;
  readonly headerMessageId?: string;
  /** Address the client authenticated as; undefined for mail from strangers. */
  readonly login?: string;
  /** Its header says `Precedence: bulk`, `list` or `junk`. */
  readonly bulk?: true;
  /** Rather unencrypted than not at all (RFC 8689, `TLS-Required: No`). */
  readonly tlsOptional?: true;
}

/** One recipient on another server. Its name in the queue is (message id, address). */
export interface QueuedRecipient {
  /** Where it is to go: the envelope recipient, or the remote target of an alias. */
  readonly address: string;
  /** Envelope recipient as accepted. */
  readonly recipient: string;
  /** Aliases on the way, in order. */
  readonly via: readonly string[];
  /** Envelope sender towards it, where it is not the message's own: rewritten for a forward (SRS). Reports of ours go to the message's own. */
  readonly sender?: string;
  readonly notify?: readonly Notify[];
  /** RFC 3461 §4.2, still xtext-encoded. */
  readonly orcpt?: string;
  /** Lower first; absent: the message's. */
  readonly priority?: number;
}

/**
 * Why an attempt did not deliver, as administrators schedule by it (E-Post): `refused` is a 5xx reply; `line` a 4xx reply, or a
 * connection that broke or fell silent after it was made; `no-answer` that nobody could be reached (no connection, no DNS answer);
 * `local` is this machine's own trouble (body not readable, no file descriptors): never counted against the recipient.
 */
export type Cause = 'refused' | 'line' | 'no-answer' | 'local';

/** What became of one recipient in one attempt. */
export interface AttemptResult {
  readonly address: string;
  /** `unknown`: the end of data was sent and the reply never heard, or this server died in between. It will be sent again. */
  readonly outcome: 'delivered' | 'deferred' | 'refused' | 'unknown';
  readonly cause?: Cause;
  /** The other server's exact reply, or this server's words in the same form (`450 4.4.1 …`) when there was none. */
  readonly reply: string;
  /** connect, greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, end-of-data, dns, policy. */
  readonly phase: string;
  /** Epoch ms of the next try; absent when there is none. */
  readonly nextAt?: number;
  /** Why then: the rule of the schedule, e.g. `no-answer: every 120 s for 24 h`. */
  readonly why?: string;
  /** The other server does not report on delivery itself (no DSN in its EHLO). Only on `delivered`. */
  readonly relayed?: true;
}

/** RFC 8460 §4.3, all of them. */
export type TlsFailure =
  | 'starttls-not-supported'
  | 'certificate-host-mismatch'
  | 'certificate-expired'
  | 'certificate-not-trusted'
  | 'validation-failure'
  | 'tlsa-invalid'
  | 'dnssec-invalid'
  | 'dane-required'
  | 'sts-policy-fetch-error'
  | 'sts-policy-invalid'
  | 'sts-webpki-invalid';

/** How the encryption of one connection went, for the report to its domain (RFC 8460). */
export interface TlsOutcome {
  /** The recipients' domain. */
  readonly domain: string;
  readonly policy: 'sts' | 'tlsa' | 'no-policy-found';
  readonly host: string;
  readonly ip?: string;
  /** Local address. */
  readonly source?: string;
  /** Absent when all went as the policy wants. */
  readonly failure?: TlsFailure;
}

/** One conversation (or the failure to have one) about some recipients of one message. */
export interface Attempt {
  readonly messageId: string;
  /** The next host by name (MX or gateway), as far as one was found. */
  readonly host?: string;
  readonly ip?: string;
  readonly port?: number;
  /** Local address used. */
  readonly source?: string;
  readonly route: 'mx' | 'gateway';
  /** `none` = not encrypted. `verified` says by what the certificate was checked. */
  readonly tls?: { readonly version: string; readonly cipher: string; readonly verified: 'no' | 'pkix' | 'mta-sts' | 'dane' };
  /** How encryption went on the connections that were opened, or tried, for this attempt; only where the domain wants reports of it. */
  readonly tlsOutcomes?: readonly TlsOutcome[];
  /** ms from the first step to the last reply. */
  readonly duration: number;
  readonly results: readonly AttemptResult[];
}

/** What a report to the sender is about. RFC 3464 §2.3.3: failed, delayed, relayed, delivered, expanded. */
export type NoticeKind = 'failed' | 'delayed' | 'relayed' | 'delivered' | 'expanded';

interface AboutRecipient {
  readonly messageId: string;
  readonly address: string;
}

/** Stream `message-<queue id>`, beside `RecipientRouted` (0.1 only) and `RecipientBounced`. */
export type QueueEvent =
  /** Recipients on other servers wait for delivery from now on. Once per message. */
  | Fact<'MessageQueued', { readonly messageId: string; readonly message: QueuedMessage; readonly recipients: readonly QueuedRecipient[]; readonly priority: number }>
  | Fact<'DeliveryAttempted', Attempt>
  /** Given up: the schedule allows no further try. `reply` is the last one heard. */
  | Fact<'RecipientExpired', AboutRecipient & { readonly recipient: string; readonly rule: string; readonly reply: string }>
  /** By people: each has actor (envelope) and reason. */
  | Fact<'RecipientHeld', AboutRecipient & { readonly reason: string }>
  | Fact<'RecipientReleased', AboutRecipient & { readonly reason: string }>
  | Fact<'RetryRequested', AboutRecipient & { readonly reason: string }>
  /** To this `host:port` instead of what routing says; '' takes that back. */
  | Fact<'RecipientRerouted', AboutRecipient & { readonly route: string; readonly reason: string }>
  /** Lower first. */
  | Fact<'RecipientPrioritized', AboutRecipient & { readonly priority: number; readonly reason: string }>
  /** From now on `recipient` waits in its place, as if newly queued; `recipient.address` is the new address. */
  | Fact<
      'RecipientChanged',
      AboutRecipient & {
        readonly to: string;
        readonly reason: string;
        readonly recipient: QueuedRecipient;
        readonly message: QueuedMessage;
        readonly priority: number;
        readonly held: boolean;
      }
    >
  /** Taken out of the queue without a report to the sender. */
  | Fact<'RecipientRemoved', AboutRecipient & { readonly reason: string }>
  /** The sender is to hear about this recipient. Carries all that the report needs. Never for a message with the null sender. */
  | Fact<
      'NoticeOwed',
      AboutRecipient & {
        readonly kind: NoticeKind;
        readonly recipient: string;
        readonly orcpt?: string;
        /** Exact reply of the other server, or this server's own; enhanced code in its second word where there is one. */
        readonly reply: string;
        /** The server that said so; absent when it was this one. */
        readonly host?: string;
        /** Why it was given up, as in `RecipientBounced` and `RecipientExpired`; only with `failed`. */
        readonly rule?: string;
        readonly lastAttemptAt?: number;
        /** When this server will give up; only with `delayed`. */
        readonly until?: number;
        readonly message: QueuedMessage;
      }
    >
  /** The report is on its way as message `noticeId`; or none is needed after all (`noticeId` absent, `why` says why). */
  | Fact<'NoticeSent', { readonly messageId: string; readonly kind: NoticeKind; readonly addresses: readonly string[]; readonly noticeId?: string; readonly why?: string }>
  /** A message that this server wrote itself, in the stream of that message: what `MessageAccepted` is for mail from outside. */
  | Fact<
      'MessageSubmitted',
      {
        readonly messageId: string;
        /** `notice`, `tls-report`, later `auto-reply`, `list`… */
        readonly origin: string;
        /** Queue id of the message that it is about. */
        readonly about?: string;
        readonly recipients: readonly string[];
        readonly message: QueuedMessage;
      }
    >;

export type QueueFact<T extends QueueEvent['type']> = Extract<QueueEvent, { type: T }>['data'];
