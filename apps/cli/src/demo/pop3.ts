import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** ms of silence before the demonstration gives up. */
const PATIENCE = 10_000;

/** As much of POP3 as it takes to read a mailbox of the demonstration: its own server, so the certificate is not checked. */
export class Pop3Reader {
  #waiting = Buffer.alloc(0);

  private constructor(private socket: Socket) {}

  /** Logged in, under TLS: at once, or after STLS. */
  static async login(host: string, port: number, tls: boolean, user: string, password: string): Promise<Pop3Reader> {
    const socket = tls ? connectTls({ host, port, rejectUnauthorized: false }) : connectTcp({ host, port });
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error('the POP3 server is silent')));
    const reader = new Pop3Reader(socket);
    await reader.#status();
    if (!tls) {
      await reader.command('STLS');
      socket.setTimeout(0);
      reader.socket = connectTls({ socket, rejectUnauthorized: false });
    }
    await reader.command(`USER ${user}`);
    await reader.command(`PASS ${password}`);
    return reader;
  }

  command(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`);
    return this.#status();
  }

  /** Every message, with its lines as they came. */
  async *messages(): AsyncGenerator<Buffer> {
    const count = Number((await this.command('STAT')).split(' ')[1]);
    for (let number = 1; number <= count; number++) {
      await this.command(`RETR ${number}`);
      yield Buffer.from((await this.#until('\r\n.\r\n')).toString('latin1').replace(/^\.\./gm, '.'), 'latin1');
    }
  }

  async quit(): Promise<void> {
    await this.command('QUIT').catch(() => undefined);
    this.socket.destroy();
  }

  async #status(): Promise<string> {
    const line = (await this.#until('\r\n')).toString('latin1');
    if (!line.startsWith('+OK')) throw new Error(`POP3: ${line}`);
    return line;
  }

  /** What comes before `end`, which is taken too. */
  async #until(end: string): Promise<Buffer> {
    for (;;) {
      const at = this.#waiting.indexOf(end, 0, 'latin1');
      if (at >= 0) {
        const found = this.#waiting.subarray(0, at);
        this.#waiting = this.#waiting.subarray(at + end.length);
        return found;
      }
      const chunk = await new Promise<Buffer>((resolve, reject) => {
        const { socket } = this;
        const settle = (then: () => void): void => {
          socket.off('data', data).off('error', fail).off('close', gone);
          socket.pause();
          then();
        };
        const data = (bytes: Buffer): void => settle(() => resolve(bytes));
        const fail = (error: Error): void => settle(() => reject(error));
        const gone = (): void => settle(() => reject(new Error('the POP3 server has closed')));
        socket.on('data', data).on('error', fail).on('close', gone);
        socket.resume();
      });
      this.#waiting = Buffer.concat([this.#waiting, chunk]);
    }
  }
}
