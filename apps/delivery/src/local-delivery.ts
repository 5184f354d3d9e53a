import { type DeliveryEvent, messageStream } from '@kiroku/domain/delivery/delivery.js';
import { expand, type Expansion } from '@kiroku/domain/delivery/expand.js';
import type { Slice } from '@kiroku/domain/kernel/event-log.js';
import { type Append, type CheckpointMove, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Fact, Recorded } from '@kiroku/domain/kernel/event.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import type { Directory } from '@kiroku/domain/mail/directory-port.js';
import { type MailboxEvent, type MailboxHead, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { LRUCache } from 'lru-cache';
import { bounced, entered, incoming, routed } from './outcomes.js';
import { type Accepted, first, fitting, type Piece, pieceOf, type Work } from './pieces.js';

export const DELIVERY = 'delivery';
/** Messages whose aliases are followed at once: few at first, more while the fan-out is small. */
const FIRST_REACH = 64;
const LAST_REACH = 2_000;
/** Other delivery processes and POP3 sessions write the same mailboxes. */
const ATTEMPTS = 25;
/** ms */
const LINGER = 3;

interface Place { readonly version: number; readonly head: MailboxHead }

/** A counter for the outside; see apps/delivery/src/main.ts. */
export interface DeliveryMetrics {
  delivered(messages: number): void;
}

/**
 * From accepted to in the mailbox. What waits in all partitions goes into one append over all the mailboxes concerned, in
 * one transaction with the partitions' checkpoints: each message is delivered exactly once, whatever stops and whenever.
 * Bodies are not touched: a mailbox entry names the body and carries its own prefix (Return-Path, Delivered-To).
 */
export class LocalDelivery {
  readonly #heads = new LRUCache<string, Place>({ max: 50_000 });
  readonly #waiting = new Set<Work>();
  #running = false;
  #reach = FIRST_REACH;

  constructor(
    private readonly engine: Engine,
    private readonly directory: Directory,
    private readonly metrics: DeliveryMetrics = { delivered: () => undefined },
  ) {}

  start = (topic: Slice['topic'], partition: number): Promise<number> => this.engine.store.checkpoint(DELIVERY, topic, partition);

  /**
   * Resolves when the slice is delivered and its checkpoint stored; the first part of it may be when this rejects.
   * @throws CheckpointMoved when another process has the partition.
   */
  handle = (slice: Slice): Promise<void> =>
    new Promise((resolve, reject) => {
      this.#waiting.add({ slice, done: 0, position: slice.from, resolve, reject });
      if (!this.#running) void this.#run();
    });

  async #run(): Promise<void> {
    this.#running = true;
    // Slices that other partitions are about to bring go along; from then on the partitions keep step.
    await new Promise((resolve) => setTimeout(resolve, LINGER));
    while (this.#waiting.size > 0) await this.#settle(this.#next());
    this.#running = false;
  }

  /** The next messages of all slices that wait, oldest first, as many as may be looked at together. */
  #next(): readonly Piece[] {
    const pieces: Piece[] = [];
    let room = this.#reach;
    for (const work of this.#waiting) {
      if (room <= 0) break;
      const piece = pieceOf(work, room);
      pieces.push(piece);
      room -= piece.messages.length;
    }
    return pieces;
  }

  async #settle(pieces: readonly Piece[]): Promise<void> {
    try {
      for (const { work, end, to } of await this.#deliver(pieces)) {
        work.done = end;
        work.position = to;
        if (end === work.slice.events.length) this.#end(work).resolve();
      }
    } catch (error) {
      this.#heads.clear(); // the outcome may be unknown
      // A partition that another process has taken over, or that cannot go on, holds no other up. What had been written in spite
      // of the failure is not written again: its checkpoint has moved.
      if (pieces.length > 1) for (const piece of pieces) await this.#settle([piece]);
      else for (const { work } of pieces) this.#end(work).reject(error);
    }
  }

  #end(work: Work): Work {
    this.#waiting.delete(work);
    return work;
  }

  /** @returns what was delivered: all, or the first part when the fan-out was large. */
  async #deliver(pieces: readonly Piece[]): Promise<readonly Piece[]> {
    const all = pieces.flatMap((p) => p.messages);
    const everyone = await expand(all.map((a) => a.data.recipients.map((r) => r.address)), (addresses) => this.directory.lookup(addresses));
    const count = fitting(everyone);
    this.#reach = count < all.length ? Math.max(1, count) : Math.min(LAST_REACH, Math.max(this.#reach, 2 * all.length));
    const taken = first(pieces, count);
    const [messages, expansions] = [all.slice(0, count), everyone.slice(0, count)];
    const checkpoints = taken.map(({ work, to }): CheckpointMove => ({
      consumer: DELIVERY, topic: work.slice.topic, partition: work.slice.partition, from: work.position, to,
    }));
    const decided = new Set<string>();
    for (let attempt = 1; ; attempt++) {
      const appends = await this.#appends(messages, expansions, decided);
      try {
        await this.engine.store.append(appends.map((a) => a.append), checkpoints);
        for (const { append, head } of appends)
          if (head) this.#heads.set(append.stream, { version: append.expected + append.events.length, head });
        this.metrics.delivered(messages.length);
        return taken;
      } catch (error) {
        // Somebody expunged or appended meanwhile: read the heads of those mailboxes again. A message's own stream exists when
        // the message has been here before: another process has the partition (then the checkpoint says so), or it was logged twice.
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
        for (const stream of error.streams) {
          this.#heads.delete(stream);
          decided.add(stream);
        }
      }
    }
  }

  /** @param decided streams of messages that are done: nothing is delivered for them again. Other streams in it mean nothing. */
  async #appends(messages: readonly Accepted[], expansions: readonly Expansion[], decided: ReadonlySet<string>): Promise<readonly { append: Append; head?: MailboxHead }[]> {
    const places = await this.#places(expansions.flatMap((e) => e.local.map((l) => l.account.inbox)));
    const mailboxes = new Map<string, { expected: number; head: MailboxHead; events: Recorded[] }>();
    const others: { append: Append }[] = [];
    const seen = new Set(decided);
    messages.forEach((message, i) => {
      const stream = messageStream(message.data.messageId);
      if (seen.has(stream)) return;
      seen.add(stream);
      const expansion = expansions[i] as Expansion;
      const outcomes: DeliveryEvent[] = [];
      for (const local of expansion.local) {
        const { account, recipient, deliveredTo, via } = local;
        const place = places.get(mailboxStream(account.inbox));
        const box = mailboxes.get(account.inbox) ?? (place && { expected: place.version, head: place.head, events: [] });
        const event = box && entered(account.inbox, box.head, incoming(message, local, account.quota > 0 && box.head.bytes >= account.quota));
        if (box === undefined || event === undefined) {
          outcomes.push(bounced(message, recipient, deliveredTo, via, box === undefined ? 'mailbox-gone' : 'mailbox-used-up'));
          continue;
        }
        mailboxes.set(account.inbox, box);
        box.head = event.data.head;
        box.events.push(...this.#record(message, [event]));
      }
      const asked = new Map(message.data.recipients.map((r) => [r.address, r]));
      for (const { recipient, address, via } of expansion.remote) outcomes.push(routed(message, recipient, address, via, asked.get(recipient)));
      for (const { recipient, address, via, reason } of expansion.failures) outcomes.push(bounced(message, recipient, address, via, reason));
      if (outcomes.length > 0) others.push({ append: { stream, expected: 0, events: this.#record(message, outcomes) } });
    });
    const boxes = [...mailboxes].map(([id, { expected, head, events }]) => ({ append: { stream: mailboxStream(id), expected, events }, head }));
    return [...boxes, ...others];
  }

  #record(message: Accepted, facts: readonly Fact[]): readonly Recorded[] {
    return record(facts, this.engine, { actor: 'system:delivery', correlation: message.data.messageId, causation: message.id }, {});
  }

  /** Versions and heads of mailboxes: from memory where this process appended last (the store refuses if that is stale), else one read for all. */
  async #places(mailboxIds: readonly string[]): Promise<ReadonlyMap<string, Place>> {
    const streams = [...new Set(mailboxIds.map(mailboxStream))];
    const known = new Map<string, Place>();
    for (const stream of streams) {
      const place = this.#heads.get(stream);
      if (place) known.set(stream, place);
    }
    const missing = streams.filter((s) => !known.has(s));
    if (missing.length > 0)
      for (const [stream, { version, event }] of await this.engine.store.readLast(missing)) {
        if (event.type !== 'MailboxDeleted') known.set(stream, { version, head: (event as unknown as MailboxEvent).data.head });
      }
    return known;
  }
}
