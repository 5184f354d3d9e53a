import type { Notify, TlsFacts } from '../mail/events.js';

/** When and how a conversation is encrypted. */
export interface TlsDemand {
  /**
   * `off` never; `opportunistic` when offered, any certificate, plain text when the handshake fails (a fresh connection);
   * `required` or nothing is sent; `implicit` handshake first.
   */
  readonly mode: 'off' | 'opportunistic' | 'required' | 'implicit';
  /** With `opportunistic`: false = plain text only where TLS is not offered; what is offered and fails ends the attempt. Default true. */
  readonly plainAfterFailure?: boolean;
  /** What the certificate must show; `no` = anything goes. With `dane`, `tlsa` holds the usable records (RFC 7672). */
  readonly verify: 'no' | 'pkix' | 'mta-sts' | 'dane';
  /** Name for SNI and for the certificate (more names with `mta-sts` or `dane`: any of them will do). */
  readonly names: readonly string[];
  readonly tlsa?: readonly { readonly usage: number; readonly selector: number; readonly matching: number; readonly data: string }[];
  /** TLS versions to offer, e.g. `TLSv1.2`. */
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
}

/** How to log in at a gateway. The secret is the password, or the access token for XOAUTH2 and OAUTHBEARER. */
export interface ClientCredentials {
  readonly mechanism: 'PLAIN' | 'LOGIN' | 'CRAM-MD5' | 'XOAUTH2' | 'OAUTHBEARER' | 'any';
  readonly user: string;
  readonly secret: string;
  /** The secret is an access token, good for a while. */
  readonly token?: true;
  /** The gateway does not take the secret: others to try once more on a new connection, undefined when there are none. Never rejects. */
  renew?(): Promise<ClientCredentials | undefined>;
}

/** There are credentials, only no secret to log in with at the moment. `reply` has the form of a temporary SMTP reply; no secrets. */
export class LoginUnavailable extends Error {
  constructor(readonly reply: string) {
    super(reply);
  }
}

/** Whom to talk to. */
export interface Target {
  /** Name as in MX or gateway; for messages and logs. */
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** Local address to bind. */
  readonly source?: string;
  /** Argument of EHLO. */
  readonly helo: string;
  readonly tls: TlsDemand;
  readonly credentials?: ClientCredentials;
}

/** ms; RFC 5321 §4.5.3.2 has the defaults that operators expect. */
export interface ClientTimeouts {
  readonly connect: number;
  readonly greeting: number;
  readonly command: number;
  readonly mail: number;
  readonly rcpt: number;
  readonly dataInit: number;
  readonly dataBlock: number;
  readonly dataEnd: number;
  readonly tls: number;
}
export const RFC_TIMEOUTS: ClientTimeouts = {
  connect: 30_000, greeting: 300_000, command: 300_000, mail: 300_000, rcpt: 300_000, dataInit: 120_000, dataBlock: 180_000, dataEnd: 600_000, tls: 30_000,
};

export interface OutboundRecipient {
  readonly address: string;
  readonly notify?: readonly Notify[];
  readonly orcpt?: string;
}

/** One message for one transaction. */
export interface OutboundMessage {
  readonly sender: string;
  readonly recipients: readonly OutboundRecipient[];
  /** Exact bytes of `content()`: trace and body, before dot-stuffing. */
  readonly size: number;
  readonly body: '7BIT' | '8BITMIME' | 'BINARYMIME';
  readonly smtputf8: boolean;
  readonly requireTls: boolean;
  readonly ret?: 'FULL' | 'HDRS';
  readonly envid?: string;
  /** The bytes, anew at each call; chunks of at most 256 KiB. What it throws is this machine's trouble: cause `local`. */
  content(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /**
   * Lines to stand before the content, made from it as it will leave: header fields, each ended by CRLF, or ''. Asked once, when it is
   * known in which form this server takes the message. What it throws is this machine's trouble, too.
   */
  seal?(content: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string>;
}

/** Exactly one per recipient, in order. Fields as in `AttemptResult` of delivery; see there. */
export interface SendResult {
  readonly address: string;
  readonly outcome: 'delivered' | 'deferred' | 'refused' | 'unknown';
  readonly cause?: 'refused' | 'line' | 'local';
  readonly reply: string;
  readonly phase: string;
  readonly relayed?: true;
}

/** No conversation could be opened. `tlsFailed`: it was the encryption, so a fall-back mode may apply. */
export class ConnectFailed extends Error {
  constructor(
    readonly phase: 'connect' | 'greeting' | 'EHLO' | 'STARTTLS' | 'AUTH' | 'tls',
    readonly outcome: 'deferred' | 'refused',
    /** `source`: the local address asked for cannot be used. */
    readonly because: 'no-answer' | 'line' | 'refused' | 'local' | 'source',
    /** In the form of an SMTP reply. */
    readonly reply: string,
    readonly tlsFailed = false,
  ) {
    super(reply);
  }
}

/** An open conversation: greeted, encrypted and logged in as asked. One message at a time. */
export interface ClientConversation {
  readonly target: Target;
  readonly source: string;
  readonly tls: (TlsFacts & { readonly verified: 'no' | 'pkix' | 'mta-sts' | 'dane' }) | undefined;
  /** Messages begun so far. */
  readonly sent: number;
  /** False once it is closed or must not be used again. */
  readonly usable: boolean;
  /** Never rejects: whatever happens has a result for each recipient. */
  send(message: OutboundMessage): Promise<readonly SendResult[]>;
  /** QUIT and close; resolves at once when already closed. Never rejects. */
  quit(): Promise<void>;
}

/** What a server says of a recipient that it is only asked about. `phase`: the command it answered. */
export interface VerifyResult {
  readonly outcome: 'taken' | 'refused' | 'deferred';
  readonly reply: string;
  readonly phase: string;
}

/** A conversation that can also ask and send nothing. */
export interface AskingConversation extends ClientConversation {
  /** MAIL and RCPT alone. Counts as a message begun; never rejects. */
  verify(sender: string, recipient: string): Promise<VerifyResult>;
}

/** Opens conversations. @param signal gives up, as if nobody had answered; means nothing any more once it is open. @throws ConnectFailed */
export type OpenConversation<Talk extends ClientConversation = ClientConversation> = (target: Target, signal?: AbortSignal) => Promise<Talk>;
