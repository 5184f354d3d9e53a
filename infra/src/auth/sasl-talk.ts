import type { Authenticator, LoginResult } from './authenticator.js';
import { loginAddress } from './login-address.js';

export interface SaslContext {
  readonly authenticator: Authenticator;
  readonly protocol: 'smtp' | 'pop3' | 'imap';
  /** This server's name, for CRAM-MD5 challenges. */
  readonly hostname: string;
  readonly defaultDomain?: string;
  /** Never the same twice; printable ASCII without comma, `<`, `>` and `@`. Tests give the RFCs' own. */
  readonly nonce?: () => string;
}

/** A mechanism as a conversation: yields challenges, is sent responses, returns the outcome. `null`: the client has not spoken yet. */
export type Talk = AsyncGenerator<string | null, Outcome, string>;
export interface Outcome {
  readonly result: LoginResult;
  /** The name as the client gave it, '' when none was read. For the record of failures: at most 320 characters. */
  readonly login: string;
}

export const malformed = (login = ''): Outcome => ({ result: { ok: false, reason: 'malformed' }, login: login.slice(0, 320) });

/** Whether a client may act as `authzid`: as itself only. */
export const isItself = (authzid: string, authcid: string, defaultDomain?: string): boolean =>
  authzid === '' || authzid === authcid || (loginAddress(authcid, defaultDomain) ?? '') === loginAddress(authzid, defaultDomain);
