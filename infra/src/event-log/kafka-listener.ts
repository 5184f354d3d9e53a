import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { TIMES } from './kafka-options.js';
import { WireReader, WireWriter } from './kafka-wire.js';

interface Listener { readonly host: string; readonly port: number }

/** Any number: the answer bears it. */
const CORRELATION = 0x4b69_726f;
/** Bytes of the largest answer to it, at least; brokers know some hundred requests. */
const LARGEST = 1 << 20;

/**
 * Why a listener ended a connection before it said anything: the settings of TLS do not fit it. It looks like a broker that is away, but no
 * waiting mends it. Takes at most as long as connecting may.
 * @param failure of the library.
 * @param tls whether we spoke TLS.
 * @returns words for the administrator; undefined when that is not the reason.
 */
export async function mismatchOf(failure: unknown, listener: Listener, tls: boolean): Promise<string | undefined> {
  if (!mayBeMismatch(failure, tls)) return undefined;
  const at = `${listener.host}:${listener.port}`;
  if (tls) return (await speaksKafka(listener)) ? `${at} does not speak TLS: name another port of this broker, or set KIROKU_KAFKA_TLS=off` : undefined;
  return (await speaksTls(listener)) ? `${at} speaks TLS: set KIROKU_KAFKA_TLS=on, or to the file with the certificates to trust` : undefined;
}

/** Somebody was there, and did not understand us. */
function mayBeMismatch(failure: unknown, tls: boolean): boolean {
  const { name = '', code } = failure as { readonly name?: string; readonly code?: unknown };
  if (name === 'KafkaJSConnectionClosedError' || name === 'KafkaJSRequestTimeoutError') return !tls;
  // EPROTO: no TLS came back. Without a code: nothing did, in time.
  return name === 'KafkaJSConnectionError' && (code === 'ECONNRESET' || code === 'EPIPE' || (tls && (code === 'EPROTO' || code === undefined)));
}

/** Nothing is sent but the greeting: whose certificate it is does not matter. An alert is TLS as well. */
const speaksTls = ({ host, port }: Listener): Promise<boolean> =>
  answers((found) =>
    connectTls({ host, port, rejectUnauthorized: false, ...(isIP(host) === 0 && { servername: host }) }, () => found(true))
      .on('error', ({ code }: NodeJS.ErrnoException) => found(/^ERR_SSL_.*ALERT/.test(String(code)))));

/** Asks which versions are spoken, the only question that is answered to everybody. */
const speaksKafka = ({ host, port }: Listener): Promise<boolean> =>
  answers((found) => {
    let heard = Buffer.alloc(0);
    return connectTcp({ host, port }, function (this: Socket) {
      const question = new WireWriter().int16(18).int16(0).int32(CORRELATION).string('kiroku').done();
      this.write(new WireWriter().int32(question.length).bytes(question).done());
    }).on('error', () => found(false)).on('data', (bytes: Buffer) => {
      heard = Buffer.concat([heard, bytes]);
      if (heard.length < 8) return;
      const wire = new WireReader(heard);
      const size = wire.int32();
      found(size > 4 && size <= LARGEST && wire.int32() === CORRELATION);
    });
  });

function answers(ask: (found: (yes: boolean) => void) => Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const found = (yes: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(yes);
    };
    const timer = setTimeout(() => found(false), TIMES.connect);
    const socket = ask(found).on('close', () => found(false));
  });
}
