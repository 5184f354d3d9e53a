import type { Socket } from 'node:net';
import type { Peer, TlsFacts } from '@kiroku/domain/mail/events.js';
import { type Connection, ConnectionEnded } from './connection.js';
import { InputBuffer } from './input-buffer.js';
import { SocketOutput } from './socket-output.js';
import { secure, tlsFactsOf, type TlsSource } from './tls-source.js';

/** Unread bytes at which we stop reading from the socket, and at which we go on. */
const HIGH_WATER = 64 * 1024;
const LOW_WATER = 16 * 1024;
/** ms that a client has to close its side after we closed ours; closing at once could lose our last reply (RFC 9293 §3.6.1). */
const LINGER = 5000;

/** What a connection needs of its server. */
export interface ConnectionHost {
  /** Monotonic ms, coarse: read once per tick for all connections. */
  readonly now: number;
  readonly tls: TlsSource | undefined;
  /** ms for a TLS handshake. */
  readonly handshakeTimeout: number;
  closed(connection: SocketConnection): void;
}

/** What a server knows of a connection when it begins. */
export interface Opening {
  readonly id: string;
  readonly peer: Peer;
  readonly local: string;
  readonly listener: string;
  readonly tls: TlsFacts | undefined;
  readonly idleTimeout: number;
}

interface Waiting {
  readonly kind: 'line' | 'some';
  readonly amount: number;
  readonly since: number;
  readonly resolve: (bytes: Buffer | undefined) => void;
  readonly reject: (why: Error) => void;
}

/** Connection over a socket. It has no timer of its own: the server calls `expire` now and then. */
export class SocketConnection implements Connection {
  readonly id: string;
  readonly peer: Peer;
  readonly local: string;
  readonly listener: string;
  tls: TlsFacts | undefined;
  idleTimeout: number;
  bytesIn = 0;
  /** Why reading is over, if it is. */
  over: ConnectionEnded | undefined;

  private readonly opened: number;
  private readonly input = new InputBuffer();
  private readonly output: SocketOutput;
  private waiter: Waiting | undefined;
  private promise: Promise<Buffer | undefined> | undefined;
  private greeting: { readonly timer: NodeJS.Timeout; readonly resolve: (spoke: boolean) => void } | undefined;
  /** Since when a handshake (STARTTLS) or the closing goes on. */
  private upgrading: number | undefined;
  private closing: number | undefined;
  private ended = false;
  private paused = false;
  private draining = false;

  constructor(
    private readonly host: ConnectionHost,
    private socket: Socket,
    opening: Opening,
  ) {
    this.id = opening.id;
    this.peer = opening.peer;
    this.local = opening.local;
    this.listener = opening.listener;
    this.tls = opening.tls;
    this.idleTimeout = opening.idleTimeout;
    this.opened = host.now;
    this.output = new SocketOutput(socket, host, () => this.satisfy());
    this.attach();
  }

  get bytesOut(): number {
    return this.output.bytes;
  }

  get waiting(): number {
    return this.input.length;
  }

  readLine(limit: number): Buffer | undefined | Promise<Buffer | undefined> {
    this.check();
    // A client that sends commands and reads no answers is made to wait: answers would pile up here.
    if (!this.output.full) {
      const line = this.input.takeLine(limit);
      if (line !== undefined || this.ended) return this.taken(line);
    }
    return this.wait('line', limit);
  }

  readSome(max: number): Buffer | undefined | Promise<Buffer | undefined> {
    this.check();
    if (!this.output.full) {
      const bytes = this.input.takeSome(max);
      if (bytes !== undefined || this.ended) return this.taken(bytes);
    }
    return this.wait('some', max);
  }

  unread(bytes: Buffer): void {
    this.input.unread(bytes);
  }

  discardWaiting(): void {
    this.input.clear();
    this.relax();
  }

  write(data: string | Uint8Array): void {
    if (this.closing === undefined) this.output.write(data);
  }

  flush(): void | Promise<void> {
    if (this.over?.reason === 'gone') throw this.over;
    this.output.send();
    return this.output.roomy();
  }

  async startTls(): Promise<TlsFacts> {
    this.check();
    if (this.tls || this.upgrading !== undefined || !this.host.tls) throw new Error('TLS is on already, or there is no certificate');
    this.output.send();
    // What is still unsent goes out in the clear before the handshake: a socket has one order of bytes.
    await this.output.empty();
    if (this.socket.destroyed) throw new ConnectionEnded('gone');
    this.input.clear();
    this.relax();
    this.detach();
    const tls = secure(this.socket, this.host.tls);
    this.socket = tls;
    this.output.socket = tls;
    this.upgrading = this.host.now;
    this.attach();
    await new Promise<void>((resolve, reject) => {
      tls.once('secure', resolve);
      tls.once('close', () => reject(this.over ?? new ConnectionEnded('gone')));
    });
    this.upgrading = undefined;
    return (this.tls = tlsFactsOf(tls));
  }

  async pause(ms: number): Promise<boolean> {
    this.check();
    this.output.send();
    if (this.input.length > 0) return true;
    if (this.ended || this.draining) return false;
    return new Promise((resolve) => {
      this.greeting = { resolve, timer: setTimeout(() => this.endPause(false), ms) };
    });
  }

  close(): void {
    if (this.closing !== undefined) return;
    this.output.send();
    this.closing = this.host.now;
    this.endPause(false);
    this.input.clear();
    this.settle()?.resolve(undefined);
    this.socket.end();
    this.socket.resume();
  }

  /** Ends reading: whoever reads or waits, now or later, hears why. */
  fail(reason: ConnectionEnded['reason']): void {
    if (this.over) return;
    this.over = new ConnectionEnded(reason);
    this.endPause(false);
    this.output.abandon(this.over);
    // The protocol may have stopped listening; that must not count as an unhandled rejection.
    this.promise?.catch(() => undefined);
    this.settle()?.reject(this.over);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Between commands it ends now, otherwise when it next waits for one. */
  drain(): void {
    this.draining = true;
    this.endPause(false);
    if (this.isBetweenCommands()) this.fail('shutdown');
  }

  /** Called every tick. @param sessionTime ms, 0 = no limit. @param tick ms by which `host.now` may lag. */
  expire(sessionTime: number, tick: number): void {
    const late = (since: number | undefined, limit: number) => since !== undefined && this.host.now - since >= limit + tick;
    if (late(this.output.stalledSince, this.idleTimeout) || late(this.upgrading, this.host.handshakeTimeout)) {
      this.fail('idle');
      this.destroy(); // it does not read: nothing more can be said
    } else if (this.closing !== undefined) {
      if (this.output.stalledSince !== undefined) this.closing = this.host.now;
      else if (late(this.closing, LINGER)) this.destroy();
    } else if (late(this.waiter?.since, this.idleTimeout)) this.fail('idle');
    else if (sessionTime > 0 && late(this.opened, sessionTime)) this.fail('session-time');
  }

  private check(): void {
    if (this.over) throw this.over;
    if (this.waiter) throw new Error('two reads at once on one connection');
    if (this.closing !== undefined) throw new ConnectionEnded('gone');
  }

  private wait(kind: Waiting['kind'], amount: number): Promise<Buffer | undefined> {
    this.output.sendSoon();
    // Kept here: `fail` may settle it before it is returned, and forgets it then.
    const promise = (this.promise = new Promise<Buffer | undefined>((resolve, reject) => {
      this.waiter = { kind, amount, since: this.host.now, resolve, reject };
    }));
    if (this.draining && this.isBetweenCommands()) this.fail('shutdown');
    else this.relax();
    return promise;
  }

  private isBetweenCommands(): boolean {
    return this.waiter?.kind === 'line' && this.input.length === 0 && !this.output.full;
  }

  /** Gives the reader what it waits for, if that has come. */
  private satisfy(): void {
    const waiter = this.waiter;
    if (!waiter || this.output.full) return;
    try {
      const bytes = waiter.kind === 'line' ? this.input.takeLine(waiter.amount) : this.input.takeSome(waiter.amount);
      if (bytes !== undefined || this.ended) this.settle()?.resolve(bytes);
    } catch (error) {
      this.settle()?.reject(error as Error);
    }
    this.relax();
  }

  private settle(): Waiting | undefined {
    const waiter = this.waiter;
    this.waiter = undefined;
    this.promise = undefined;
    return waiter;
  }

  private taken(bytes: Buffer | undefined): Buffer | undefined {
    if (this.paused) this.relax();
    return bytes;
  }

  /** Goes on reading from the socket when there is room, or when the reader needs more than that. */
  private relax(): void {
    if (!this.paused || (this.input.length >= LOW_WATER && (!this.waiter || this.output.full))) return;
    this.paused = false;
    this.socket.resume();
  }

  private endPause(spoke: boolean): void {
    if (!this.greeting) return;
    clearTimeout(this.greeting.timer);
    this.greeting.resolve(spoke);
    this.greeting = undefined;
  }

  private readonly onData = (chunk: Buffer): void => {
    if (this.closing !== undefined) return;
    this.bytesIn += chunk.length;
    this.input.push(chunk);
    if (this.waiter) this.satisfy();
    else if (this.greeting) this.endPause(true);
    if (this.input.length < HIGH_WATER || this.paused || (this.waiter && !this.output.full)) return;
    this.paused = true;
    this.socket.pause();
  };

  private readonly onEnd = (): void => {
    this.ended = true;
    this.endPause(false);
    this.satisfy();
  };

  private readonly onClose = (): void => {
    this.fail('gone');
    this.host.closed(this);
  };

  private attach(): void {
    this.socket.on('data', this.onData).on('end', this.onEnd).on('close', this.onClose).resume();
  }

  private detach(): void {
    this.socket.off('data', this.onData).off('end', this.onEnd).off('close', this.onClose);
  }
}
