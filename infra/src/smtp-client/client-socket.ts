import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { type Reply, ReplyReader, replyText } from '@kiroku/domain/smtp-client/reply.js';
import { words } from '@kiroku/domain/smtp-client/words.js';
import { hearOut } from './hear-out.js';

/** Why a conversation is over. `closing`: the server said so (421). `left`: this side did. */
export interface Broken {
  readonly kind: 'dropped' | 'silent' | 'garbled' | 'closing' | 'left';
  /** In the form of an SMTP reply. */
  readonly reply: string;
}

/** What was heard of the replies asked for; fewer when the conversation broke. */
export interface Heard {
  readonly replies: readonly Reply[];
  readonly broken: Broken | undefined;
}

interface Waiting {
  readonly count: number;
  readonly replies: Reply[];
  readonly patience: (index: number) => number;
  readonly resolve: (heard: Heard) => void;
}

/** ms for last words to leave and for the other side to close; then it is closed by force. */
const FAREWELL = 1000;
const START_INPUT = 354;

/**
 * The client's end of an SMTP connection: writes, hears replies in order, and knows when it is over. One timer, one wait at a time.
 * Nothing here rejects: what goes wrong is told once, as `broken`.
 */
export class ClientSocket {
  /** Set once; nothing more is heard or said then. */
  broken: Broken | undefined;
  /** When it broke, some of what had been written was still here: the other side cannot have it. */
  cutOff = false;
  /** The system's error that broke it. */
  error: NodeJS.ErrnoException | undefined;
  /** A reply that came before the message was sent to its end. */
  early: Reply | undefined;
  tls: TLSSocket | undefined;

  private readonly reader = new ReplyReader();
  private waiting: Waiting | undefined;
  /** Whoever waits for something else than replies: a connection, a handshake, room to write. */
  private wake: (() => void) | undefined;
  private streaming = false;
  private timer: NodeJS.Timeout | undefined;
  /** performance.now() at which patience ends, and at which the timer looks. */
  private deadline = Infinity;
  private looksAt = Infinity;
  private patience = 0;
  private awaited = '';

  private constructor(private socket: Socket) {
    this.follow(socket);
  }

  /** Connects to an address (never a name); `broken` says whether it did. @param signal ends it, until `abandon` is taken off it. */
  static async connect(
    to: { readonly ip: string; readonly port: number; readonly source?: string | undefined }, ms: number, signal?: AbortSignal,
  ): Promise<ClientSocket> {
    const socket = connectTcp({ host: to.ip, port: to.port, noDelay: true, ...(to.source !== undefined && { localAddress: to.source }) });
    const client = new ClientSocket(socket);
    if (signal?.aborted) client.abandon();
    signal?.addEventListener('abort', client.abandon);
    await client.until(ms, 'no connection', (done) => socket.once('connect', done));
    return client;
  }

  /** Becomes TLS; `broken` and `error` say whether the handshake failed. @throws when the options make no sense. */
  async secure(options: ConnectionOptions, ms: number): Promise<void> {
    const plain = this.socket;
    const tls = connectTls({ ...options, socket: plain });
    plain.off('data', this.onData).off('drain', this.onDrain).off('end', this.onEnd).off('close', this.onEnd);
    this.socket = tls;
    this.follow(tls);
    await this.until(ms, 'no TLS handshake', (done) => tls.once('secureConnect', done));
    if (!this.broken) this.tls = tls;
  }

  get source(): string {
    return this.socket.localAddress ?? '';
  }

  /** The beginning of a reply has arrived that no command has asked for. */
  get unread(): boolean {
    return !this.reader.empty;
  }

  /** All that was written has been taken by the system. */
  get flushed(): boolean {
    return this.socket.writableLength === 0;
  }

  write(data: string | Uint8Array, encoding: 'latin1' | 'utf8' = 'latin1'): void {
    if (this.broken) return;
    if (typeof data === 'string') this.socket.write(data, encoding);
    else this.socket.write(data);
  }

  /**
   * The next replies. Time runs for each of them from the one before, or from now.
   * @param patience ms for the reply with this index.
   */
  replies(count: number, patience: (index: number) => number): Promise<Heard> {
    if (this.broken) return Promise.resolve({ replies: [], broken: this.broken });
    return new Promise((resolve) => {
      this.waiting = { count, replies: [], patience, resolve };
      this.arm(patience(0), 'no reply');
    });
  }

  async reply(ms: number): Promise<Reply | Broken> {
    const { replies, broken } = await this.replies(1, () => ms);
    return replies[0] ?? (broken as Broken);
  }

  /** While a message is sent, from 354 on, a reply is `early` instead of unasked for. */
  stream(on: boolean): void {
    this.streaming = on;
  }

  /** Whether there is no use in sending more of a message. */
  get stopped(): boolean {
    return this.broken !== undefined || this.early !== undefined;
  }

  /** True when the writer should wait for `room`. */
  get full(): boolean {
    return this.socket.writableNeedDrain;
  }

  /** Resolves when the system takes more, or when sending is of no use any more. */
  async room(ms: number): Promise<void> {
    if (!this.stopped && this.full) await this.until(ms, 'took no data', () => undefined);
  }

  /** Its place is needed for others. */
  readonly abandon = (): void => this.break('left', words('crowded'));

  /** Ends the conversation. `last` is sent if it still can be; resolves when the connection is closed, after a second at most. */
  async leave(last = ''): Promise<void> {
    const { socket } = this;
    const polite = this.broken === undefined && last !== '';
    this.break('left', words('busy'), polite);
    if (!polite || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), FAREWELL).unref();
      socket.once('end', () => socket.destroy());
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.end(last, 'latin1');
    });
  }

  private readonly onData = (chunk: Buffer): void => this.take(chunk);
  private readonly onDrain = (): void => this.wake?.();
  private readonly onEnd = (): void => this.break('dropped', words('dropped', this.error?.code ?? ''));
  private readonly onError = (error: NodeJS.ErrnoException): void => {
    this.error ??= error;
    this.break('dropped', words('dropped', error.code ?? ''));
  };

  private follow(socket: Socket): void {
    socket.on('data', this.onData).on('drain', this.onDrain).on('error', this.onError).on('end', this.onEnd).on('close', this.onEnd);
    hearOut(socket, (error) => (this.error ??= error));
  }

  private take(chunk: Buffer): void {
    if (this.broken) return;
    for (const reply of this.reader.push(chunk.toString('latin1'))) {
      this.hear(reply);
      if (this.broken) return;
    }
    if (this.reader.garbled !== undefined) this.break('garbled', words('garbled', this.reader.garbled));
  }

  private hear(reply: Reply): void {
    // RFC 5321 §3.8: it may answer any command, or come unasked, and ends the connection.
    if (reply.code === 421) return this.break('closing', replyText(reply));
    const { waiting } = this;
    if (waiting) {
      const heard = waiting.replies.push(reply);
      if (heard < waiting.count) return this.arm(waiting.patience(heard), 'no reply');
      this.waiting = undefined;
      this.deadline = Infinity;
      // Whoever asked learns of 354 a moment later, and what else was said may be here by then.
      if (reply.code === START_INPUT) this.streaming = true;
      waiting.resolve({ replies: waiting.replies, broken: undefined });
    } else if (this.streaming && !this.early) {
      this.early = reply;
      this.wake?.();
    } else this.break('garbled', words('unexpected', replyText(reply))); // it would pass for the answer to the next command
  }

  private break(kind: Broken['kind'], reply: string, keepSocket = false): void {
    if (this.broken) return;
    this.broken = { kind, reply };
    this.cutOff = !this.flushed;
    clearTimeout(this.timer);
    if (!keepSocket) this.socket.destroy();
    const { waiting, wake } = this;
    this.waiting = undefined;
    this.wake = undefined;
    waiting?.resolve({ replies: waiting.replies, broken: this.broken });
    wake?.();
  }

  /** Waits for one thing, or the end, or so long. */
  private async until(ms: number, awaited: string, subscribe: (done: () => void) => void): Promise<void> {
    if (this.broken) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.wake = undefined;
        this.deadline = Infinity;
        resolve();
      };
      this.wake = done;
      this.arm(ms, awaited);
      subscribe(done);
    });
  }

  /** Replies come far more often than patience ends: the timer is set anew only when it would look too late. */
  private arm(ms: number, awaited: string): void {
    this.patience = ms;
    this.awaited = awaited;
    this.deadline = performance.now() + ms;
    if (this.timer && this.looksAt <= this.deadline) return;
    clearTimeout(this.timer);
    this.look(ms);
  }

  private look(ms: number): void {
    this.looksAt = this.deadline;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.deadline === Infinity) return;
      const left = this.deadline - performance.now();
      if (left > 0) this.look(Math.ceil(left));
      else this.break('silent', words('silent', `${this.awaited} within ${seconds(this.patience)}`));
    }, ms).unref();
  }
}

export const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;
