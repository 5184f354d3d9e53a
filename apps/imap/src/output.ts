import type { Connection } from '@kiroku/infra/net/connection.js';

/** Bytes that may be on their way to a slow reader before the next are made. */
const AHEAD = 64 * 1024;

/** Writes to the client and knows when to wait for it, so that answers of any length take bounded memory. */
export class Output {
  private ahead = 0;

  constructor(private connection: Connection) {}

  /** Goes on over another connection (COMPRESS). */
  use(connection: Connection): void {
    this.connection = connection;
  }

  write(data: string | Uint8Array): void {
    this.connection.write(data);
    this.ahead += data.length;
  }

  line(text: string): void {
    this.write(`${text}\r\n`);
  }

  /** An untagged response. */
  untagged(text: string): void {
    this.write(`* ${text}\r\n`);
  }

  /** To be awaited between pieces. @throws ConnectionEnded */
  room(): void | Promise<void> {
    if (this.ahead < AHEAD) return;
    this.ahead = 0;
    return this.connection.flush();
  }

  /** Sends what waits. @throws ConnectionEnded */
  flush(): void | Promise<void> {
    this.ahead = 0;
    return this.connection.flush();
  }
}
