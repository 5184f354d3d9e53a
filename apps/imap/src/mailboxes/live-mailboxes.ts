import type { MailboxStore } from '@kiroku/domain/mailbox/store-port.js';
import { LiveMailbox } from './live-mailbox.js';
import { MessageCache } from './message-cache.js';

/** Messages of mailboxes that nobody has open and that are kept all the same, 16 bytes each. */
const KEPT_MESSAGES = 2_000_000;
const KEPT_MAILBOXES = 1_000;
/** Names that accounts have selected lately. */
const KEPT_NAMES = 5_000;

interface Open {
  readonly box: LiveMailbox;
  users: number;
  unwatch: (() => void) | undefined;
}

/** The mailboxes that this process's sessions have selected, each read once; and some that were open lately. */
export class LiveMailboxes {
  /** What is known of messages besides their flags. */
  readonly messages: MessageCache;
  /** In the order in which they were last let go. */
  private readonly open = new Map<string, Open>();
  private readonly opening = new Map<string, Promise<Open | undefined>>();
  /** Account and name → what they stood for last. */
  private readonly names = new Map<string, string>();

  constructor(
    private readonly store: MailboxStore,
    private readonly trouble: (error: unknown) => void,
  ) {
    this.messages = new MessageCache(store);
  }

  /** Up to date when it resolves. Each one is to be given back by `release`. @returns undefined when there is no such mailbox. */
  async acquire(id: string): Promise<LiveMailbox | undefined> {
    const known = this.open.get(id);
    // What somebody else is reading may have been read before something that the caller knows of.
    const joined = this.opening.has(id);
    const open = known ?? (await this.first(id));
    if (!open) return undefined;
    open.users++;
    open.unwatch ??= this.watch(open.box);
    try {
      if (known || joined) await open.box.refresh();
    } catch (error) {
      this.release(open.box);
      throw error;
    }
    if (!open.box.gone) return open.box;
    this.release(open.box);
    return undefined;
  }

  /**
   * The mailbox that the name stood for when it was last selected, to be given back if it turns out to be another now.
   * @returns undefined when that is not known. Never rejects: what is in the way shows when the mailbox itself is acquired.
   */
  acquireNamed(account: string, name: string): Promise<LiveMailbox | undefined> | undefined {
    const id = this.names.get(`${account} ${name}`);
    return id === undefined ? undefined : this.acquire(id).catch(() => undefined);
  }

  named(account: string, name: string, id: string): void {
    const key = `${account} ${name}`;
    if (this.names.get(key) === id) return;
    this.names.set(key, id);
    const [oldest] = this.names.keys();
    if (this.names.size > KEPT_NAMES && oldest !== undefined) this.names.delete(oldest);
  }

  release(box: LiveMailbox): void {
    const open = this.open.get(box.id);
    if (open?.box !== box || --open.users > 0) return;
    open.unwatch?.();
    open.unwatch = undefined;
    this.open.delete(box.id);
    if (box.gone) return;
    this.open.set(box.id, open);
    this.forget();
  }

  private first(id: string): Promise<Open | undefined> {
    const under = this.opening.get(id);
    if (under) return under;
    const opening = this.read(id).finally(() => this.opening.delete(id));
    this.opening.set(id, opening);
    return opening;
  }

  private async read(id: string): Promise<Open | undefined> {
    const snapshot = await this.store.snapshot(id);
    if (!snapshot) return undefined;
    const open: Open = { box: new LiveMailbox(id, this.store, snapshot), users: 0, unwatch: undefined };
    this.open.set(id, open);
    return open;
  }

  private watch(box: LiveMailbox): () => void {
    return this.store.watch(box.id, () => void box.hinted().catch(this.trouble));
  }

  private forget(): void {
    let mailboxes = 0;
    let messages = 0;
    for (const { users, box } of this.open.values()) {
      if (users > 0) continue;
      mailboxes++;
      messages += box.count;
    }
    for (const [id, { users, box }] of this.open) {
      if (mailboxes <= KEPT_MAILBOXES && messages <= KEPT_MESSAGES) return;
      if (users > 0) continue;
      this.open.delete(id);
      mailboxes--;
      messages -= box.count;
    }
  }
}
