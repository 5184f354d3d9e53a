import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';

/** A mail client by hand, for tests: says lines, hears lines. */
export class TestClient {
  /** All that was heard and not yet asked for. */
  private heard = '';
  private closed: string | undefined;
  private wake: () => void = () => undefined;

  private constructor(public socket: Socket) {
    this.follow(socket);
  }

  static async to(port: number, host = '127.0.0.1'): Promise<TestClient> {
    const client = new TestClient(connect({ port, host, allowHalfOpen: true, noDelay: true }));
    await new Promise<void>((resolve, reject) => client.socket.once('connect', resolve).once('error', reject));
    return client;
  }

  static async toTls(port: number, options: ConnectionOptions = {}): Promise<TestClient> {
    const client = new TestClient(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }));
    await new Promise<void>((resolve, reject) => client.socket.once('secureConnect', resolve).once('error', reject));
    return client;
  }

  say(text: string | Uint8Array): this {
    this.socket.write(text);
    return this;
  }

  /** The next line without CRLF; `<end>` when the server has closed, `<reset>` when it broke off. */
  async line(): Promise<string> {
    await this.until(() => this.heard.includes('\r\n') || this.closed !== undefined);
    const end = this.heard.indexOf('\r\n');
    if (end < 0) return this.closed ?? '';
    const line = this.heard.slice(0, end);
    this.heard = this.heard.slice(end + 2);
    return line;
  }

  async lines(n: number): Promise<readonly string[]> {
    const lines = [];
    for (let i = 0; i < n; i++) lines.push(await this.line());
    return lines;
  }

  /** Everything until the server closes. */
  async rest(): Promise<string> {
    await this.until(() => this.closed !== undefined);
    return this.heard;
  }

  /** Becomes TLS, after a positive answer to STARTTLS. */
  async startTls(): Promise<TLSSocket> {
    const plain = this.socket.removeAllListeners('data').removeAllListeners('close').removeAllListeners('end');
    const tls = connectTls({ socket: plain, rejectUnauthorized: false });
    this.socket = tls;
    this.follow(tls);
    await new Promise<void>((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
    return tls;
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  private follow(socket: Socket): void {
    socket.on('data', (chunk) => {
      this.heard += chunk.toString('latin1');
      this.wake();
    });
    socket.on('error', () => undefined);
    socket.on('end', () => this.finish('<end>'));
    socket.on('close', () => this.finish('<reset>'));
  }

  private finish(how: string): void {
    this.closed ??= how;
    this.wake();
  }

  private async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => (this.wake = resolve));
  }
}
