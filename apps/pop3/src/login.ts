import type { ReplyName } from '@kiroku/domain/pop3/replies.js';
import { SASL_LIMIT } from '@kiroku/domain/pop3/grammar.js';
import type { Outcome } from '@kiroku/domain/pop3/session.js';
import type { Authenticator, LoginResult } from '@kiroku/infra/auth/authenticator.js';
import { mechanismOf, saslExchange } from '@kiroku/infra/auth/sasl.js';
import { type Connection, ConnectionEnded, LineTooLong } from '@kiroku/infra/net/connection.js';

/** Where and as whom a client logs in. */
export interface Door {
  readonly authenticator: Authenticator;
  readonly connection: Connection;
  readonly host: string;
  /** The banner's timestamp with its angle brackets. */
  readonly timestamp: string;
  readonly defaultDomain: string | undefined;
}

export type LoginOutcome = Extract<Outcome, { readonly do: 'login' | 'apop' | 'sasl' }>;

/** An answer of the authenticator and the name as given, or the reply where it was not asked. */
export type Attempt = { readonly mechanism: string; readonly login: string; readonly result: LoginResult } | { readonly reply: ReplyName };

/** @throws ConnectionEnded; any other error is temporary trouble with the directory. */
export async function attempt(outcome: LoginOutcome, door: Door): Promise<Attempt> {
  const { authenticator, timestamp, defaultDomain } = door;
  switch (outcome.do) {
    case 'login': {
      const { user, password } = outcome;
      return { mechanism: 'USER', login: user, result: await authenticator.password('pop3', user, password, defaultDomain) };
    }
    case 'apop': {
      const { user, digest } = outcome;
      return { mechanism: 'APOP', login: user, result: await authenticator.digest('apop', 'pop3', user, timestamp, digest, defaultDomain) };
    }
    case 'sasl':
      return exchange(outcome, door);
  }
}

/** RFC 5034 §4. */
async function exchange({ mechanism: name, initial }: Extract<Outcome, { do: 'sasl' }>, door: Door): Promise<Attempt> {
  const mechanism = mechanismOf(name);
  if (!mechanism) return { reply: 'method-off' };
  const { authenticator, connection, host, defaultDomain } = door;
  const context = { authenticator, protocol: 'pop3', hostname: host, ...(defaultDomain !== undefined && { defaultDomain }) } as const;
  const sasl = saslExchange(mechanism, context);
  const first = initial === undefined ? undefined : bytesOf(initial === '=' ? '' : initial);
  if (initial !== undefined && !first) return { reply: 'bad-base64' };
  let step = await sasl.start(first);
  while (step.kind === 'challenge') {
    connection.write(`+ ${step.data.toString('base64')}\r\n`);
    const line = await responseOf(connection);
    if (line === undefined) return { reply: 'line-too-long' };
    if (line === '*') return { reply: 'cancelled' };
    const response = bytesOf(line);
    if (!response) return { reply: 'bad-base64' };
    step = await sasl.next(response);
  }
  return { mechanism, login: step.login, result: step.result };
}

/** Undefined when it is too long. @throws ConnectionEnded, also when the client leaves here. */
async function responseOf(connection: Connection): Promise<string | undefined> {
  try {
    const line = await connection.readLine(SASL_LIMIT);
    if (!line) throw new ConnectionEnded('gone');
    return line.toString('latin1');
  } catch (error) {
    if (error instanceof LineTooLong) return undefined;
    throw error;
  }
}

/** Buffer.from skips over what is not base64; a login must not. */
const bytesOf = (base64: string): Buffer | undefined =>
  base64.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(base64) ? Buffer.from(base64, 'base64') : undefined;
