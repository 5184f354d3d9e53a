import { LineSocket, type Target } from './line-socket.js';

export interface SmtpReply {
  readonly code: number;
  /** The lines without code, e.g. `['2.0.0 Ok']`. */
  readonly lines: readonly string[];
}

/** A plain SMTP client that does what a test says, right or wrong. */
export class SmtpClient {
  private constructor(readonly socket: LineSocket) {}

  /** Connects and reads the greeting; `greeting` says what it was. */
  static async connect(target: Target): Promise<SmtpClient> {
    const client = new SmtpClient(await LineSocket.connect(target));
    const greeting = await client.read();
    if (greeting.code !== 220) {
      client.socket.close();
      throw new Error(`greeting: ${greeting.code} ${greeting.lines.join(' ')}`);
    }
    return client;
  }

  static async hello(target: Target): Promise<SmtpClient> {
    const client = await SmtpClient.connect(target);
    await client.command('EHLO client.test');
    return client;
  }

  async command(line: string, patience?: number): Promise<SmtpReply> {
    this.socket.write(`${line}\r\n`);
    return this.read(patience);
  }

  /** The next reply, all its lines. @throws Disconnected */
  async read(patience?: number): Promise<SmtpReply> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.socket.readLine(patience);
      lines.push(line.slice(4));
      if (line[3] !== '-') return { code: Number(line.slice(0, 3)), lines };
    }
  }

  /**
   * One whole transaction without pipelining; the body's lines end in CRLF, dots are added here.
   * @returns the first reply that was not the expected one, or the reply to the end of data.
   */
  async send(from: string, to: readonly string[], body: Uint8Array, patience?: number): Promise<SmtpReply> {
    const before = [`MAIL FROM:<${from}>`, ...to.map((address) => `RCPT TO:<${address}>`), 'DATA'];
    for (const line of before) {
      const reply = await this.command(line, patience);
      if (reply.code >= 400) return reply;
    }
    return this.sendData(body, patience);
  }

  /** The body after 354, and the reply to its end. */
  async sendData(body: Uint8Array, patience?: number): Promise<SmtpReply> {
    this.socket.write(dotStuffed(body));
    return this.read(patience);
  }

  async authPlain(user: string, password: string): Promise<SmtpReply> {
    return this.command(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`);
  }

  async startTls(): Promise<void> {
    const reply = await this.command('STARTTLS');
    if (reply.code !== 220) throw new Error(`STARTTLS: ${reply.code}`);
    await this.socket.startTls();
  }

  async quit(): Promise<void> {
    await this.command('QUIT', 2_000).catch(() => undefined);
    this.socket.close();
  }
}

/** The message as it goes over the wire (RFC 5321 §4.5.2), with its final dot. */
export function dotStuffed(body: Uint8Array): Buffer {
  const text = Buffer.from(body).toString('latin1');
  const stuffed = text.replace(/(^|\r\n)\./g, '$1..');
  return Buffer.from(`${stuffed}${stuffed.endsWith('\r\n') || stuffed === '' ? '' : '\r\n'}.\r\n`, 'latin1');
}
