import type { Socket } from 'node:net';
import type pg from 'pg';

/** What is used of the driver's connection; its types leave COPY out. */
interface Wire {
  readonly stream: Socket;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** Bytes of rows that wait for the other side; beyond it the source is not read. */
const MOST_WAITING = 4 << 20;

/** What the driver calls of a statement. */
class CopyStatement {
  readonly done: Promise<void>;
  protected wire: Wire | undefined;
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor(readonly text: string) {
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.done.catch(() => undefined); // seen by whoever waits
  }

  /** Of the driver: told when the statement is over. */
  callback = (): void => undefined;

  submit(connection: unknown): void {
    this.wire = connection as Wire;
    this.wire.query(this.text);
  }

  /** The last that the driver says of a statement that fails. */
  handleError(error: Error): void {
    this.callback();
    this.failed(error);
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.callback();
    this.#resolve();
  }

  handleCommandComplete(): void { /* readiness follows */ }
  handleRowDescription(): void { /* none comes */ }
  handleEmptyQuery(): void { /* never sent */ }
  protected failed(_: Error): void { /* for those who wait */ }
}

class CopyOut extends CopyStatement {
  #waiting: Buffer[] = [];
  #size = 0;
  #over = false;
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    this.#waiting.push(Buffer.from(chunk)); // the driver uses its buffer again
    this.#size += chunk.length;
    if (this.#size > MOST_WAITING) this.wire?.stream.pause();
    this.#wake();
  }

  override handleReadyForQuery(): void {
    this.#over = true;
    this.#wake();
    super.handleReadyForQuery();
  }

  protected override failed(error: Error): void {
    this.#error = error;
    this.#over = true;
    this.#wake();
  }

  /** What is still to come is not wanted: reading it off could take hours, so the connection goes. */
  drop(): void {
    if (!this.#over) this.wire?.stream.destroy();
  }

  async *chunks(): AsyncGenerator<Buffer> {
    for (;;) {
      if (this.#error) throw this.#error;
      if (this.#waiting.length > 0) {
        const chunk = Buffer.concat(this.#waiting);
        this.#waiting = [];
        this.#size = 0;
        this.wire?.stream.resume();
        yield chunk;
      } else if (this.#over) return;
      else await new Promise<void>((wake) => (this.#wake = wake));
    }
  }
}

class CopyIn extends CopyStatement {
  readonly #ready: Promise<void>;
  #begin!: () => void;
  #broken: Error | undefined;

  constructor(text: string) {
    super(text);
    this.#ready = new Promise((resolve) => (this.#begin = resolve));
  }

  handleCopyInResponse(): void {
    this.#begin();
  }

  protected override failed(error: Error): void {
    this.#broken = error;
    this.#begin();
  }

  /** Waits for a server that does not keep up. */
  async write(chunk: Buffer): Promise<void> {
    await this.#ready;
    if (this.#broken) throw this.#broken;
    const { stream } = this.wire as Wire;
    (this.wire as Wire).sendCopyFromChunk(chunk);
    while (stream.writableNeedDrain && !this.#broken)
      await Promise.race([new Promise((drained) => stream.once('drain', drained)), this.done.catch(() => undefined)]);
  }

  async end(): Promise<void> {
    await this.#ready;
    if (!this.#broken) (this.wire as Wire).endCopyFrom();
    await this.done;
  }

  async giveUp(why: string): Promise<void> {
    await this.#ready;
    if (!this.#broken) (this.wire as Wire).sendCopyFail(why);
    await this.done.catch(() => undefined);
  }
}

const start = <S extends CopyStatement>(client: pg.ClientBase, statement: S): S => client.query(statement as S & pg.Submittable);

/**
 * Streams what one COPY gives into another; both clients without pipeline mode. Memory is bounded by a few MiB.
 * @param out `COPY … TO STDOUT`. @param into `COPY … FROM STDIN`.
 * @param progress is told of bytes.
 * @throws what either server says; then the receiving statement has written nothing, and the giving connection may be closed.
 */
export async function copyThrough(from: pg.ClientBase, out: string, to: pg.ClientBase, into: string, progress: (bytes: number) => void, signal?: AbortSignal): Promise<void> {
  const source = start(from, new CopyOut(out));
  const target = start(to, new CopyIn(into));
  try {
    for await (const chunk of source.chunks()) {
      signal?.throwIfAborted();
      await target.write(chunk);
      progress(chunk.length);
    }
    await source.done;
    await target.end();
  } catch (error) {
    source.drop();
    await target.giveUp('the source ended');
    throw error;
  }
}
