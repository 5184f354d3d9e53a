import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { LdapServer, Plain } from '@kiroku/domain/routing/ldap.js';
import { printServer } from '@kiroku/domain/routing/ldap.js';
import { detailOf, LdapFailed } from './failure.js';
import { messageLength } from './frames.js';

/** ExtendedRequest 1.3.6.1.4.1.1466.20037 with message id 1 (RFC 4511 §4.14.1). */
const STARTTLS = Buffer.concat([Buffer.from([0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16]), Buffer.from('1.3.6.1.4.1.1466.20037')]);

/**
 * A connection with a server: by TLS from the first byte, or after STARTTLS; without any only where `plain` permits it.
 * @param ca PEM; '' = the authorities that everybody trusts.
 * @param signal ends the attempt.
 * @throws LdapFailed `unreachable`, `tls`, `late`
 */
export async function openSocket(server: LdapServer, { plain, ca }: { readonly plain: Plain; readonly ca: string }, signal: AbortSignal): Promise<Socket> {
  const socket = quiet(connect({ host: server.host, port: server.port, noDelay: true }));
  try {
    await settled(socket, 'connect', signal);
  } catch (error) {
    throw failed(socket, error, server, signal, 'unreachable');
  }
  // By the address that answered: names lie.
  const clear = !server.secure && (plain === 'always' || (plain === 'loopback' && isLoopback(socket.remoteAddress ?? '')));
  if (clear) return socket;
  let top: Socket = socket;
  try {
    if (!server.secure) await startTls(socket, signal);
    const secured = quiet(connectTls({ socket, host: server.host, ...(isIP(server.host) === 0 && { servername: server.host }), minVersion: 'TLSv1.2', ...(ca !== '' && { ca }) }));
    top = secured;
    await settled(secured, 'secureConnect', signal);
    return secured;
  } catch (error) {
    throw failed(top, error, server, signal, 'tls');
  }
}

export const isLoopback = (ip: string): boolean => ip === '::1' || /^(?:::ffff:)?127\./.test(ip);

function failed(socket: Socket, error: unknown, server: LdapServer, signal: AbortSignal, reason: 'unreachable' | 'tls'): LdapFailed {
  socket.destroy();
  return new LdapFailed(signal.aborted ? 'late' : reason, printServer(server), signal.aborted ? '' : detailOf(error));
}

/** Whoever waits for something of it listens to its errors too; in between, one without a listener would end the process. */
const quiet = <S extends Socket>(socket: S): S => socket.on('error', () => undefined);

/** Until the event, an error, the other side's end or the signal. */
function settled(socket: Socket | TLSSocket, event: 'connect' | 'secureConnect' | 'data', signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const on = { good: (value: unknown) => finish(() => resolve(value)), bad: (error: Error) => finish(() => reject(error)), closed: () => on.bad(new Error('closed by the server')), late: () => on.bad(new Error('late')) };
    const finish = (then: () => void): void => {
      socket.off(event, on.good).off('error', on.bad).off('close', on.closed).off('end', on.closed);
      signal.removeEventListener('abort', on.late);
      then();
    };
    socket.once(event, on.good).once('error', on.bad).once('close', on.closed).once('end', on.closed);
    signal.addEventListener('abort', on.late);
    if (signal.aborted) on.late();
  });
}

/**
 * Nothing may come behind the answer before TLS begins: whoever sits in between could have put it there, and the client would take it
 * for a part of the protected answers.
 */
async function startTls(socket: Socket, signal: AbortSignal): Promise<void> {
  socket.write(STARTTLS);
  let answer = Buffer.alloc(0);
  for (let length: number | undefined; length === undefined || answer.length < length; length = messageLength(answer)) {
    answer = Buffer.concat([answer, (await settled(socket, 'data', signal)) as Buffer]);
    socket.pause();
    if (answer.length > (messageLength(answer) ?? Infinity)) throw new Error('more than an answer to STARTTLS');
  }
  const code = startTlsResult(answer);
  if (code !== 0) throw new Error(code === undefined ? 'no answer to STARTTLS' : `STARTTLS refused, result ${code}`);
}

/** Result code of an ExtendedResponse with message id 1; undefined when it is something else. */
export function startTlsResult(message: Buffer): number | undefined {
  const header = (at: number): number => 2 + ((message[at + 1] ?? 0) < 0x80 ? 0 : (message[at + 1] ?? 0) & 0x7f);
  const id = header(0);
  if (message.subarray(id, id + 3).compare(Buffer.from([0x02, 0x01, 0x01])) !== 0 || message[id + 3] !== 0x78) return undefined;
  const code = id + 3 + header(id + 3);
  return message[code] === 0x0a && message[code + 1] === 0x01 ? message[code + 2] : undefined;
}
