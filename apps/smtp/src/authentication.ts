import type { Login, Of } from '@kiroku/domain/smtp/session.js';
import { LONGEST_LINE } from '@kiroku/domain/smtp/grammar.js';
import type { Reason } from '@kiroku/domain/smtp/replies.js';
import type { SaslStep } from '@kiroku/infra/auth/authenticator.js';
import { type Mechanism, mechanismOf, MECHANISMS, sendsPassword } from '@kiroku/infra/auth/sasl.js';
import { ConnectionEnded, LineTooLong } from '@kiroku/infra/net/connection.js';
import type { Dialogue } from './dialogue.js';

/** What may be used on this connection now. */
export function mechanismsFor({ connection, settings, digests }: Dialogue): readonly Mechanism[] {
  const secure = connection.tls !== undefined || settings.plainAuthWithoutTls;
  return MECHANISMS.filter((mechanism) => (secure || !sendsPassword(mechanism)) && (digests || mechanism !== 'CRAM-MD5'));
}

/** Canonical base64 (RFC 4648 §4) only: another reading of the same bytes helps nobody honest. */
function decode(text: string): Buffer | undefined {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

/**
 * AUTH from its command to its last reply (RFC 4954 §4).
 * @returns the login, or undefined when there is none; then `dialogue.over` may be set.
 */
export async function authenticate(dialogue: Dialogue, { mechanism: name, initial }: Of<'AUTH'>): Promise<Login | undefined> {
  const refuse = (reason: Reason): undefined => {
    dialogue.noteRefused('AUTH', reason, dialogue.refuse(reason));
  };
  const mechanism = mechanismOf(name);
  if (!mechanism) return refuse('unknown-mechanism');
  if (!mechanismsFor(dialogue).includes(mechanism)) return refuse(sendsPassword(mechanism) ? 'encryption-required' : 'unknown-mechanism');
  const first = initial === undefined ? undefined : initial === '=' ? Buffer.alloc(0) : decode(initial);
  if (initial !== undefined && first === undefined) return refuse('auth-malformed');
  const { defaultDomain } = dialogue.settings;
  const exchange = dialogue.on.sasl(mechanism, { hostname: dialogue.host, ...(defaultDomain !== '' && { defaultDomain }) });
  try {
    let step = await exchange.start(first);
    while (step.kind === 'challenge') {
      dialogue.say('auth-challenge', { challenge: step.data.toString('base64') });
      const response = await readResponse(dialogue);
      if (response === undefined) return undefined;
      if (typeof response === 'string') return refuse(response);
      step = await exchange.next(response);
    }
    return await conclude(dialogue, mechanism, step);
  } catch (error) {
    if (error instanceof ConnectionEnded) throw error;
    dialogue.trouble(error);
    return refuse('auth-unavailable');
  }
}

/** A stranger's text as a record can hold it: PostgreSQL takes neither NUL nor half a surrogate pair. */
const printable = (text: string): string => text.toWellFormed().replace(/\p{Cc}/gu, '?');

/** The decoded response, the reason why there is none, or undefined when the client has left. */
async function readResponse(dialogue: Dialogue): Promise<Buffer | Reason | undefined> {
  let line: Buffer | undefined;
  try {
    line = await dialogue.connection.readLine(LONGEST_LINE - 2);
  } catch (error) {
    if (error instanceof LineTooLong) return 'auth-line-too-long';
    throw error;
  }
  if (line === undefined) {
    dialogue.over = 'gone';
    return undefined;
  }
  const text = line.toString('latin1');
  return text === '*' ? 'auth-cancelled' : (decode(text) ?? 'auth-malformed');
}

async function conclude(dialogue: Dialogue, mechanism: Mechanism, { result, login }: Extract<SaslStep, { kind: 'done' }>): Promise<Login | undefined> {
  const { on, connection, peer } = dialogue;
  if (result.ok) {
    const { id, address } = result.account;
    dialogue.note({ type: 'LoginSucceeded', data: { protocol: 'smtp', peer, mechanism, login: result.login, account: id } });
    dialogue.say('auth-ok');
    return { account: id, address };
  }
  dialogue.note({ type: 'LoginFailed', data: { protocol: 'smtp', peer, mechanism, login: printable(login), rule: result.reason } });
  await on.admission.failed('smtp', connection.peer.ip, connection.id);
  const { refused } = await on.admission.admit('smtp', connection.peer.ip);
  if (refused) dialogue.close('locked-out');
  else dialogue.refuse(result.reason === 'malformed' ? 'auth-malformed' : 'auth-failed');
  return undefined;
}
