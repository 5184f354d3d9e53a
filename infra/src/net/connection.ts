import type { Peer, TlsFacts } from '@kiroku/domain/mail/events.js';

/** The line before its CRLF was longer than allowed. The rest of it was skipped: the next read starts at the next line. */
export class LineTooLong extends Error {}

/** The client was silent for too long, the session lasted too long, or the server is shutting down; `reason` says which. */
export class ConnectionEnded extends Error {
  constructor(readonly reason: 'idle' | 'session-time' | 'shutdown' | 'gone') {
    super(reason);
  }
}

/**
 * One client's connection as a protocol sees it: pull what comes in, push what goes out.
 * Replies are gathered and sent when the reader has to wait for input (RFC 2920 §3.2: answers to a pipelined group leave together)
 * or when 16 KiB are waiting. Reading returns a value at once when the bytes are there, a promise otherwise: test with `instanceof Promise`
 * on hot paths, `await` elsewhere.
 */
export interface Connection {
  /** Session id (UUIDv7). */
  readonly id: string;
  /** The client, after PROXY protocol if that is in use. */
  readonly peer: Peer;
  /** The address and port that the client connected to, e.g. `192.0.2.1:25`. */
  readonly local: string;
  /** Name of the listener: mx, submission, smtps, pop3, pop3s. */
  readonly listener: string;
  readonly tls: TlsFacts | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /**
   * The next line without its CRLF, or undefined when the client has closed its side cleanly.
   * Only CRLF ends a line; a bare CR or bare LF is part of the line (the grammar refuses it).
   * @param limit bytes of the line without CRLF.
   * @throws LineTooLong, ConnectionEnded
   */
  readLine(limit: number): Buffer | undefined | Promise<Buffer | undefined>;
  /**
   * Whatever has arrived, at most `max` bytes, at least 1; undefined at the end. The buffer is the caller's.
   * @throws ConnectionEnded
   */
  readSome(max: number): Buffer | undefined | Promise<Buffer | undefined>;
  /** Gives bytes back that were read too many; they are read next. */
  unread(bytes: Buffer): void;
  /** Bytes that have arrived and wait to be read: pipelined input, or talk before the greeting. */
  readonly waiting: number;
  /** Throws away what has arrived and was not read (after STARTTLS, RFC 3207 §4.2 and CVE-2011-0411). */
  discardWaiting(): void;
  /** Queues text (UTF-8) or bytes for sending. */
  write(data: string | Uint8Array): void;
  /** Sends what is queued. Resolves when the socket's buffer has room again: await it when sending much. @throws ConnectionEnded when the client is gone or reads nothing for `idleTimeout`. */
  flush(): void | Promise<void>;
  /** Sends what is queued, drops waiting input and makes the connection TLS with the listener's certificate. @throws ConnectionEnded when the handshake fails. */
  startTls(): Promise<TlsFacts>;
  /** Resolves after `ms`, or at once with true when input arrives before (greeting pause); ends early on shutdown. */
  pause(ms: number): Promise<boolean>;
  /**
   * Milliseconds after which a waiting read fails with `idle`; kept to the second. A line has to arrive whole within that time,
   * so a client that sends it byte by byte does not hold the connection for ever. Also how long a client may leave what we send unread.
   */
  idleTimeout: number;
  /** Sends what is queued and ends the connection; what the client sends after that is ignored. */
  close(): void;
}

/** What a line server runs. */
export interface Protocol {
  /** smtp or pop3. */
  readonly name: string;
  /** Runs one conversation; the connection is closed when it settles. A rejection is logged, answered with `failure` and never reaches another connection. */
  serve(connection: Connection): Promise<void>;
  /** The line said before closing when there are too many connections (in all, or from that address). */
  readonly busy: string;
  /** The line said when `serve` failed, the server shuts down, or time ran out. */
  readonly failure: string;
  readonly shutdown: string;
  readonly timeout: string;
}
