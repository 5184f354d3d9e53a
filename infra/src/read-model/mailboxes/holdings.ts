import { type MailboxEvent, type MailboxHead, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { type MailboxStatus, MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import { keywordsAfter } from './draft.js';
import type { MessageColumns } from './message-columns.js';
import { pack, worthPacking } from './packed-mailboxes.js';
import { changesSince, type Place, readMailbox, readPlace, type Whole } from './snapshots.js';
import type { Tail } from './tail.js';

/** Messages in all mailboxes that are kept: 16 bytes each. */
const MOST_KEPT = 2_000_000;
/** What a mailbox costs without its messages, in such units. */
const OTHERWISE = 200;

/** What the process knows of one mailbox: where its stream stands and, once somebody wanted them, its messages. */
export class Holding {
  /** Of the stream, as read; 0: nothing is. */
  version = 0;
  /** The stream is at least here. */
  seen = 0;
  head: MailboxHead | undefined;
  keywords: ReadonlyMap<string, string> = new Map();
  columns: MessageColumns | undefined;
  /** There is no such mailbox. Ids are never used again. */
  gone = false;
  reading: Promise<void> | undefined;

  constructor(readonly id: string) {}

  get behind(): boolean {
    return this.head === undefined || this.seen > this.version;
  }

  get status(): MailboxStatus {
    const { uidValidity = 0, uidNext = 0, highestModSeq = 0, messages = 0, bytes = 0 } = this.head ?? {};
    return { id: this.id, uidValidity, uidNext, highestModSeq, messages, bytes };
  }

  saw(version: number): void {
    if (version > this.seen) this.seen = version;
  }

  /** Nobody knows what has been written. */
  forget(): void {
    this.version = this.seen = 0;
    this.head = this.columns = undefined;
  }

  put({ version, head, keywords }: Place): void {
    this.version = version;
    this.head = head;
    this.keywords = keywords;
  }

  /** Events that this process has appended, at `expected`. */
  take(expected: number, events: readonly MailboxEvent[]): void {
    this.saw(expected + events.length);
    if (this.version !== expected || !this.head) return; // read anew meanwhile
    for (const event of events) {
      this.columns?.take(event, this.head);
      this.head = event.data.head;
    }
    this.version = expected + events.length;
    this.keywords = keywordsAfter(this.keywords, events);
    if (this.columns?.worn) this.columns = undefined;
  }
}

/**
 * The mailboxes that a process works with. Who asks after `Tail.current` gets them as they were then or later; what has changed in between is
 * read, nothing else.
 */
export class Holdings {
  readonly #kept = new LRUCache<string, Holding>({ maxSize: MOST_KEPT, sizeCalculation: ({ columns }) => (columns?.count ?? 0) + OTHERWISE });

  constructor(
    private readonly pool: pg.Pool,
    tail: Tail,
    private readonly trouble: (error: unknown) => void,
  ) {
    tail.onGrown((grown) => {
      if (grown === 'all') return this.#kept.clear();
      for (const [stream, version] of grown) if (stream.startsWith(PREFIX)) this.#kept.peek(stream.slice(PREFIX.length))?.saw(version);
    });
  }

  /** What there is, whether it is up to date or not. */
  peek(id: string): Holding | undefined {
    return this.#kept.get(id);
  }

  /** @param whole with its messages. @throws MailboxRefusal `nonexistent` */
  async get(id: string, whole: boolean): Promise<Holding & { readonly head: MailboxHead }> {
    const holding = await this.find(id, whole);
    if (!holding) throw new MailboxRefusal('nonexistent', id);
    return holding;
  }

  async find(id: string, whole: boolean): Promise<(Holding & { readonly head: MailboxHead }) | undefined> {
    let holding = this.#kept.get(id);
    if (!holding) this.#kept.set(id, (holding = new Holding(id)));
    while (holding.behind || (whole && !holding.columns)) {
      holding.reading ??= this.#read(holding, whole).finally(() => (holding.reading = undefined));
      await holding.reading;
      if (holding.gone) {
        if (this.#kept.peek(id) === holding) this.#kept.delete(id);
        return undefined;
      }
    }
    return holding as Holding & { readonly head: MailboxHead };
  }

  async #read(holding: Holding, whole: boolean): Promise<void> {
    const { head, columns } = holding;
    if (head && columns) return this.#follow(holding, columns, head);
    const read: (Place & Partial<Whole>) | undefined = whole ? await readMailbox(this.pool, holding.id) : await readPlace(this.pool, holding.id);
    holding.gone = read === undefined;
    // Something appended here meanwhile may be newer. Messages count nevertheless, and what has happened to them since is read after them.
    if (!read || holding.columns || (!read.columns && read.version < holding.version)) return;
    holding.saw(holding.version);
    holding.put(read);
    holding.columns = read.columns;
    if (read.columns && worthPacking(read.columns.count, read.changes ?? 0)) void pack(this.pool, holding.status, read.columns).catch(this.trouble);
    this.#measure(holding);
  }

  async #follow(holding: Holding, columns: MessageColumns, head: MailboxHead): Promise<void> {
    const { version } = holding;
    const changes = await changesSince(this.pool, holding.id, head.highestModSeq, head.uidNext);
    holding.gone = changes === undefined;
    if (!changes || holding.version !== version) return;
    if (changes.head.highestModSeq > head.highestModSeq) columns.catchUp(changes, head);
    holding.put(changes);
    this.#measure(holding);
  }

  /** Its size has changed. */
  #measure(holding: Holding): void {
    if (this.#kept.peek(holding.id) === holding) this.#kept.set(holding.id, holding);
  }
}

const PREFIX = mailboxStream('');
