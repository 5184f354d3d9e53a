import type { Peer, TlsFacts } from '@kiroku/domain/mail/events.js';
import { type Connection, ConnectionEnded } from '@kiroku/infra/net/connection.js';
import { InputBuffer } from '@kiroku/infra/net/input-buffer.js';

export interface Ends {
  readonly listener?: string;
  readonly ip?: string;
  readonly tls?: TlsFacts;
}

const TLS: TlsFacts = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };

/** A connection without a socket. What the client sends is handed in, what the server says is kept. For tests. */
export class MemoryConnection implements Connection {
  readonly id = '0192f000-0000-7000-8000-000000000001';
  readonly local = '127.0.0.1:25';
  readonly peer: Peer;
  readonly listener: string;
  tls: TlsFacts | undefined;
  idleTimeout = 0;
  bytesIn = 0;
  /** What `pause` was asked for. */
  pauses: number[] = [];
  private readonly input = new InputBuffer();
  private said: Buffer[] = [];
  private waiter: (() => void) | undefined;
  private ended = false;
  private broken: ConnectionEnded | undefined;

  constructor({ listener = 'mx', ip = '192.0.2.7', tls }: Ends = {}) {
    this.listener = listener;
    this.peer = { ip, port: 40_000 };
    this.tls = tls;
  }

  get bytesOut(): number {
    return this.said.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  get waiting(): number {
    return this.input.length;
  }

  /** Everything the server has said. */
  get output(): string {
    return Buffer.concat(this.said).toString('utf8');
  }

  send(bytes: string | Uint8Array): void {
    const chunk = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes);
    if (chunk.length === 0) return;
    this.bytesIn += chunk.length;
    this.input.push(chunk);
    this.wake();
  }

  /** The client closes its side. */
  end(): void {
    this.ended = true;
    this.wake();
  }

  /** The line server ends reading. */
  fail(reason: ConnectionEnded['reason']): void {
    this.broken = new ConnectionEnded(reason);
    this.wake();
  }

  readLine(limit: number): Buffer | undefined | Promise<Buffer | undefined> {
    return this.read(() => this.input.takeLine(limit));
  }

  readSome(max: number): Buffer | undefined | Promise<Buffer | undefined> {
    return this.read(() => this.input.takeSome(max));
  }

  unread(bytes: Buffer): void {
    this.input.unread(bytes);
  }

  discardWaiting(): void {
    this.input.clear();
  }

  write(data: string | Uint8Array): void {
    this.said.push(Buffer.from(data as string));
  }

  flush(): void {}

  startTls(): Promise<TlsFacts> {
    this.input.clear();
    this.tls = TLS;
    return Promise.resolve(TLS);
  }

  pause(ms: number): Promise<boolean> {
    this.pauses.push(ms);
    return Promise.resolve(this.input.length > 0);
  }

  close(): void {
    this.end();
  }

  private read(take: () => Buffer | undefined): Buffer | undefined | Promise<Buffer | undefined> {
    if (this.broken) throw this.broken;
    const bytes = take();
    if (bytes !== undefined || this.ended) return bytes;
    return new Promise<void>((resolve) => (this.waiter = resolve)).then(() => this.read(take));
  }

  private wake(): void {
    const waiter = this.waiter;
    this.waiter = undefined;
    waiter?.();
  }
}
