import type { Connection } from '@kiroku/infra/net/connection.js';

/** Bytes that may be on their way to a slow reader before the next are made. */
const AHEAD = 64 * 1024;
/** Bytes of listing lines that are put together into one write. */
const BATCH = 16 * 1024;

/** Writes to the client and knows when to wait for it, so that replies of any length take bounded memory. */
export class Output {
  private ahead = 0;

  constructor(private readonly connection: Connection) {}

  write(data: string | Uint8Array): void {
    this.connection.write(data);
    this.ahead += data.length;
  }

  line(text: string): void {
    this.write(`${text}\r\n`);
  }

  /** To be awaited between pieces. @throws ConnectionEnded */
  room(): void | Promise<void> {
    if (this.ahead < AHEAD) return;
    this.ahead = 0;
    return this.connection.flush();
  }

  /** A multi-line reply; no line may begin with a dot. @throws ConnectionEnded */
  async lines(first: string, rest: Iterable<string>): Promise<void> {
    let batch = `${first}\r\n`;
    for (const line of rest) {
      batch += `${line}\r\n`;
      if (batch.length < BATCH) continue;
      this.write(batch);
      batch = '';
      await this.room();
    }
    this.write(`${batch}.\r\n`);
  }
}
