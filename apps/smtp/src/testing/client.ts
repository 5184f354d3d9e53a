import { type Ends, MemoryConnection } from './memory-connection.js';
import type { World } from './world.js';

const CODE = /^\d{3} /;

/** Lets everything that is due now happen: the in-memory world needs no time, only turns. */
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A client of the server in memory: says what a test wants and sees what comes back. */
export class Client {
  readonly connection: MemoryConnection;
  /** Resolves when the server has ended the conversation. */
  readonly served: Promise<void>;
  over = false;
  private seen = 0;

  constructor(
    readonly world: World,
    ends: Ends = {},
    first = '',
  ) {
    this.connection = new MemoryConnection(ends);
    this.connection.send(first);
    this.served = world.server.serve(this.connection).finally(() => (this.over = true));
    this.served.catch(() => undefined);
  }

  /** Connects, reads the greeting and says EHLO. */
  static async hello(world: World, ends: Ends = {}): Promise<Client> {
    const client = new Client(world, ends);
    await client.heard();
    await client.say('EHLO client.test');
    return client;
  }

  /** Hello, STARTTLS and login over TLS as `ann`. */
  static async login(world: World, name = 'ann', ends: Ends = {}): Promise<Client> {
    const client = await Client.hello(world, { listener: 'submission', ...ends });
    await client.say('STARTTLS');
    await client.say('EHLO client.test');
    await client.say(`AUTH PLAIN ${Buffer.from(`\0${name}\0secret`).toString('base64')}`);
    return client;
  }

  /** What the server has said since the last look, as lines. */
  async heard(): Promise<readonly string[]> {
    await turns();
    const text = this.connection.output;
    const lines = text.slice(this.seen).split('\r\n').slice(0, -1);
    this.seen = text.length;
    return lines;
  }

  /** One command line; the last line of its reply. */
  async say(line: string): Promise<string> {
    this.connection.send(`${line}\r\n`);
    return (await this.heard()).filter((answer) => CODE.test(answer)).at(-1) ?? '';
  }

  /** Several commands at once; the code and enhanced code of each reply. */
  async pipeline(...lines: readonly string[]): Promise<readonly string[]> {
    this.connection.send(lines.map((line) => `${line}\r\n`).join(''));
    return (await this.heard()).filter((answer) => CODE.test(answer)).map(codeOf);
  }

  /** A whole transaction; the reply to the end of data. `body` goes out as it is, with the final dot put behind it. */
  async mail(from: string, to: string, body: string): Promise<string> {
    await this.pipeline(`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, 'DATA');
    this.connection.send(Buffer.from(`${body}.\r\n`, 'latin1'));
    return (await this.heard()).at(-1) ?? '';
  }

  /** The client closes, and the server is done. */
  async leave(): Promise<void> {
    this.connection.end();
    await this.served;
    await this.world.server.settled();
  }
}

/** `550 5.1.1` of a reply. */
export const codeOf = (answer: string): string => /^\d{3}(?:[ -][245]\.\d{1,3}\.\d{1,3})?/.exec(answer)?.[0] ?? answer;
