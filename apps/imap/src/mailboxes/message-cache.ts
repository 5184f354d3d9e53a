import type { MailboxStore, StoredMessage } from '@kiroku/domain/mailbox/store-port.js';

/** Bytes in all, as they are estimated here. */
const LIMIT = 32 * 1024 * 1024;
/** UIDs that come and go together. */
const CHUNK = 256;
/** An object of V8 with its share of the tables, and each of its texts. */
const OBJECT = 300;
const TEXT = 40;
/** Longer ones are printed anew each time; and no more than so many of one message are kept. */
const LONGEST = 16 * 1024;
const MOST_TEXTS = 8;
/** Messages that the store is asked for at once. */
const AT_ONCE = 1_000;

interface Chunk {
  readonly key: string;
  readonly messages: Map<number, KnownMessage>;
  bytes: number;
  kept: boolean;
}

/** A message whose facts are at hand, and what of it has been printed already. Neither ever changes. */
export class KnownMessage {
  private readonly texts: string[] = [];

  constructor(
    readonly stored: StoredMessage,
    private readonly chunk: Chunk,
    private readonly cache: MessageCache,
  ) {}

  /** What was printed under this label. */
  printed(label: string): string | undefined {
    const { texts } = this;
    for (let i = 0; i < texts.length; i += 2) if (texts[i] === label) return texts[i + 1];
    return undefined;
  }

  /** @param text the same whoever asks. */
  keep(label: string, text: string): void {
    if (text.length > LONGEST || this.texts.length >= 2 * MOST_TEXTS || this.printed(label) !== undefined) return;
    this.texts.push(label, text);
    this.cache.grow(this.chunk, TEXT + text.length);
  }
}

/**
 * What FETCH needs of messages besides their flags, for all sessions of a process: a UID stands for the same octets for ever. What was
 * asked for least lately goes first.
 */
export class MessageCache {
  /** In the order in which they were last asked for. */
  private readonly chunks = new Map<string, Chunk>();
  private bytes = 0;

  constructor(
    private readonly store: Pick<MailboxStore, 'messages'>,
    private readonly limit = LIMIT,
  ) {}

  /** Estimated. */
  get size(): number {
    return this.bytes;
  }

  /**
   * In the order of `uids`. Undefined where the store has no such message; one that it had may be gone meanwhile.
   * @param uids ascending.
   */
  async of(mailbox: string, uids: readonly number[]): Promise<readonly (KnownMessage | undefined)[]> {
    const found = new Array<KnownMessage | undefined>(uids.length).fill(undefined);
    const missing: number[] = [];
    let chunk: Chunk | undefined;
    let number = -1;
    for (let i = 0; i < uids.length; i++) {
      const uid = uids[i] as number;
      if (Math.floor(uid / CHUNK) !== number) chunk = this.touch(mailbox, (number = Math.floor(uid / CHUNK)));
      const known = chunk?.messages.get(uid);
      if (known) found[i] = known;
      else missing.push(i);
    }
    for (let at = 0; at < missing.length; at += AT_ONCE) await this.load(mailbox, uids, missing.slice(at, at + AT_ONCE), found);
    return found;
  }

  /** A chunk has become larger. */
  grow(chunk: Chunk, by: number): void {
    chunk.bytes += by;
    if (!chunk.kept) return;
    this.bytes += by;
    for (const oldest of this.chunks.values()) {
      if (this.bytes <= this.limit) return;
      this.chunks.delete(oldest.key);
      oldest.kept = false;
      this.bytes -= oldest.bytes;
    }
  }

  private async load(mailbox: string, uids: readonly number[], places: readonly number[], found: (KnownMessage | undefined)[]): Promise<void> {
    const rows = await this.store.messages(mailbox, places.map((place) => uids[place] as number));
    let at = 0;
    for (const stored of rows) {
      while (at < places.length && (uids[places[at] as number] as number) < stored.uid) at++;
      if (at < places.length && uids[places[at] as number] === stored.uid) found[places[at] as number] = this.add(mailbox, stored);
    }
  }

  private add(mailbox: string, stored: StoredMessage): KnownMessage {
    const number = Math.floor(stored.uid / CHUNK);
    const key = `${mailbox}/${number}`;
    let chunk = this.chunks.get(key);
    if (!chunk) this.chunks.set(key, (chunk = { key, messages: new Map(), bytes: 0, kept: true }));
    const known = chunk.messages.get(stored.uid);
    if (known) return known; // another session was faster
    const fresh = new KnownMessage(stored, chunk, this);
    chunk.messages.set(stored.uid, fresh);
    this.grow(chunk, OBJECT + stored.prefix.length + (stored.body.at?.length ?? 0) + stored.messageId.length);
    return fresh;
  }

  private touch(mailbox: string, number: number): Chunk | undefined {
    const key = `${mailbox}/${number}`;
    const chunk = this.chunks.get(key);
    if (!chunk) return undefined;
    this.chunks.delete(key);
    this.chunks.set(key, chunk);
    return chunk;
  }
}
