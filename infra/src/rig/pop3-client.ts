import { LineSocket, type Target } from './line-socket.js';

/** A plain POP3 client (RFC 1939). Every call throws when the answer is not +OK. */
export class Pop3Client {
  private constructor(readonly socket: LineSocket) {}

  static async connect(target: Target): Promise<Pop3Client> {
    const client = new Pop3Client(await LineSocket.connect(target));
    await client.ok();
    return client;
  }

  static async login(target: Target, user: string, password: string): Promise<Pop3Client> {
    const client = await Pop3Client.connect(target);
    try {
      await client.command(`USER ${user}`);
      await client.command(`PASS ${password}`);
      return client;
    } catch (error) {
      client.socket.close();
      throw error;
    }
  }

  async command(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`);
    return this.ok();
  }

  async ok(): Promise<string> {
    const line = await this.socket.readLine(30_000);
    if (!line.startsWith('+OK')) throw new Error(`POP3: ${line}`);
    return line;
  }

  /** How many messages there are, and their octets. */
  async stat(): Promise<{ count: number; octets: number }> {
    const [, count, octets] = (await this.command('STAT')).split(' ');
    return { count: Number(count), octets: Number(octets) };
  }

  /** Message number → unique id. */
  async uidl(): Promise<Map<number, string>> {
    await this.command('UIDL');
    const rows = (await this.socket.readDotted()).toString('latin1').split('\r\n').filter(Boolean);
    return new Map(rows.map((row) => [Number(row.split(' ')[0]), row.split(' ')[1] ?? '']));
  }

  async retr(number: number): Promise<Buffer> {
    await this.command(`RETR ${number}`);
    return this.socket.readDotted();
  }

  /** These messages in order, many commands at once (RFC 2449 PIPELINING). */
  async retrAll(numbers: readonly number[], each: (message: Buffer, number: number) => void): Promise<void> {
    const GROUP = 50; // keeps the commands in flight below any socket buffer
    for (let i = 0; i < numbers.length; i += GROUP) {
      const group = numbers.slice(i, i + GROUP);
      this.socket.write(group.map((number) => `RETR ${number}\r\n`).join(''));
      for (const number of group) {
        await this.ok();
        each(await this.socket.readDotted(), number);
      }
    }
  }

  async quit(): Promise<void> {
    await this.command('QUIT').catch(() => undefined);
    this.socket.close();
  }
}

/** How many messages the account has, by one short session. */
export async function countMail(target: Target, user: string, password: string): Promise<number> {
  const client = await Pop3Client.login(target, user, password);
  const { count } = await client.stat();
  await client.quit();
  return count;
}
