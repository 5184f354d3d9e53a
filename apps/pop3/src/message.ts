import { BodyDamaged, BodyMissing, type ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { DotStuffing, Top } from '@kiroku/domain/pop3/dot-stuffing.js';
import type { Located, Maildrop } from '@kiroku/domain/pop3/maildrop.js';
import type { ReplyName } from '@kiroku/domain/pop3/replies.js';
import type { Output } from './output.js';

/** Nothing was sent of the message: say this instead. */
export class NotSent extends Error {
  constructor(
    readonly reply: Extract<ReplyName, 'gone' | 'damaged' | 'unavailable' | 'needs-utf8'>,
    cause?: unknown,
  ) {
    super(reply, { cause });
  }
}

/** The body failed after its first bytes had been sent: the connection must end now, without the line with the dot. */
export class BrokenOff extends Error {}

export interface Wanted {
  readonly uid: number;
  /** Lines of the body, for TOP; undefined: everything. */
  readonly lines: number | undefined;
  /** What to say before the message. */
  readonly reply: string;
  /** The client is in UTF-8 mode. */
  readonly utf8: boolean;
}

/**
 * RETR and TOP, in memory that does not depend on the message's size.
 * @throws NotSent, BrokenOff, ConnectionEnded
 */
export async function sendMessage(drop: Maildrop, bodies: Pick<ObjectStore, 'read'>, wanted: Wanted, output: Output): Promise<void> {
  const located = await unsent(() => drop.locate(wanted.uid));
  if (!located) throw new NotSent('gone');
  const chunks = bodies.read(located.body)[Symbol.asyncIterator]();
  try {
    const first = await unsent(() => chunks.next());
    if (!wanted.utf8 && needsUtf8(located, first.value as Uint8Array | undefined)) throw new NotSent('needs-utf8');
    output.line(wanted.reply);
    await stream(Buffer.from(located.prefix), first, chunks, wanted.lines, output);
  } finally {
    await chunks.return?.();
  }
}

async function stream(
  prefix: Uint8Array,
  first: IteratorResult<Uint8Array>,
  chunks: AsyncIterator<Uint8Array>,
  lines: number | undefined,
  output: Output,
): Promise<void> {
  const stuffing = new DotStuffing();
  const top = lines === undefined ? undefined : new Top(lines);
  /** @returns whether that was all. */
  const put = (chunk: Uint8Array): boolean => {
    const { part, done } = top ? top.take(chunk) : { part: chunk, done: false };
    output.write(stuffing.push(part));
    return done;
  };
  if (!put(prefix)) {
    for (let next = first; !next.done && !put(next.value); next = await nextOf(chunks)) {
      const room = output.room();
      if (room) await room;
    }
  }
  output.write(stuffing.end());
  await output.room();
}

async function unsent<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new NotSent(error instanceof BodyMissing || error instanceof BodyDamaged ? 'damaged' : 'unavailable', error);
  }
}

async function nextOf(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await chunks.next();
  } catch (error) {
    throw new BrokenOff('a body failed while it was being sent', { cause: error });
  }
}

/** RFC 6856 §2: looks at the header, as far as it lies in the first chunk (256 KiB). */
function needsUtf8({ smtputf8, prefix }: Located, chunk: Uint8Array | undefined): boolean {
  if (!smtputf8) return false;
  const head = Buffer.concat([Buffer.from(prefix), chunk ?? new Uint8Array()]);
  const end = head.indexOf('\r\n\r\n');
  return head.subarray(0, end < 0 ? head.length : end).some((byte) => byte >= 0x80);
}
