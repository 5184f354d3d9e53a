import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Server } from './servers.js';
import { Malformed, readReply, type Query, type Reply } from './wire.js';

/** One server gave no answer to one question. */
export class NoAnswer extends Error {
  constructor(
    message: string,
    /** Nothing was heard: the same server may answer when it is asked again. */
    readonly silent: boolean,
  ) {
    super(message);
  }
}

const LATE = 'no answer in time';
/** Datagrams that are not our reply, before somebody is taken to be guessing ids (RFC 5452 §9.2). */
const MOST_STRANGERS = 20;

/**
 * Asks by UDP, from a socket of its own: the system picks a random port, and takes in only what comes from the server's address.
 * @param ms milliseconds to wait.
 * @returns undefined when the question must be asked by TCP: the reply was truncated, or hidden among forgeries.
 * @throws NoAnswer
 */
export function overUdp({ host, port, family }: Server, query: Query, ms: number): Promise<Reply | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.close();
      settle();
    };
    const fail = (error: Error): void => end(() => reject(asNoAnswer(error)));
    const timer = setTimeout(() => fail(new NoAnswer(LATE, true)), ms);
    let strangers = 0;
    socket.on('message', (bytes) => {
      try {
        const reply = readReply(bytes, query);
        if (reply) end(() => resolve(reply.truncated ? undefined : reply));
        else if (++strangers > MOST_STRANGERS) end(() => resolve(undefined));
      } catch (error) {
        fail(error as Error);
      }
    });
    socket.on('error', fail);
    socket.connect(port, host, () => socket.send(query.bytes, (error) => error && fail(error)));
  });
}

/**
 * Asks by TCP (RFC 7766), one question per connection.
 * @param ms milliseconds from connecting to the last byte.
 * @throws NoAnswer
 */
export function overTcp({ host, port }: Server, query: Query, ms: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.destroy();
      settle();
    };
    const fail = (error: Error): void => end(() => reject(asNoAnswer(error)));
    const timer = setTimeout(() => fail(new NoAnswer(LATE, true)), ms);
    const chunks: Buffer[] = [];
    let length = 0;
    let whole: number | undefined;
    socket.on('error', fail).on('close', () => fail(new Malformed('closed')));
    socket.on('connect', () => socket.write(Buffer.concat([Buffer.of(query.bytes.length >> 8, query.bytes.length & 0xff), query.bytes])));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      // Two bytes of length go before the message, so it has 65,535 at most.
      if (length >= 2) whole ??= 2 + Buffer.concat(chunks).readUInt16BE(0);
      if (whole === undefined || length < whole) return;
      try {
        const reply = readReply(Buffer.concat(chunks).subarray(2, whole), query);
        if (reply && !reply.truncated) end(() => resolve(reply));
        else fail(new Malformed('not the answer'));
      } catch (error) {
        fail(error as Error);
      }
    });
  });
}

/** In words that say nothing of this network: they may end up in a report to the sender. */
function asNoAnswer(error: Error): NoAnswer {
  if (error instanceof NoAnswer) return error;
  if (error instanceof Malformed) return new NoAnswer('unreadable answer', false);
  return new NoAnswer(`DNS server not reachable: ${(error as NodeJS.ErrnoException).code ?? 'error'}`, false);
}
