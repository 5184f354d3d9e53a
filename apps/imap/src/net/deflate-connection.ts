import { constants, createInflateRaw, deflateRawSync, type InflateRaw } from 'node:zlib';
import type { TlsFacts } from '@kiroku/domain/mail/events.js';
import { type Connection, ConnectionEnded } from '@kiroku/infra/net/connection.js';
import { InputBuffer } from '@kiroku/infra/net/input-buffer.js';

/** Octets read from the network, inflated at a time, and gathered before they are deflated. */
const CHUNK = 16 * 1024;

/** ms; the longest that a timer takes. */
const LONGEST_WAIT = 2 ** 31 - 1;

/** 4 KiB of history and small tables: our answers are short, and the tables are made anew for each piece. */
const DEFLATE = { finishFlush: constants.Z_SYNC_FLUSH, level: 3, windowBits: 12, memLevel: 6 } as const;

/**
 * A connection whose octets are deflated both ways (RFC 4978). What goes out is deflated piece by piece, without history between pieces:
 * a connection that is idle holds no tables. What comes in is inflated no further than it is read, so that a few octets that
 * stand for millions take 64 KiB.
 */
export class DeflateConnection implements Connection {
  private readonly input = new InputBuffer();
  private readonly inflate: InflateRaw;
  private text: (string | Uint8Array)[] = [];
  private gathered = 0;
  /** A piece of input is being inflated. */
  private inflating = false;
  private broken = false;
  private wake: () => void = () => undefined;

  constructor(private readonly inner: Connection) {
    this.inflate = createInflateRaw({ chunkSize: CHUNK });
    const wake = (): void => this.wake();
    this.inflate.on('readable', wake).on('end', wake).on('error', () => {
      this.broken = true;
      wake();
    });
  }

  get id() { return this.inner.id; }
  get peer() { return this.inner.peer; }
  get local() { return this.inner.local; }
  get listener() { return this.inner.listener; }
  get tls() { return this.inner.tls; }
  get bytesIn() { return this.inner.bytesIn; }
  get bytesOut() { return this.inner.bytesOut; }
  get waiting() { return this.input.length + this.inner.waiting; }
  get idleTimeout() { return this.inner.idleTimeout; }
  set idleTimeout(ms: number) { this.inner.idleTimeout = ms; }

  readLine(limit: number): Buffer | undefined | Promise<Buffer | undefined> {
    return this.input.takeLine(limit) ?? this.later(() => this.input.takeLine(limit), true);
  }

  readSome(max: number): Buffer | undefined | Promise<Buffer | undefined> {
    return this.input.takeSome(max) ?? this.later(() => this.input.takeSome(max));
  }

  unread(bytes: Buffer): void {
    this.input.unread(bytes);
  }

  discardWaiting(): void {
    this.input.clear();
  }

  write(data: string | Uint8Array): void {
    this.text.push(data);
    this.gathered += data.length;
    if (this.gathered >= CHUNK) this.squeeze();
  }

  flush(): void | Promise<void> {
    this.squeeze();
    return this.inner.flush();
  }

  /** RFC 4978 §3: TLS comes before compression, never after. */
  startTls(): Promise<TlsFacts> {
    throw new Error('the connection is compressed');
  }

  async pause(ms: number): Promise<boolean> {
    this.squeeze();
    return this.input.length > 0 || this.inner.pause(ms);
  }

  close(): void {
    this.squeeze();
    this.inflate.destroy();
    this.inner.close();
  }

  /** Hands what is gathered to the connection below, in pieces that end at an octet (§4: a client must be able to read all of it). */
  private squeeze(): void {
    if (this.gathered === 0) return;
    const pieces = this.text.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece));
    this.text = [];
    this.gathered = 0;
    this.inner.write(deflateRawSync(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces), DEFLATE));
  }

  private async later(take: () => Buffer | undefined, line = false): Promise<Buffer | undefined> {
    this.squeeze();
    for (;;) {
      if (!(await this.more(line))) return undefined;
      const taken = take();
      if (taken !== undefined) return taken;
    }
  }

  /** Waits for the next inflated octets. @returns false at the end. */
  private async more(line: boolean): Promise<boolean> {
    for (;;) {
      if (this.broken) throw new ConnectionEnded('gone');
      const chunk = this.inflate.read() as Buffer | null;
      if (chunk) {
        this.input.push(chunk);
        return true;
      }
      if (this.inflate.readableEnded) return false;
      if (this.inflating) await new Promise<void>((resolve) => (this.wake = resolve));
      else if (!(await this.feed(line))) return false;
    }
  }

  private async feed(line: boolean): Promise<boolean> {
    if (line && this.input.length === 0 && this.inner.waiting === 0 && !(await this.betweenCommands())) return false;
    const bytes = await this.inner.readSome(CHUNK);
    if (!bytes) return false;
    this.inflating = true;
    this.inflate.write(bytes, () => {
      this.inflating = false;
      this.wake();
    });
    return true;
  }

  /**
   * Waits where the connection below can tell that no command is under way: there a server that shuts down need not wait.
   * @returns false when the client has left. @throws ConnectionEnded
   */
  private async betweenCommands(): Promise<boolean> {
    const since = performance.now();
    const ms = Math.min(this.inner.idleTimeout, LONGEST_WAIT);
    if (await this.inner.pause(ms)) return true;
    if (performance.now() - since >= ms) throw new ConnectionEnded('idle');
    // It is over: the connection says why. What should come all the same is octets, no line.
    const octets = await this.inner.readLine(CHUNK);
    if (!octets) return false;
    throw new ConnectionEnded('gone');
  }
}
