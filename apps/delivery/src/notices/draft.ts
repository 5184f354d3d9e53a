import { createHash, randomBytes } from 'node:crypto';
import type { QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import { BodyDamaged, BodyMissing, type BodyRef, type ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import { type ComposedNotice, composeNotice, type NoticeInput } from '@kiroku/domain/notice/compose.js';
import { START } from '@kiroku/domain/notice/original.js';
import type { OwedNotices } from '@kiroku/infra/read-model/notices.js';
import type { NoticeSettings } from './ports.js';

/** A report whose body is stored; nothing refers to it yet. */
export interface Draft {
  readonly notice: QueueFact<'MessageSubmitted'>;
  readonly copy: QueueFact<'MessageSubmitted'> | undefined;
}

/** Writes the body of a report, and of the administrators' copy, into the object store: durable when it resolves. */
export class Drafts {
  constructor(
    private readonly engine: Pick<Engine, 'clock' | 'ids'>,
    private readonly bodies: ObjectStore,
    private readonly settings: () => NoticeSettings,
    private readonly chance: () => string = () => randomBytes(18).toString('hex'),
  ) {}

  /**
   * @param copied whether administrators are to get a copy, if it is one for them.
   * @throws StoreUnavailable, and whatever else keeps the original from being read for now.
   */
  async draft(owed: OwedNotices, copied: boolean): Promise<Draft> {
    const { message } = owed.notices[0];
    const original: BodyRef = { sha256: message.sha256, size: message.size, ...(message.at !== undefined && { at: message.at }) };
    const start = await this.#start(original);
    const notice = await this.#write(owed, original, start, undefined);
    const watchers = copied && owed.kind === 'failed' ? this.#watchers(message.sender) : [];
    return { notice, copy: watchers.length > 0 ? await this.#write(owed, original, start, watchers) : undefined };
  }

  /** Whoever gets the report itself needs no copy of it. */
  #watchers(sender: string): readonly string[] {
    const told = canonical(sender);
    return [...new Set(this.settings().postmasterCopy.map(canonical))].filter((address) => address !== undefined && address !== told) as string[];
  }

  /** The first bytes of the original, null when it is lost. */
  async #start(original: BodyRef): Promise<Uint8Array | null> {
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of this.bodies.read(original, { offset: 0, length: Math.min(original.size, START) })) chunks.push(chunk);
      return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
    } catch (error) {
      if (isLost(error)) return null;
      throw error;
    }
  }

  async #write(owed: OwedNotices, original: BodyRef, start: Uint8Array | null, copyTo: readonly string[] | undefined): Promise<QueueFact<'MessageSubmitted'>> {
    const { clock, ids } = this.engine;
    const settings = this.settings();
    const { domain, ...style } = settings.styleOf(owed.notices[0]);
    const [noticeId, now] = [copyTo ? copyId(owed) : ids.queueId(), clock.now()];
    const input: NoticeInput = {
      notices: owed.notices, more: owed.addresses.length - owed.notices.length, noticeId, hostname: settings.hostname, domain, now,
      offset: (at) => settings.offset(at), style, chance: this.chance(), start, ...(copyTo && { copyTo }),
    };
    const { composed, ref } = await this.#store(input, original);
    const { trace, headerMessageId, body, smtputf8, requireTls } = composed;
    return {
      messageId: noticeId, origin: 'notice', about: owed.messageId, recipients: copyTo ?? [owed.notices[0].message.sender],
      message: { sender: '', ...ref, trace, body, smtputf8, requireTls, hops: 0, acceptedAt: now, headerMessageId },
    };
  }

  async #store(input: NoticeInput, original: BodyRef): Promise<{ readonly composed: ComposedNotice; readonly ref: BodyRef }> {
    const composed = composeNotice(input);
    const writer = this.bodies.create();
    try {
      for (const piece of composed.pieces) {
        if (piece !== 'original') await writer.write(piece);
        else for await (const chunk of this.bodies.read(original)) await writer.write(chunk);
      }
      return { composed, ref: await writer.commit() };
    } catch (error) {
      await writer.abort();
      // Only reading it to the end shows that a large body is damaged.
      if (isLost(error) && input.start !== null) return this.#store({ ...input, start: null }, original);
      throw error;
    }
  }
}

/**
 * The queue id of the administrators' copy: the same whenever the same report is written again, so that a crash between copy and report makes
 * no second one. It sorts with the message that it is about.
 */
export function copyId({ messageId, kind, addresses }: Pick<OwedNotices, 'messageId' | 'kind' | 'addresses'>): string {
  const digest = createHash('sha256').update(JSON.stringify([messageId, kind, [...addresses].sort()])).digest();
  return messageId.slice(0, TIME) + Array.from(digest.subarray(0, REST), (byte) => CROCKFORD[byte & 31]).join('');
}
/** Letters of a queue id: its time, and what makes it one of a kind. */
const TIME = 9;
const REST = 6;
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

const isLost = (error: unknown): boolean => error instanceof BodyMissing || error instanceof BodyDamaged;

