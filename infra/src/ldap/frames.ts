import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';

/** Bytes of one message from a server: entries come without attributes, so that the longest is a referral or a text for people. */
const LONGEST_MESSAGE = 64 * 1024;
/** Bytes from a server between two calls of `renew`. */
const MOST_UNASKED = 1024 * 1024;

/**
 * How long the LDAP message at the start of these bytes is (BER, RFC 4511 §5.1).
 * @returns undefined when its header is not whole yet. @throws RangeError when it is none, or longer than 64 KiB.
 */
export function messageLength(bytes: Buffer): number | undefined {
  const [tag, first] = bytes;
  if (tag !== undefined && tag !== 0x30) throw new RangeError('not LDAP');
  if (first === undefined) return undefined;
  const octets = first & 0x7f;
  if (first < 0x80) return 2 + first;
  if (octets < 1 || octets > 4) throw new RangeError('a length that LDAP does not have');
  if (bytes.length < 2 + octets) return undefined;
  const length = 2 + octets + bytes.readUIntBE(2, octets);
  if (length > LONGEST_MESSAGE) throw new RangeError('an LDAP message that is too long');
  return length;
}

/** Protocol operations of RFC 4511 §4.2.2, §4.5.2 and §4.12. */
const OPERATION = { bindResponse: 0x61, entry: 0x64, done: 0x65, reference: 0x73, extendedResponse: 0x78 } as const;
/** Bytes of a server's words for people. */
const LONGEST_WORDS = 80;

interface Element { readonly tag: number; readonly from: number; readonly to: number }

/** @throws RangeError when it does not end before `end`. */
function elementAt(bytes: Buffer, at: number, end: number): Element {
  const [tag = 0, first = 0x80] = bytes.subarray(at, Math.min(at + 2, end));
  const octets = first < 0x80 ? 0 : first & 0x7f;
  if ((first >= 0x80 && octets < 1) || octets > 4 || at + 2 + octets > end) throw new RangeError('not LDAP');
  const from = at + 2 + octets;
  const to = from + (octets === 0 ? first : bytes.readUIntBE(at + 2, octets));
  if (to > end) throw new RangeError('not LDAP');
  return { tag, from, to };
}

const coded = (tag: number, ...content: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag, body.length]), body]); // below 128 bytes
};

/**
 * A server's message with nothing in it but what is asked for: that there is an entry, or a result with the first words about it. The
 * client would loop for ever over elements that are longer than the message they stand in.
 * @param message whole. @returns undefined for what nobody asked for: references to other servers. @throws RangeError when it is no LDAP.
 */
export function reduced(message: Buffer): Buffer | undefined {
  const whole = elementAt(message, 0, message.length);
  const id = elementAt(message, whole.from, whole.to);
  const operation = elementAt(message, id.to, whole.to);
  if (id.tag !== 0x02 || id.to - id.from < 1 || id.to - id.from > 4) throw new RangeError('not LDAP');
  const answer = (content: readonly Buffer[]): Buffer => coded(0x30, message.subarray(whole.from, id.to), coded(operation.tag, ...content));
  const empty = coded(0x04);
  switch (operation.tag) {
    case OPERATION.reference:
      return undefined;
    case OPERATION.entry:
      return answer([empty, coded(0x30)]);
    case OPERATION.bindResponse:
    case OPERATION.done:
    case OPERATION.extendedResponse: {
      const code = elementAt(message, operation.from, operation.to);
      const matched = elementAt(message, code.to, operation.to);
      const words = elementAt(message, matched.to, operation.to);
      if (code.tag !== 0x0a || code.to - code.from < 1 || code.to - code.from > 4 || words.tag !== 0x04) throw new RangeError('not LDAP');
      return answer([coded(0x0a, message.subarray(code.from, code.to)), empty, coded(0x04, message.subarray(words.from, Math.min(words.to, words.from + LONGEST_WORDS)))]);
    }
  }
  throw new RangeError('an answer that nobody asked for');
}

/**
 * A connection that gives the LDAP client one whole message at a time, reduced, and ends when the server sends what is no LDAP, or too
 * much of it. The client itself would keep any amount, and go a level deeper with each message that came in the same packet.
 */
export class FramedSocket extends Duplex {
  /** The client asks for both: this is what a connected socket says. */
  readonly connecting = false;
  readonly readyState = 'open';
  #rest: Buffer = Buffer.alloc(0);
  #received = 0;

  /** @param socket connected, and through with TLS. */
  constructor(private readonly socket: Socket) {
    super({ readableObjectMode: true, decodeStrings: true });
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** The server may send as much again: it has answered. */
  renew(): void {
    this.#received = 0;
  }

  override _read(): void {
    // pushed as it comes, no more than `MOST_UNASKED`
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    this.#received += chunk.length;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    try {
      if (this.#received > MOST_UNASKED) throw new RangeError('more than was asked for');
      for (let length = messageLength(this.#rest); length !== undefined && length <= this.#rest.length; length = messageLength(this.#rest)) {
        const message = reduced(this.#rest.subarray(0, length));
        this.#rest = this.#rest.subarray(length);
        if (message) this.push(message);
      }
    } catch (error) {
      this.destroy(error as Error);
    }
  }
}
