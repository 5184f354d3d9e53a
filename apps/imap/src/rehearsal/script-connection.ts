import { setImmediate as turn } from 'node:timers/promises';
import type { Connection } from '@kiroku/infra/net/connection.js';

/** A client that says what stands in a script, line by line, and reads nothing but how its commands end. Others get their turn between two lines. */
export class ScriptConnection implements Connection {
  readonly id = 'rehearsal';
  readonly peer = { ip: '127.0.0.1', port: 0 };
  readonly local = '127.0.0.1:0';
  readonly listener = 'imap';
  readonly tls = undefined;
  readonly bytesIn = 0;
  bytesOut = 0;
  readonly waiting = 0;
  idleTimeout = 0;
  /** Tagged answers that were not OK. */
  readonly refused: string[] = [];
  #said = 0;

  constructor(
    private readonly lines: readonly string[],
    private readonly signal: AbortSignal,
  ) {}

  async readLine(): Promise<Buffer | undefined> {
    await turn();
    const line = this.lines[this.#said++];
    return line === undefined || this.signal.aborted ? undefined : Buffer.from(`t${this.#said} ${line}`);
  }

  readSome(): undefined {
    return undefined;
  }

  unread(): void {
    throw new Error('nothing was read');
  }

  discardWaiting(): void {
    return;
  }

  write(data: string | Uint8Array): void {
    this.bytesOut += data.length;
    if (typeof data === 'string' && data.startsWith(`t${this.#said} `) && !/^t\d+ OK/.test(data)) this.refused.push(data.trimEnd());
  }

  flush(): void {
    return;
  }

  startTls(): never {
    throw new Error('no TLS on paper');
  }

  pause(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(): void {
    return;
  }
}
