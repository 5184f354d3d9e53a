import { LineSocket, type Target } from './line-socket.js';

export interface ImapAnswer {
  /** Each untagged and each `+` line, literals included. */
  readonly lines: readonly string[];
  /** The tagged line without its tag: `OK …`, `NO …`, `BAD …`. */
  readonly end: string;
}

const PATIENCE = 30_000; // ms for one line of an answer

/** An IMAP client by hand (RFC 9051 §2.2). Every octet that it reads is one character, so that answers can be compared octet by octet. */
export class ImapClient {
  private tags = 0;

  private constructor(readonly socket: LineSocket, readonly greeting: string) {}

  /** Connects and reads the greeting. @throws Error when that is not OK. */
  static async connect(target: Target): Promise<ImapClient> {
    const socket = await LineSocket.connect(target);
    const greeting = await socket.readLine(PATIENCE);
    if (greeting.startsWith('* OK')) return new ImapClient(socket, greeting);
    socket.close();
    throw new Error(`IMAP: ${greeting}`);
  }

  static async login(target: Target, user: string, password: string): Promise<ImapClient> {
    const client = await ImapClient.connect(target);
    try {
      await client.ok(`LOGIN "${user}" "${password}"`);
      return client;
    } catch (error) {
      client.socket.close();
      throw error;
    }
  }

  /** The next line; literals and what follows them belong to it. @throws Disconnected */
  async line(patience = PATIENCE): Promise<string> {
    let line = await this.socket.readLine(patience);
    for (;;) {
      const octets = /\{(\d+)\}$/.exec(line)?.[1];
      if (octets === undefined) return line;
      const literal = await this.socket.readOctets(Number(octets), patience);
      line += `\r\n${literal.toString('latin1')}${await this.socket.readLine(patience)}`;
    }
  }

  /** Sends a command, as UTF-8, and goes on at once. @returns its tag. */
  say(command: string | Uint8Array): string {
    const tag = `t${++this.tags}`;
    this.socket.write(Buffer.concat([Buffer.from(`${tag} `), Buffer.from(command), CRLF]));
    return tag;
  }

  /** Reads up to the tagged line. @throws Disconnected */
  async answer(tag: string): Promise<ImapAnswer> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      if (line.startsWith(`${tag} `)) return { lines, end: line.slice(tag.length + 1) };
      lines.push(line);
    }
  }

  ask(command: string | Uint8Array): Promise<ImapAnswer> {
    return this.answer(this.say(command));
  }

  /** @returns the untagged lines. @throws Error when the answer is not OK. */
  async ok(command: string | Uint8Array): Promise<readonly string[]> {
    const { lines, end } = await this.ask(command);
    if (!end.startsWith('OK')) throw new Error(`${Buffer.from(command).toString().slice(0, 200)}: ${end}`);
    return lines;
  }

  /** @returns the tagged line alone. */
  async end(command: string | Uint8Array): Promise<string> {
    return (await this.ask(command)).end;
  }

  /** Stores a message by a literal that asks for no leave (RFC 7888). @returns the tagged line. */
  append(mailbox: string, message: Uint8Array, flags = ''): Promise<string> {
    return this.end(appendOf(mailbox, message, flags));
  }

  /** What the one `* SEARCH` line of the answer names (RFC 3501 §7.2.5). @throws Error when the answer is not OK. */
  async search(criteria: string, uid = true): Promise<number[]> {
    const lines = await this.ok(`${uid ? 'UID ' : ''}SEARCH ${criteria}`);
    const found = lines.find((line) => line.startsWith('* SEARCH')) ?? '';
    return found.split(' ').slice(2).map(Number);
  }

  async startTls(): Promise<void> {
    await this.ok('STARTTLS');
    await this.socket.startTls();
  }

  async logout(): Promise<void> {
    await this.end('LOGOUT').catch(() => undefined);
    this.socket.close();
  }

  close(): void {
    this.socket.close();
  }
}

const CRLF = Buffer.from('\r\n');

/** `APPEND` with its message, as `say` takes it. */
export const appendOf = (mailbox: string, message: Uint8Array, flags = ''): Buffer =>
  Buffer.concat([Buffer.from(`APPEND "${mailbox}" ${flags === '' ? '' : `(${flags}) `}{${message.length}+}\r\n`), message]);
