import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';

/** RFC 5802 §3: what a server keeps for SCRAM-SHA-256; bytes in base64. */
export interface ScramKeys {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

/** The answer to a login. `refused` is the same for a wrong password, an unknown user and an account that may not use the protocol; the reason is for the record. */
export type LoginResult =
  /** `mark` changes with what the account logs in with, and tells nothing of it: for sessions that must not outlast a password. */
  | { readonly ok: true; readonly account: AccountFacts; readonly login: string; readonly mark?: string }
  | { readonly ok: false; readonly reason: 'unknown-account' | 'wrong-password' | 'account-disabled' | 'protocol-off' | 'mechanism-off' | 'malformed' };

/**
 * Checks logins against the directory. Login names are `user@domain`, `user%domain`, or a bare `user` where `defaultDomain` is set;
 * case-insensitive. Takes the same time for unknown accounts as for wrong passwords. Accounts are read at each call (promise 3).
 * @throws any other error when the views cannot be read: temporary, answer 454 4.7.0 or -ERR [SYS/TEMP].
 */
export interface Authenticator {
  /** USER/PASS, PLAIN, LOGIN. */
  password(protocol: 'smtp' | 'pop3' | 'imap', login: string, password: string, defaultDomain?: string): Promise<LoginResult>;
  /** APOP (RFC 1939 §7): digest is hex of MD5(challenge + secret). CRAM-MD5 (RFC 2195): hex of HMAC-MD5(secret, challenge). Only accounts that keep a reversible secret. */
  digest(kind: 'apop' | 'cram-md5', protocol: 'smtp' | 'pop3' | 'imap', login: string, challenge: string, digest: string, defaultDomain?: string): Promise<LoginResult>;
  /** SCRAM-SHA-256 keys; for unknown accounts made-up but constant ones (RFC 5802 §9), with the result to give at the end. */
  scram(protocol: 'smtp' | 'pop3' | 'imap', login: string, defaultDomain?: string): Promise<{ readonly keys: ScramKeys; readonly result: LoginResult }>;
}

/**
 * One SASL exchange on the server side (RFC 4422). Feed what the client sent (decoded from base64), send what comes back.
 * `start` takes the initial response, undefined when there was none.
 */
export interface SaslExchange {
  start(initial: Buffer | undefined): Promise<SaslStep>;
  next(response: Buffer): Promise<SaslStep>;
}
export type SaslStep =
  | { readonly kind: 'challenge'; readonly data: Buffer }
  /** SCRAM's last data went before as one more challenge, answered by an empty response: SMTP and POP3 have no other place for it. */
  | { readonly kind: 'done'; readonly result: LoginResult; readonly login: string };
