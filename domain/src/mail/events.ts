import type { Fact } from '../kernel/event.js';

/** The other end of a connection, and what it claimed. */
export interface Peer {
  /** Text form; IPv4-mapped IPv6 is written as IPv4. */
  readonly ip: string;
  readonly port: number;
  /** HELO/EHLO argument as sent. */
  readonly helo?: string;
}

export interface TlsFacts {
  /** e.g. `TLSv1.3` */
  readonly version: string;
  readonly cipher: string;
}

/** RFC 3461 §4.1: SUCCESS, FAILURE, DELAY or NEVER, upper case. */
export type Notify = 'SUCCESS' | 'FAILURE' | 'DELAY' | 'NEVER';

/** One RCPT TO that was accepted. */
export interface EnvelopeRecipient {
  /** As the client sent it, without angle brackets. */
  readonly address: string;
  readonly notify?: readonly Notify[];
  /** RFC 3461 §4.2, still xtext-encoded, e.g. `rfc822;ann@x.test`. */
  readonly orcpt?: string;
}

/** 250 was (about to be) said: body and this fact are durable first. Keyed by queue id, topic `mail`. */
export type MessageAccepted = Fact<
  'MessageAccepted',
  {
    /** The queue id: the message's name everywhere. */
    readonly messageId: string;
    readonly session: string;
    /** `mx`, `submission` or `smtps`. */
    readonly listener: string;
    readonly peer: Peer;
    readonly tls?: TlsFacts;
    /** Address the client authenticated as. */
    readonly login?: string;
    /** RFC 3848 keyword: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, UTF8SMTP… */
    readonly protocol: string;
    /** Envelope sender; '' is the null sender. */
    readonly sender: string;
    readonly recipients: readonly EnvelopeRecipient[];
    readonly body: '7BIT' | '8BITMIME' | 'BINARYMIME';
    readonly smtputf8: boolean;
    readonly requireTls: boolean;
    /** RFC 3461 §4.3 and §4.4. */
    readonly ret?: 'FULL' | 'HDRS';
    readonly envid?: string;
    /** The body as received (dot-stuffing undone): SHA-256 hex, bytes, and the store's hint. */
    readonly sha256: string;
    readonly size: number;
    readonly at?: string;
    /** What this server put in front of the body: Received and added headers, CRLF-ended lines. */
    readonly trace: string;
    /** Message-ID header field without angle brackets, as sent or as added. */
    readonly headerMessageId?: string;
    /** Number of Received fields that the body arrived with. */
    readonly hops: number;
    /** Addresses, canonical, that its Delivered-To fields say it was delivered to before: an alias among them would send it round in circles. */
    readonly deliveredTo?: readonly string[];
    /** Its header says `Precedence: bulk`, `list` or `junk`: it can wait. */
    readonly bulk?: true;
    /** Its header says `TLS-Required: No`, and it did not come with REQUIRETLS (RFC 8689): rather unencrypted than not at all. */
    readonly tlsOptional?: true;
    /** The exact final reply. */
    readonly reply: string;
  }
>;

/** A transaction that ended without acceptance, after MAIL. Nothing else of it is kept. Topic `mail`. */
export type MessageRefused = Fact<
  'MessageRefused',
  {
    readonly messageId: string;
    readonly session: string;
    readonly listener: string;
    readonly peer: Peer;
    readonly tls?: TlsFacts;
    readonly login?: string;
    readonly sender: string;
    /** Recipients that had been accepted. */
    readonly recipients: readonly string[];
    /** Bytes received of the body, 0 before DATA. */
    readonly size: number;
    /** The command at which it ended: MAIL, RCPT, DATA, BDAT, RSET, QUIT or `disconnect`. */
    readonly phase: string;
    /** The reason's literal, e.g. `message-too-big`; `client-gave-up` when the client ended it. */
    readonly rule: string;
    /** The exact reply, '' when the client left. */
    readonly reply: string;
    /** What the rule saw, e.g. the address that is not the login's own. For administrators. */
    readonly detail?: string;
  }
>;

/** One RCPT TO refused inside a transaction. Topic `mail`. */
export type RecipientRefused = Fact<
  'RecipientRefused',
  { readonly messageId: string; readonly session: string; readonly address: string; readonly rule: string; readonly reply: string; readonly detail?: string }
>;

export type MailFact = MessageAccepted | MessageRefused | RecipientRefused;

/** Topic `session`, keyed by session id. */
export type SessionFact =
  | Fact<'SessionOpened', { readonly protocol: string; readonly listener: string; readonly peer: Peer; readonly local: string; readonly tls?: TlsFacts }>
  | Fact<'TlsStarted', TlsFacts>
  | Fact<'LoginSucceeded', { readonly protocol: string; readonly peer: Peer; readonly mechanism: string; readonly login: string; readonly account: string }>
  | Fact<'LoginFailed', { readonly protocol: string; readonly peer: Peer; readonly mechanism: string; readonly login: string; readonly rule: string }>
  | Fact<'CommandRefused', { readonly protocol: string; readonly peer: Peer; readonly verb: string; readonly rule: string; readonly reply: string }>
  | Fact<'SessionClosed', { readonly protocol: string; readonly peer: Peer; readonly reason: string; readonly seconds: number; readonly commands: number; readonly bytesIn: number; readonly bytesOut: number }>;
