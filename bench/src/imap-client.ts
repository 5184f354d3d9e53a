import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Bytes looked at for the tagged line: it is the last of an answer, and short. */
const TAIL = 2_000;
const SILENCE = 300_000; // ms

/** What came back: the octets of the whole answer, and its last part as text. */
export interface Answer {
  readonly octets: number;
  readonly tail: string;
}

/** An IMAP client that does next to nothing, so that what is measured is the server: it counts octets until the tagged line. */
export class ImapSocket {
  #tail = '';
  #octets = 0;
  #tag = '';
  #number = 0;
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => this.#take(chunk as unknown as string));
    socket.on('error', (error) => this.#settle?.reject(error));
    socket.on('close', () => this.#settle?.reject(new Error('the server closed the connection')));
    socket.setTimeout(SILENCE, () => socket.destroy(new Error('no answer in time')));
  }

  static async login(port: number, user: string, password: string): Promise<ImapSocket> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    await once(socket, 'data');
    const client = new ImapSocket(socket);
    await client.run(`LOGIN ${user} "${password}"`);
    return client;
  }

  /** Runs one command. @throws when the answer is not OK. */
  async run(command: string | Buffer): Promise<Answer> {
    this.#tag = `zq${++this.#number}`;
    this.#tail = '';
    this.#octets = 0;
    const answer = new Promise<Answer>((resolve, reject) => (this.#settle = { resolve, reject }));
    // In one packet, as clients send it.
    this.socket.cork();
    this.socket.write(`${this.#tag} `);
    this.socket.write(command);
    this.socket.write('\r\n');
    this.socket.uncork();
    const said = await answer;
    if (!said.tail.slice(said.tail.lastIndexOf(`${this.#tag} `)).startsWith(`${this.#tag} OK`))
      throw new Error(`${command.toString('latin1').slice(0, 80)}: ${said.tail.slice(-200)}`);
    return said;
  }

  /** Runs one command. @returns ms until its tagged line had come. */
  async time(command: string | Buffer): Promise<number> {
    const since = performance.now();
    await this.run(command);
    return performance.now() - since;
  }

  close(): void {
    this.#settle = undefined;
    this.socket.destroy();
  }

  #take(chunk: string): void {
    this.#octets += chunk.length;
    this.#tail = chunk.length >= TAIL ? chunk.slice(-TAIL) : (this.#tail + chunk).slice(-TAIL);
    if (!this.#tail.endsWith('\r\n')) return;
    const before = this.#tail.lastIndexOf('\r\n', this.#tail.length - 3);
    if (!this.#tail.startsWith(`${this.#tag} `, before < 0 ? 0 : before + 2)) return;
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.resolve({ octets: this.#octets, tail: this.#tail });
  }
}

/** An APPEND of several messages (RFC 3502) with non-synchronizing literals (RFC 7888). */
export function appendCommand(mailbox: string, messages: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(`APPEND ${mailbox}`), ...messages.flatMap((message) => [Buffer.from(` {${message.length}+}\r\n`), message])]);
}
