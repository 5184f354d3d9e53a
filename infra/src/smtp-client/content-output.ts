import { TextOutput } from '@kiroku/domain/smtp-client/text-output.js';
import type { ClientSocket } from './client-socket.js';

/** Pieces below `LARGE` bytes are gathered up to `GATHER` and leave in one write; larger ones leave as they are, uncopied. */
const LARGE = 16 * 1024;
const GATHER = 32 * 1024;
/** Buffers kept for later. */
const SPARE = 32;

const spare: Uint8Array[] = [];

/**
 * Sends a message's bytes: as text with its end for DATA, or as they are for BDAT. Chunks are not copied when they are large, so
 * whoever made them must leave them alone.
 */
export class ContentOutput {
  /** More came than was announced. It is not sent: it would be read as commands. */
  tooMuch = false;

  private taken = 0;
  private readonly text: TextOutput | undefined;
  private buffer: Uint8Array | undefined;
  private gathered = 0;

  /** @param announced bytes that BDAT has promised; undefined for DATA, which shows its end itself. */
  constructor(
    private readonly socket: ClientSocket,
    private readonly announced: number | undefined,
  ) {
    this.text = announced === undefined ? new TextOutput() : undefined;
  }

  /** The bytes were not as many as announced. */
  get misfit(): boolean {
    return this.announced !== undefined && this.taken !== this.announced;
  }

  put(chunk: Uint8Array): void {
    this.taken += chunk.length;
    if (this.announced !== undefined && this.taken > this.announced) {
      this.tooMuch = true;
      return;
    }
    const bytes = this.text ? this.text.push(chunk) : chunk;
    if (bytes.length < LARGE) return this.gather(bytes);
    this.flush();
    this.socket.write(bytes);
  }

  end(): void {
    if (this.text) this.gather(this.text.end());
    this.flush();
  }

  private gather(bytes: Uint8Array): void {
    if (this.gathered + bytes.length > GATHER) this.flush();
    const buffer = (this.buffer ??= spare.pop() ?? new Uint8Array(GATHER));
    buffer.set(bytes, this.gathered);
    this.gathered += bytes.length;
  }

  private flush(): void {
    const { buffer } = this;
    if (!buffer || this.gathered === 0) return;
    this.socket.write(buffer.subarray(0, this.gathered));
    this.buffer = undefined;
    this.gathered = 0;
    // The system has copied it. Otherwise it still reads from the buffer, which is then left to it.
    if (this.socket.flushed && spare.length < SPARE) spare.push(buffer);
  }
}
