import type pg from 'pg';
import { ANYONE, GROUP } from '@kiroku/domain/mailbox/rights.js';
import type { Hints } from '../../event-log/hints.js';
import type { Tail } from './tail.js';

/** ms between two looks; a look that takes longer than a fifth of it makes the next one wait. */
const SPACING = 10;

type Watchers = Map<string, Set<() => void>>;

/**
 * Tells who waits that something happened in a mailbox or a tree of folders, in whichever process: after a hint it looks which streams
 * have grown since the last look. Nobody waits: no look. A lost hint costs half a second.
 */
export class MailboxWatch {
  readonly #mailboxes: Watchers = new Map();
  readonly #accounts: Watchers = new Map();
  /** Owners of shared folders: who could see them at the last look. */
  readonly #shared = new Map<string, ReadonlySet<string>>();
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  /** What has grown and nobody was told of yet. */
  #grown = new Set<string>();
  #all = false;

  constructor(
    private readonly pool: pg.Pool,
    private readonly tail: Tail,
    private readonly hints: Hints,
    private readonly trouble: (error: unknown) => void,
  ) {
    tail.onGrown((grown) => {
      if (!this.#wanted) return;
      if (grown === 'all') this.#all = true;
      else for (const stream of grown.keys()) this.#grown.add(stream);
    });
  }

  mailbox(id: string, hint: () => void): () => void {
    return this.#watch(this.#mailboxes, id, hint);
  }

  account(id: string, hint: () => void): () => void {
    return this.#watch(this.#accounts, id, hint);
  }

  #watch(watchers: Watchers, id: string, hint: () => void): () => void {
    // One function may wait twice; each end ends one.
    const own = (): void => hint();
    const set = watchers.get(id) ?? new Set();
    watchers.set(id, set.add(own));
    this.#start();
    return () => {
      set.delete(own);
      if (set.size === 0 && watchers.get(id) === set) watchers.delete(id);
    };
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#wanted) this.#start();
    });
  }

  get #wanted(): boolean {
    return this.#mailboxes.size + this.#accounts.size > 0 && !this.#closing.signal.aborted;
  }

  async #run(): Promise<void> {
    // What was appended between the call of `watch` and now cannot be told apart.
    this.#all = true;
    while (this.#wanted) {
      const seen = this.hints.seen('decision', 0);
      const started = performance.now();
      try {
        await this.tail.current();
        await this.#flush();
        const took = performance.now() - started;
        await this.hints.pause(Math.max(SPACING, 5 * took) - took, this.#closing.signal);
        await this.hints.wait('decision', 0, seen, this.#closing.signal);
      } catch (error) {
        if (!this.#closing.signal.aborted) this.trouble(error);
        await this.hints.pause(500, this.#closing.signal);
      }
    }
    this.#grown.clear();
  }

  async #flush(): Promise<void> {
    const grown = this.#grown;
    this.#grown = new Set();
    if (this.#all) {
      this.#all = false;
      for (const watchers of [this.#mailboxes, this.#accounts]) for (const id of [...watchers.keys()]) tell(watchers, id);
    } else await this.#tell(grown);
  }

  async #tell(streams: ReadonlySet<string>): Promise<void> {
    const owners: string[] = [];
    let group = false;
    for (const stream of streams) {
      if (stream.startsWith('mailbox-')) tell(this.#mailboxes, stream.slice('mailbox-'.length));
      else if (stream.startsWith('folders-')) owners.push(stream.slice('folders-'.length));
      else if (stream.startsWith('account-')) owners.push(stream.slice('account-'.length));
      else if (stream.startsWith('group-')) group = true;
    }
    // Who has left is in no view any more.
    if (group) for (const id of [...this.#accounts.keys()]) tell(this.#accounts, id);
    for (const owner of owners) tell(this.#accounts, owner);
    if (owners.length > 0 && this.#accounts.size > 0) await this.#tellNeighbours(owners);
  }

  /** Those who see, or saw, folders of these owners. */
  async #tellNeighbours(owners: readonly string[]): Promise<void> {
    const { rows } = await this.pool.query<{ account_id: string; identifier: string }>({
      name: 'watch-shared', text: 'SELECT DISTINCT account_id, identifier FROM view.folder_access_1 WHERE account_id = ANY ($1::uuid[])', values: [owners],
    });
    const concerned = new Set<string>();
    for (const owner of owners) {
      const now = new Set(rows.filter((r) => r.account_id === owner).map((r) => r.identifier.replace(/^-/, '')));
      for (const identifier of [...now, ...(this.#shared.get(owner) ?? [])]) concerned.add(identifier);
      if (now.size > 0) this.#shared.set(owner, now);
      else this.#shared.delete(owner);
    }
    if (concerned.has(ANYONE)) for (const id of this.#accounts.keys()) concerned.add(id);
    else for (const id of await this.#membersOf(concerned)) concerned.add(id);
    for (const id of concerned) tell(this.#accounts, id);
  }

  async #membersOf(identifiers: ReadonlySet<string>): Promise<readonly string[]> {
    const groups = [...identifiers].filter((identifier) => identifier.startsWith(GROUP)).map((identifier) => identifier.slice(GROUP.length));
    if (groups.length === 0) return [];
    const { rows } = await this.pool.query<{ account_id: string }>({
      name: 'watch-members', text: 'SELECT account_id FROM view.group_member_1 WHERE group_id = ANY ($1::uuid[])', values: [groups],
    });
    return rows.map((row) => row.account_id);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }
}

function tell(watchers: Watchers, id: string): void {
  for (const hint of [...(watchers.get(id) ?? [])]) hint();
}
