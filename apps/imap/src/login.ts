import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { capabilities } from '@kiroku/domain/imap/session/capabilities.js';
import type { LoginResult, SaslExchange } from '@kiroku/infra/auth/authenticator.js';
import { type Mechanism, mechanismOf, MECHANISMS, saslExchange, sendsPassword } from '@kiroku/infra/auth/sasl.js';
import { ConnectionEnded, LineTooLong } from '@kiroku/infra/net/connection.js';
import { type Completion, No, ok } from './refusal.js';
import type { Session } from './session.js';

/** Octets of a SASL response: 2 KiB in base64. */
const RESPONSE_LIMIT = 4096;

const secure = ({ connection, settings }: Session): boolean => connection.tls !== undefined || settings.plainAuthWithoutTls;

const mechanismsFor = (session: Session): readonly Mechanism[] =>
  MECHANISMS.filter((mechanism) => (secure(session) || !sendsPassword(mechanism)) && (session.digests || mechanism !== 'CRAM-MD5'));

/** What this session may use now, as CAPABILITY lists it. */
export function capabilityList(session: Session): string {
  const { connection, options, settings, phase, compressed } = session;
  return capabilities({
    phase, compressed,
    startTls: connection.tls === undefined && options.startTls !== false,
    mechanisms: mechanismsFor(session),
    login: secure(session),
    appendLimit: settings.imapAppendLimit,
    messageLimit: settings.imapMessageLimit,
  }).join(' ');
}

/** RFC 9051 §6.2.3. */
export async function login(session: Session, { user, password }: Of<'LOGIN'>): Promise<Completion> {
  if (!secure(session)) throw new No('Start TLS first', 'PRIVACYREQUIRED');
  const { ports, settings } = session;
  const result = await ports.authenticator.password('imap', user, password, settings.defaultDomain || undefined);
  return conclude(session, 'LOGIN', user, result);
}

/** RFC 9051 §6.2.2, RFC 4959. */
export async function authenticate(session: Session, { mechanism: name, initial }: Of<'AUTHENTICATE'>): Promise<Completion> {
  const mechanism = mechanismOf(name);
  if (!mechanism || !mechanismsFor(session).includes(mechanism)) {
    if (mechanism && sendsPassword(mechanism)) throw new No('Start TLS first', 'PRIVACYREQUIRED');
    throw new No('There is no such mechanism here', 'CANNOT');
  }
  const { ports, settings, host } = session;
  const { defaultDomain } = settings;
  const exchange = saslExchange(mechanism, { authenticator: ports.authenticator, protocol: 'imap', hostname: host, ...(defaultDomain !== '' && { defaultDomain }) });
  const { login: user, result } = await converse(session, exchange, initial);
  return conclude(session, mechanism, user, result);
}

async function converse(session: Session, exchange: SaslExchange, initial: string | undefined) {
  let step = await exchange.start(initial === undefined ? undefined : bytesOf(initial));
  while (step.kind === 'challenge') {
    session.output.line(`+ ${step.data.toString('base64')}`);
    step = await exchange.next(await responseOf(session));
  }
  return step;
}

async function responseOf({ connection }: Session): Promise<Buffer> {
  let line: Buffer | undefined;
  try {
    line = await connection.readLine(RESPONSE_LIMIT);
  } catch (error) {
    if (error instanceof LineTooLong) throw new No('The response is too long', undefined, 'BAD');
    throw error;
  }
  if (!line) throw new ConnectionEnded('gone');
  const text = line.toString('latin1');
  if (text === '*') throw new No('Given up', undefined, 'BAD');
  return bytesOf(text);
}

/** Buffer.from skips over what is not base64; a login must not. */
function bytesOf(base64: string): Buffer {
  if (base64.length % 4 > 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw new No('That is not base64', undefined, 'BAD');
  return Buffer.from(base64, 'base64');
}

/** A stranger's text as a record can hold it: PostgreSQL takes neither NUL nor half a surrogate pair. */
const printable = (text: string): string => text.slice(0, 320).toWellFormed().replace(/\p{Cc}/gu, '?');

async function conclude(session: Session, mechanism: string, user: string, result: LoginResult): Promise<Completion> {
  const { ports, connection } = session;
  const who = { protocol: 'imap', peer: connection.peer, mechanism };
  if (result.ok) {
    session.enter(result.account, result.mark);
    session.note({ type: 'LoginSucceeded', data: { ...who, login: result.login, account: result.account.id } });
    return ok('Logged in', `CAPABILITY ${capabilityList(session)}`);
  }
  session.note({ type: 'LoginFailed', data: { ...who, login: printable(user), rule: result.reason } });
  // The failure counts before the client hears of it: hanging up early does not spare it the lockout.
  await ports.admission.failed('imap', connection.peer.ip, connection.id);
  const { refused } = await ports.admission.admit('imap', connection.peer.ip);
  if (refused) session.hangUp('locked-out');
  throw new LoginRefused('Login failed', result.reason === 'malformed' ? undefined : 'AUTHENTICATIONFAILED');
}

/** Counts as a client's mistake, as a BAD does. */
export class LoginRefused extends No {}
