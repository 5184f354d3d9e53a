import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext, TLSSocket } from 'node:tls';
import { DataReader } from '@kiroku/domain/smtp/data-reader.js';

/**
 * What the server does at a point of the conversation. A text is said as it is, its lines ended by CRLF (`\n` parts lines);
 * `raw` is said byte by byte as given. `drop` closes, `reset` breaks off, after `say` if there is one; `silent` says nothing ever
 * again, after `say` if there is one. `when` is waited for before anything else. `drip` is said octet by octet, `every` so many ms.
 */
export type Reaction =
  | string
  | { readonly say: string; readonly when?: Promise<unknown> }
  | { readonly raw: string; readonly when?: Promise<unknown> }
  | { readonly drop: true; readonly say?: string; readonly reset?: true; readonly when?: Promise<unknown> }
  | { readonly drip: string; readonly every: number }
  | { readonly silent: true; readonly say?: string };

export type Point =
  | 'greeting' | 'EHLO' | 'HELO' | 'STARTTLS' | 'AUTH' | 'AUTH-answer' | 'MAIL' | 'RCPT' | 'DATA' | 'BDAT' | 'end-of-data' | 'RSET' | 'NOOP' | 'QUIT'
  /** Once, when the first bytes of a message have come. */
  | 'in-data';

/** Where nothing is said the server is friendly. A function gets the line and the connection; undefined means friendly. */
export type Script = Partial<Record<Point, Reaction | ((line: string, connection: ScriptedConnection) => Reaction | undefined)>>;

export interface ScriptedOptions {
  /** Keyword lines of the answer to EHLO; under TLS without STARTTLS. Default: PIPELINING, 8BITMIME, ENHANCEDSTATUSCODES, DSN. */
  readonly extensions?: readonly string[];
  /** With them STARTTLS works (list it in `extensions` to have it offered). PEM. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'; readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3' };
  readonly implicitTls?: boolean;
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Reads nothing more after `in-data`, so that the sender's window fills. */
  readonly stopReading?: boolean;
}

export interface ScriptedMessage {
  /** Arguments of MAIL and RCPT as they came, e.g. `FROM:<a@x.test> SIZE=3`. */
  readonly mail: string;
  readonly rcpt: readonly string[];
  readonly body: Buffer;
  /** Bytes as they came, with stuffing and final dot. */
  readonly wire: Buffer;
}

/** An SMTP server for tests that does what a script says. Not strict: it takes commands in any order. */
export class ScriptedSmtp {
  readonly connections: ScriptedConnection[] = [];
  /** Messages it said 2xx to, in order. */
  readonly messages: ScriptedMessage[] = [];
  port = 0;

  private readonly server: Server;

  private constructor(
    public script: Script,
    readonly options: ScriptedOptions,
  ) {
    this.server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.connections.push(new ScriptedConnection(socket, this)));
  }

  static async listen(script: Script = {}, options: ScriptedOptions = {}): Promise<ScriptedSmtp> {
    const smtp = new ScriptedSmtp(script, options);
    await new Promise<void>((resolve, reject) => {
      smtp.server.once('error', reject).listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
    });
    smtp.port = (smtp.server.address() as AddressInfo).port;
    return smtp;
  }

  /** Command lines heard by all connections, in order. */
  get heard(): readonly string[] {
    return this.connections.flatMap((connection) => connection.heard);
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** What it says in all. */
function textOf(reaction: Reaction): string {
  if (typeof reaction === 'string') return reaction;
  if ('drip' in reaction) return reaction.drip;
  if ('raw' in reaction) return reaction.raw;
  return 'say' in reaction ? (reaction.say ?? '') : '';
}

const DEFAULT_EXTENSIONS = ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES', 'DSN'];

export class ScriptedConnection {
  /** Command lines without CRLF. */
  readonly heard: string[] = [];
  /** Bytes as each read brought them, latin1: shows what came in one write. */
  readonly reads: string[] = [];
  /** Command lines of the connection so far with this verb, this one included. */
  readonly counts = new Map<string, number>();
  mail = '';
  rcpt: string[] = [];
  closed = false;
  socket: Socket;
  /** The connection below TLS. */
  readonly tcp: Socket;
  encrypted = false;

  private buffer = Buffer.alloc(0);
  private mode: 'command' | 'auth' | 'data' | 'bdat' | 'ignore' = 'command';
  private reader = new DataReader('dot-stuffed');
  private body: Buffer[] = [];
  private wire: Buffer[] = [];
  private left = 0;
  private last = false;
  private begun = false;
  private working: Promise<void> | undefined;

  constructor(
    socket: Socket,
    private readonly smtp: ScriptedSmtp,
  ) {
    this.socket = socket;
    this.tcp = socket;
    if (smtp.options.implicitTls) this.encrypt();
    else this.follow();
    this.work(() => this.react('greeting', '', '220 scripted.test ESMTP'));
  }

  private follow(): void {
    this.socket.on('data', (chunk) => {
      this.reads.push(chunk.toString('latin1'));
      this.buffer = Buffer.concat([this.buffer, chunk]);
      this.pump();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('end', () => this.mode !== 'ignore' && this.socket.end());
    this.socket.on('close', () => (this.closed = true));
  }

  private encrypt(): void {
    const { tls } = this.smtp.options;
    this.socket.removeAllListeners('data').removeAllListeners('end');
    this.socket.on('error', () => undefined);
    this.socket = new TLSSocket(this.socket, { isServer: true, secureContext: createSecureContext(tls) });
    this.encrypted = true;
    this.buffer = Buffer.alloc(0);
    this.follow();
  }

  /** One reaction at a time: what arrives meanwhile waits. */
  private work(task: () => Promise<void>): void {
    this.working = task().then(() => {
      this.working = undefined;
      this.pump();
    });
  }

  private pump(): void {
    while (!this.working && this.buffer.length > 0 && this.mode !== 'ignore') {
      if (this.mode === 'data' || this.mode === 'bdat') {
        if (!this.begun) {
          this.begun = true;
          if (this.smtp.options.stopReading) this.socket.pause();
          if (this.smtp.script['in-data'] !== undefined) return this.work(() => this.react('in-data', '', ''));
        }
        if (this.mode === 'data') this.takeData();
        else this.takeChunk();
        continue;
      }
      const end = this.buffer.indexOf('\r\n');
      if (end < 0) return;
      const line = this.buffer.toString('utf8', 0, end);
      this.buffer = this.buffer.subarray(end + 2);
      if (this.mode === 'auth') this.work(() => this.react('AUTH-answer', line, '235 2.7.0 ok'));
      else this.command(line);
    }
  }

  private command(line: string): void {
    const verb = line.split(' ')[0]?.toUpperCase() ?? '';
    this.heard.push(line);
    this.counts.set(verb, (this.counts.get(verb) ?? 0) + 1);
    const argument = line.slice(verb.length + 1);
    switch (verb) {
      case 'EHLO': return this.work(() => this.react('EHLO', line, this.extensions()));
      case 'HELO': return this.work(() => this.react('HELO', line, '250 scripted.test'));
      case 'STARTTLS': return this.work(() => this.react('STARTTLS', line, '220 2.0.0 go'));
      case 'AUTH': return this.work(() => this.react('AUTH', line, '235 2.7.0 ok'));
      case 'MAIL': this.begin(argument); return this.work(() => this.react('MAIL', line, '250 2.1.0 ok'));
      case 'RCPT': this.rcpt.push(argument); return this.work(() => this.react('RCPT', line, '250 2.1.5 ok'));
      case 'DATA': return this.work(() => this.react('DATA', line, '354 go'));
      case 'BDAT': return this.bdat(argument);
      case 'RSET': return this.work(() => this.react('RSET', line, '250 2.0.0 ok'));
      case 'NOOP': return this.work(() => this.react('NOOP', line, '250 2.0.0 ok'));
      case 'QUIT': return this.work(() => this.react('QUIT', line, { drop: true, say: '221 2.0.0 bye' }));
      default: return this.work(() => this.act('500 5.5.1 what?'));
    }
  }

  private extensions(): string {
    const offered = (this.smtp.options.extensions ?? DEFAULT_EXTENSIONS).filter((line) => !(this.encrypted && line === 'STARTTLS'));
    return ['scripted.test', ...offered].map((line, i) => `250${i === offered.length ? ' ' : '-'}${line}`).join('\n');
  }

  private async react(point: Point, line: string, friendly: Reaction): Promise<void> {
    const scripted = this.smtp.script[point];
    const reaction = (typeof scripted === 'function' ? scripted(line, this) : scripted) ?? friendly;
    await this.act(reaction);
    const code = textOf(reaction).slice(0, 3);
    if (point === 'STARTTLS' && code === '220' && this.smtp.options.tls) this.encrypt();
    if (point === 'AUTH' || point === 'AUTH-answer') this.mode = code === '334' ? 'auth' : 'command';
    if (point === 'DATA' && code === '354') this.mode = 'data';
    if (point === 'end-of-data' && code.startsWith('2'))
      this.smtp.messages.push({ mail: this.mail, rcpt: [...this.rcpt], body: Buffer.concat(this.body), wire: Buffer.concat(this.wire) });
  }

  private async act(reaction: Reaction): Promise<void> {
    if (typeof reaction === 'string') {
      this.say(reaction);
      return;
    }
    if ('silent' in reaction) {
      if (reaction.say !== undefined) this.say(reaction.say);
      this.mode = 'ignore';
      return;
    }
    if ('drip' in reaction) return this.drip(reaction.drip, reaction.every);
    await reaction.when;
    if ('raw' in reaction) this.socket.write(reaction.raw, 'latin1');
    else if (reaction.say !== undefined) this.say(reaction.say);
    if (!('drop' in reaction)) return;
    this.mode = 'ignore';
    if (reaction.reset) this.tcp.resetAndDestroy();
    else this.socket.end();
  }

  private say(text: string): void {
    if (text !== '' && this.socket.writable) this.socket.write(`${text.replaceAll('\n', '\r\n')}\r\n`, 'latin1');
  }

  private async drip(text: string, every: number): Promise<void> {
    for (const octet of `${text.replaceAll('\n', '\r\n')}\r\n`) {
      if (this.socket.destroyed || !this.socket.writable) return;
      this.socket.write(octet, 'latin1');
      await pause(every);
    }
  }

  private begin(mail: string): void {
    this.mail = mail;
    this.rcpt = [];
    this.reader = new DataReader('dot-stuffed');
    this.body = [];
    this.wire = [];
    this.begun = false;
  }

  private takeData(): void {
    const chunk = this.buffer;
    this.buffer = Buffer.alloc(0);
    const wire = Buffer.from(chunk); // the reader changes what it reads
    const end = this.reader.push(chunk);
    this.body.push(Buffer.from(this.reader.slice));
    this.wire.push(end < 0 ? wire : wire.subarray(0, end));
    if (end < 0) return;
    this.buffer = wire.subarray(end);
    this.mode = 'command';
    this.work(() => this.react('end-of-data', this.reader.violation ?? '', '250 2.0.0 kept'));
  }

  private bdat(argument: string): void {
    const [size = '0', last = ''] = argument.split(' ');
    this.mode = 'bdat';
    this.left = Number(size);
    this.last = last.toUpperCase() === 'LAST';
    if (this.left === 0) this.takeChunk();
  }

  private takeChunk(): void {
    const part = this.buffer.subarray(0, this.left);
    this.buffer = this.buffer.subarray(part.length);
    this.left -= part.length;
    this.body.push(Buffer.from(part));
    this.wire.push(Buffer.from(part));
    if (this.left > 0) return;
    this.mode = 'command';
    if (this.last) this.work(() => this.react('end-of-data', '', '250 2.0.0 kept'));
    else this.work(() => this.react('BDAT', '', '250 2.0.0 chunk'));
  }
}
