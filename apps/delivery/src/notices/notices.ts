import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueEvent } from '@kiroku/domain/delivery/queue-events.js';
import { type Append, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import { MOST_LISTED } from '@kiroku/domain/notice/compose.js';
import { atMost } from '@kiroku/infra/cache/bound.js';
import type { NoticeGroup, OwedNotices } from '@kiroku/infra/read-model/notices.js';
import { LRUCache } from 'lru-cache';
import { copyId, type Draft, Drafts } from './draft.js';
import { nameOf, type NoticeSettings, type SubmitMessage } from './ports.js';

/** ms: how often the view is asked, and how long a group must not have grown, at most how long it is waited for. */
const EVERY = 1_000;
const QUIET = 2_000;
const LONGEST_WAIT = 60_000;
/** Groups of a round, and groups at a time: each may hold the data of a thousand recipients. */
const ROUND = 256;
const TOGETHER = 16;
const ATTEMPTS = 5;
/** ms before a report that could not be written is tried again; doubles. */
const FIRST_PAUSE = 10_000;
const LONGEST_PAUSE = 600_000;
const HOUR = 3_600_000;

/** Where the reports owed stand; see PostgresNotices. */
export interface NoticeRows {
  due(quietSince: number, lateSince: number, limit: number, not?: readonly NoticeGroup[]): Promise<readonly NoticeGroup[]>;
  read(groups: readonly NoticeGroup[], most: number): Promise<readonly OwedNotices[]>;
}

export interface NoticesParts {
  readonly engine: Engine;
  readonly rows: NoticeRows;
  readonly bodies: ObjectStore;
  readonly submit: SubmitMessage;
  /** As set now. */
  readonly settings: () => NoticeSettings;
  /** Whether reports are this process's to write. Two at work at once are slower, not wrong: the append decides. */
  readonly owns?: () => boolean;
  readonly trouble: (error: unknown) => void;
  /** For boundaries; see NoticeInput. */
  readonly chance?: () => string;
}

/**
 * Sends the reports that senders are owed (RFC 3461, RFC 3464): one per message and fate. The body is stored first; then one append
 * says in the stream of the original that the report is on its way and puts the report on its way. It is made at the version that the rows
 * were read at, so whatever stops and whenever, no report is lost and none is sent twice.
 */
export class Notices {
  readonly #drafts: Drafts;
  readonly #sent = new LRUCache<string, { readonly since: number; count: number }>(atMost(100_000));
  /** Groups that failed: when they come up again (epoch ms), and the pause that was. */
  readonly #failed = new LRUCache<string, { readonly group: NoticeGroup; readonly again: number; readonly pause: number }>({ max: 1_000 });
  #running: Promise<void> | undefined;
  #stopped = false;
  #wake: () => void = () => undefined;

  constructor(private readonly parts: NoticesParts) {
    this.#drafts = new Drafts(parts.engine, parts.bodies, parts.settings, parts.chance);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Something may be due: looks at once instead of within a second. */
  readonly hint = (): void => this.#wake();

  /** Resolves when nothing is being written any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const more = this.parts.owns?.() === false ? false : await this.round().catch((error: unknown) => {
        this.parts.trouble(error);
        return false;
      });
      if (!more && !this.#stopped) await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, EVERY);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Writes what is due now. @returns whether there may be more. */
  async round(): Promise<boolean> {
    const { rows, engine } = this.parts;
    const now = engine.clock.now();
    const not = [...this.#failed.values()].filter((f) => f.again > now).map((f) => f.group);
    const groups = await rows.due(now - QUIET, now - LONGEST_WAIT, ROUND, not);
    for (let start = 0; start < groups.length && !this.#stopped; start += TOGETHER) await this.#settle(groups.slice(start, start + TOGETHER));
    return groups.length === ROUND;
  }

  async #settle(groups: readonly NoticeGroup[]): Promise<void> {
    const owed = await this.#read(groups);
    await Promise.all(owed.map(async ([group, version]) => {
      try {
        await this.#send(group, version);
        this.#failed.delete(nameOf(group));
      } catch (error) {
        this.#postpone(group);
        this.parts.trouble(error);
      }
    }));
  }

  /** With the version that each stream had before its rows were read: an append at that version proves that nothing changed since. */
  async #read(groups: readonly NoticeGroup[]): Promise<readonly (readonly [OwedNotices, number])[]> {
    const last = await this.parts.engine.store.readLast([...new Set(groups.map((g) => messageStream(g.messageId)))]);
    const owed = await this.parts.rows.read(groups, MOST_LISTED);
    return owed.map((group) => [group, last.get(messageStream(group.messageId))?.version ?? 0] as const);
  }

  #postpone({ messageId, kind }: NoticeGroup): void {
    const pause = Math.min(LONGEST_PAUSE, 2 * (this.#failed.get(nameOf({ messageId, kind }))?.pause ?? FIRST_PAUSE / 2));
    this.#failed.set(nameOf({ messageId, kind }), { group: { messageId, kind }, again: this.parts.engine.clock.now() + pause, pause });
  }

  async #send(first: OwedNotices, firstVersion: number): Promise<void> {
    const sender = first.notices[0].message.sender;
    // Reports about reports never end (RFC 5321 §6.1).
    if (sender === '') return this.#settleAt(first, firstVersion, 'the message has the null sender');
    const counter = this.#counterOf(first);
    const { perHour } = this.parts.settings();
    if (counter && counter.count >= perHour) return this.#settleAt(first, firstVersion, `more than ${perHour} reports an hour to this address`);
    if (counter) counter.count++;
    try {
      await this.#settleAt(first, firstVersion, undefined);
    } catch (error) {
      if (counter) counter.count--;
      throw error;
    }
  }

  /** @param none why there is no report; undefined when there is one. */
  async #settleAt(first: OwedNotices, firstVersion: number, none: string | undefined): Promise<void> {
    let draft: Draft | undefined;
    for (let [owed, version, attempt] = [first, firstVersion, 1]; ; attempt++) {
      if (none === undefined) draft ??= await this.#draft(owed);
      try {
        if (draft) await this.parts.submit(draft.notice, [this.#sentOf(owed, version, { noticeId: draft.notice.messageId })]);
        else await this.parts.engine.store.append([this.#sentOf(owed, version, { why: none ?? '' })]);
        return;
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
      }
      const [again] = await this.#read([owed]);
      if (again === undefined) return; // somebody else was faster
      if (again[0].addresses.join() !== owed.addresses.join()) draft = undefined;
      [owed, version] = again;
    }
  }

  /** The copy goes first; after a crash in between its stream says that it has gone. */
  async #draft(owed: OwedNotices): Promise<Draft> {
    const draft = await this.#drafts.draft(owed, !(await this.#copied(owed)));
    if (draft.copy) await this.parts.submit(draft.copy, []);
    return draft;
  }

  async #copied(owed: OwedNotices): Promise<boolean> {
    if (owed.kind !== 'failed' || this.parts.settings().postmasterCopy.length === 0) return true;
    const stream = messageStream(copyId(owed));
    return (await this.parts.engine.store.readLast([stream])).has(stream);
  }

  #sentOf({ messageId, kind, addresses }: OwedNotices, expected: number, outcome: { readonly noticeId: string } | { readonly why: string }): Append {
    const fact: QueueEvent = { type: 'NoticeSent', data: { messageId, kind, addresses, ...outcome } };
    return { stream: messageStream(messageId), expected, events: record([fact], this.parts.engine, { actor: 'system:notices', correlation: messageId }, {}) };
  }

  /** Of this hour's reports to that sender; undefined where there is no limit. Counted by each process for itself. */
  #counterOf({ notices: [{ message }] }: OwedNotices): { count: number } | undefined {
    if (this.parts.settings().perHour === 0 || message.login !== undefined) return undefined;
    const now = this.parts.engine.clock.now();
    const address = canonical(message.sender) ?? message.sender;
    const seen = this.#sent.get(address);
    if (seen && now - seen.since < HOUR) return seen;
    const fresh = { since: now, count: 0 };
    this.#sent.set(address, fresh);
    return fresh;
  }
}
