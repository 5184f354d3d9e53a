import type { Socket } from 'node:net';

/** Bytes gathered before they are handed to the socket unasked. */
const GATHER = 16 * 1024;
/** Largest piece handed over at once: each one that leaves shows that the client still reads. */
const PIECE = 64 * 1024;
/** Unsent bytes from which on a writer should wait, and from which on nothing more is read from the client. */
const ROOM = 64 * 1024;
const FULL = 256 * 1024;

/** The way out of a connection: gathers small writes, and knows whether the client takes them. */
export class SocketOutput {
  /**
   * What leaves at the end of this turn of the event loop, all together: a client on the same machine that is woken for each reply costs the
   * sender more than the reply (measured with 50 of them: a seventh of the time of a message).
   */
  private static due: SocketOutput[] = [];
  /** Handed to the socket so far. */
  bytes = 0;
  /** Since when the client has taken nothing although there is something to take. */
  stalledSince: number | undefined;

  private text = '';
  private pieces: Uint8Array[] = [];
  private gathered = 0;
  private isDue = false;
  private waiter: { readonly below: number; readonly resolve: () => void; readonly reject: (why: Error) => void } | undefined;
  private promise: Promise<void> | undefined;
  private lost: Error | undefined;

  /** @param progress called when the client took something. */
  constructor(
    public socket: Socket,
    private readonly host: { readonly now: number },
    private readonly progress: () => void,
  ) {}

  get full(): boolean {
    return this.socket.writableLength > FULL;
  }

  write(data: string | Uint8Array): void {
    if (typeof data === 'string') this.text += data;
    else if (data.length >= GATHER) {
      this.send();
      for (let at = 0; at < data.length; at += PIECE) this.hand(data.subarray(at, at + PIECE));
      return;
    } else {
      this.keepText();
      this.pieces.push(data);
    }
    this.gathered += data.length;
    if (this.gathered >= GATHER) this.send();
  }

  /** At the end of this turn of the event loop. */
  sendSoon(): void {
    if (this.gathered === 0 || this.isDue) return;
    this.isDue = true;
    if (SocketOutput.due.push(this) === 1) setImmediate(SocketOutput.sendDue);
  }

  private static readonly sendDue = (): void => {
    const due = SocketOutput.due;
    SocketOutput.due = [];
    for (const output of due) {
      output.isDue = false;
      output.send();
    }
  };

  /** Now. */
  send(): void {
    if (this.gathered === 0) return;
    this.gathered = 0;
    if (this.pieces.length === 0) {
      const text = this.text;
      this.text = '';
      this.hand(text);
      return;
    }
    this.keepText();
    const pieces = this.pieces;
    this.pieces = [];
    this.hand(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces));
  }

  /** A promise while too much is unsent. */
  roomy(): void | Promise<void> {
    if (this.socket.writableLength > ROOM) return this.until(ROOM);
  }

  /** A promise while anything is unsent. */
  empty(): void | Promise<void> {
    if (this.socket.writableLength > 0) return this.until(0);
  }

  /** Nothing more will leave: whoever waits hears why. */
  abandon(why: Error): void {
    this.lost = why;
    this.promise?.catch(() => undefined);
    this.settle()?.reject(why);
  }

  private until(below: number): Promise<void> {
    if (this.lost) return Promise.reject(this.lost);
    const waiting = this.waiter;
    const earlier = this.promise;
    if (waiting && earlier) return waiting.below <= below ? earlier : earlier.then(() => this.until(below));
    return (this.promise = new Promise((resolve, reject) => {
      this.waiter = { below, resolve, reject };
    }));
  }

  private settle() {
    const waiter = this.waiter;
    this.waiter = undefined;
    this.promise = undefined;
    return waiter;
  }

  private keepText(): void {
    if (this.text === '') return;
    this.pieces.push(Buffer.from(this.text));
    this.text = '';
  }

  private hand(data: string | Uint8Array): void {
    const { socket } = this;
    if (!socket.writable) return;
    this.bytes += typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    if (typeof data === 'string') socket.write(data, 'utf8', this.written);
    else socket.write(data, this.written);
    if (socket.writableLength > 0) this.stalledSince ??= this.host.now;
  }

  private readonly written = (): void => {
    const left = this.socket.writableLength;
    this.stalledSince = left > 0 ? this.host.now : undefined;
    if (this.waiter && left <= this.waiter.below) this.settle()?.resolve();
    this.progress();
  };
}
