import { LineSocket } from '@kiroku/infra/rig/line-socket.js';

/** An IMAP client by hand: each command is given a tag of its own, and its answers are read up to the tagged one. Each byte is a character. */
export class ImapClient {
  private tags = 0;

  private constructor(readonly socket: LineSocket) {}

  static async connect(port: number, tls: boolean): Promise<ImapClient> {
    return new ImapClient(await LineSocket.connect({ port, tls }));
  }

  /** The next line; a literal (of whole lines) and what follows it belong to it. */
  async line(patience?: number): Promise<string> {
    let line = await this.socket.readLine(patience);
    for (;;) {
      const literal = /\{(\d+)\}$/.exec(line);
      if (!literal) return line;
      const end = line.length + 2 + Number(literal[1]);
      do line += `\r\n${await this.socket.readLine(patience)}`;
      while (line.length < end);
    }
  }

  /** Says a command and goes on at once. @returns its tag. */
  say(command: string): string {
    const tag = `t${++this.tags}`;
    this.write(`${tag} ${command}\r\n`);
    return tag;
  }

  write(text: string | Uint8Array): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text) : text);
  }

  /** Reads up to the tagged answer. @returns all lines; the last is the tagged one, without its tag. */
  async answer(tag: string): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      lines.push(line.startsWith(`${tag} `) ? line.slice(tag.length + 1) : line);
      if (line.startsWith(`${tag} `)) return lines;
    }
  }

  ask(command: string): Promise<string[]> {
    return this.answer(this.say(command));
  }

  /** As `ask`. @returns the untagged lines. @throws Error when the answer is not OK. */
  async ok(command: string): Promise<string[]> {
    const lines = await this.ask(command);
    const last = lines.pop() ?? '';
    if (!last.startsWith('OK')) throw new Error(`${command}: ${last}`);
    return lines;
  }

  /** @returns the tagged line alone. */
  async end(command: string): Promise<string> {
    return (await this.ask(command)).at(-1) ?? '';
  }

  close(): void {
    this.socket.close();
  }
}
