import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { StoredMessage } from '@kiroku/domain/mailbox/store-port.js';

/** Octets of a message from `from` to before `to`. */
export interface Extent {
  readonly from: number;
  readonly to: number;
}

const CHUNK = 256 * 1024;

/** A message as IMAP counts it: the recipient's prefix, then the body. */
export class Octets {
  private readonly prefix: Buffer;
  readonly size: number;

  constructor(
    private readonly message: StoredMessage,
    private readonly bodies: Pick<ObjectStore, 'read'>,
    /** The whole body, where it has been read already. */
    private readonly body?: Uint8Array,
  ) {
    this.prefix = Buffer.from(message.prefix);
    this.size = this.prefix.length + message.body.size;
  }

  get whole(): Extent {
    return { from: 0, to: this.size };
  }

  /** One or two pieces, where the body is at hand. */
  now({ from, to }: Extent): readonly Uint8Array[] | undefined {
    const { body, prefix } = this;
    if (!body) return undefined;
    const before = prefix.length;
    if (from >= before) return [body.subarray(from - before, to - before)];
    if (to <= before) return [prefix.subarray(from, to)];
    return [prefix.subarray(from), body.subarray(0, to - before)];
  }

  /** In chunks of at most 256 KiB; a body that is read whole is checked. @throws BodyMissing, BodyDamaged */
  async *read({ from, to }: Extent): AsyncGenerator<Uint8Array> {
    const now = this.now({ from, to });
    if (now) return yield* now;
    const { length } = this.prefix;
    if (from < length) for (let at = from; at < Math.min(to, length); at += CHUNK) yield this.prefix.subarray(at, Math.min(to, length, at + CHUNK));
    const start = Math.max(0, from - length);
    const end = to - length;
    if (end <= start) return;
    const { body } = this.message;
    if (start === 0 && end === body.size) yield* this.bodies.read(body);
    else yield* this.bodies.read(body, { offset: start, length: end - start });
  }

  /** All of it at once; for headers and small parts. */
  async bytes(extent: Extent): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.read(extent)) chunks.push(chunk);
    return chunks.length === 1 && chunks[0] ? Buffer.from(chunks[0].buffer, chunks[0].byteOffset, chunks[0].length) : Buffer.concat(chunks);
  }
}
