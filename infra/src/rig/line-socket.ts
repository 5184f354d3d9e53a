import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Target {
  readonly port: number;
  readonly host?: string;
  /** Own address to connect from, e.g. 127.0.0.7. */
  readonly from?: string;
  /** TLS from the first byte. Certificates are not checked: the server under test signs its own. */
  readonly tls?: boolean;
}

/** The other side closed or broke the connection, or said nothing in time. */
export class Disconnected extends Error {}

/** A client's end of a line protocol: promises of lines, every wait bounded. */
export class LineSocket {
  #chunks: Buffer[] = [];
  #waiting: (() => void) | undefined;
  #ended: Error | undefined;

  private constructor(private socket: Socket) {
    this.#listen();
  }

  static async connect(target: Target, patience = 10_000): Promise<LineSocket> {
    const host = target.host ?? '127.0.0.1';
    const where = { port: target.port, host, ...(target.from && { localAddress: target.from }) };
    const socket = target.tls ? connectTls({ ...where, rejectUnauthorized: false }) : connectTcp(where);
    await opened(socket, target.tls ? 'secureConnect' : 'connect', patience);
    return new LineSocket(socket);
  }

  get localPort(): number | undefined {
    return this.socket.localPort;
  }

  /** Whether the other side has ended the connection; what it sent before can still be read. */
  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Goes on as TLS; unread plain bytes stay readable, so that a test can see what should not be there. */
  async startTls(patience = 10_000): Promise<void> {
    this.socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
    this.socket = connectTls({ socket: this.socket, rejectUnauthorized: false });
    await opened(this.socket, 'secureConnect', patience);
    this.#listen();
  }

  write(data: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  /** Writes and waits while the socket's buffer is full. */
  async writeSlowly(data: Uint8Array): Promise<void> {
    if (this.#ended) throw this.#ended;
    if (this.socket.write(data)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.socket.off('drain', done).off('close', done);
        resolve();
      };
      this.socket.on('drain', done).on('close', done);
    });
  }

  /** The next line without its CRLF, each byte a character. @throws Disconnected */
  async readLine(patience = 10_000): Promise<string> {
    const end = performance.now() + patience;
    for (;;) {
      const line = this.#takeLine();
      if (line !== undefined) return line.toString('latin1');
      await this.#more(end);
    }
  }

  /** Exactly so many octets, whatever they are. @throws Disconnected */
  async readOctets(count: number, patience = 10_000): Promise<Buffer> {
    const end = performance.now() + patience;
    while (this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0) < count) await this.#more(end);
    const whole = Buffer.concat(this.#chunks);
    this.#chunks = whole.length > count ? [whole.subarray(count)] : [];
    return whole.subarray(0, count);
  }

  /** A multi-line answer of POP3 after its first line: dots removed, CRLF kept, without the last dot. @throws Disconnected */
  async readDotted(patience = 30_000): Promise<Buffer> {
    const end = performance.now() + patience;
    const lines: Buffer[] = [];
    for (;;) {
      const line = this.#takeLine();
      if (line === undefined) {
        await this.#more(end);
        continue;
      }
      if (line.length === 1 && line[0] === DOT) return Buffer.concat(lines);
      lines.push(line[0] === DOT ? line.subarray(1) : line, CRLF);
    }
  }

  /** Everything until the other side closes, at most `patience` ms; undefined when it does not close. */
  async readToEnd(patience = 10_000): Promise<string | undefined> {
    const end = performance.now() + patience;
    while (!this.#ended) {
      try {
        await this.#more(end);
      } catch (error) {
        if (!this.#ended) return undefined;
        if (!(error instanceof Disconnected)) throw error;
      }
    }
    return this.seen();
  }

  /** What has arrived and was not read yet. */
  seen(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  /** Reads no more from the network until `resume`: a slow reader. */
  stopReading(): void {
    this.socket.pause();
  }

  resumeReading(): void {
    this.socket.resume();
  }

  /** Closes the sending half only. */
  halfClose(): void {
    this.socket.end();
  }

  close(): void {
    this.socket.destroy();
  }

  #listen(): void {
    const wake = (): void => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.();
    };
    const finish = (why: string) => (): void => {
      this.#ended ??= new Disconnected(why);
      wake();
    };
    this.socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      wake();
    });
    this.socket.on('end', finish('closed by the server'));
    this.socket.on('close', finish('closed'));
    this.socket.on('error', (error) => finish(error.message)());
  }

  async #more(end: number): Promise<void> {
    if (this.#ended) throw this.#ended;
    const left = end - performance.now();
    if (left <= 0) throw new Disconnected('no answer in time');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#waiting?.(), left);
      this.#waiting = () => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve();
      };
    });
  }

  #takeLine(): Buffer | undefined {
    for (let i = 0; i < this.#chunks.length; i++) {
      const at = this.#chunks[i]?.indexOf(LF) ?? -1;
      if (at < 0) continue;
      const whole = i === 0 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks.slice(0, i + 1));
      const length = whole.indexOf(LF);
      const rest = whole.subarray(length + 1);
      this.#chunks.splice(0, i + 1, ...(rest.length ? [rest] : []));
      return whole.subarray(0, whole[length - 1] === CR ? length - 1 : length);
    }
    return undefined;
  }
}

const CR = 13;
const LF = 10;
const DOT = 46;
const CRLF = Buffer.from('\r\n');

function opened(socket: Socket, event: 'connect' | 'secureConnect', patience: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(new Disconnected('no connection in time')), patience);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    socket.once('error', fail);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve();
    });
  });
}
