import type { DeliveryEvent } from '@kiroku/domain/delivery/delivery.js';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { Expansion } from '@kiroku/domain/delivery/expand.js';
import { failedNotice, queued, successNotices } from '@kiroku/domain/delivery/notices.js';
import { DEFAULT_PRIORITY, priorityFor, type PrioritySettings } from '@kiroku/domain/delivery/priority.js';
import type { QueuedMessage, QueueEvent } from '@kiroku/domain/delivery/queue-events.js';
import { destinationOf } from '@kiroku/domain/delivery/queue-view.js';
import type { Append } from '@kiroku/domain/kernel/event-store.js';
import type { Fact, Recorded } from '@kiroku/domain/kernel/event.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import type { EnvelopeRecipient } from '@kiroku/domain/mail/events.js';
import { type MailboxEvent, type MailboxHead, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { atMost } from '@kiroku/infra/cache/bound.js';
import { LRUCache } from 'lru-cache';
import { bounced, entered, incoming } from './outcomes.js';

interface Place { readonly version: number; readonly head: MailboxHead }

/** A message to be placed: accepted from outside, or written by this server. */
export interface Mail {
  readonly messageId: string;
  readonly message: QueuedMessage;
  readonly recipients: readonly EnvelopeRecipient[];
  /** Event that it comes from. */
  readonly causation?: string;
  /** Goes into the message's stream before what becomes of its recipients. */
  readonly first?: Fact;
}

/** An append, and for a mailbox the head it has afterwards. */
export interface Placed {
  readonly append: Append;
  readonly head?: MailboxHead;
}

/**
 * Turns messages whose aliases are followed into appends: entries into mailboxes here, one event into the queue for recipients on
 * other servers, failures, and the reports that the sender is owed about them. Bodies are not touched: a mailbox entry names the
 * body and carries its own prefix (Return-Path, Delivered-To).
 */
export class Placement {
  readonly #heads = new LRUCache<string, Place>(atMost(50_000));

  /** @param priorities as set now: who goes first of what waits for other servers. */
  constructor(
    private readonly engine: Engine,
    private readonly priorities: () => PrioritySettings = () => DEFAULT_PRIORITY,
  ) {}

  /** @param decided streams of messages that are done: nothing is appended for them again. Other streams in it mean nothing. */
  async appends(mails: readonly Mail[], expansions: readonly Expansion[], decided: ReadonlySet<string> = new Set()): Promise<readonly Placed[]> {
    const places = await this.#places(expansions.flatMap((e) => e.local.map((l) => l.account.inbox)));
    const mailboxes = new Map<string, { expected: number; head: MailboxHead; events: Recorded[] }>();
    const others: Placed[] = [];
    const seen = new Set(decided);
    mails.forEach((mail, i) => {
      const stream = messageStream(mail.messageId);
      if (seen.has(stream)) return;
      seen.add(stream);
      const expansion = expansions[i] as Expansion;
      const begun = mail.first ? this.#record(mail, [mail.first]) : []; // ids tell the order of a story
      const failed = [...expansion.failures.map(({ recipient, address, via, reason }) => bounced(mail, recipient, address, via, reason))];
      const local = expansion.local.filter((one) => {
        const { account, recipient, deliveredTo, via } = one;
        const place = places.get(mailboxStream(account.inbox));
        const box = mailboxes.get(account.inbox) ?? (place && { expected: place.version, head: place.head, events: [] });
        const event = box && entered(account.inbox, box.head, incoming(mail, one, account.quota > 0 && box.head.bytes >= account.quota));
        if (box === undefined || event === undefined) {
          failed.push(bounced(mail, recipient, deliveredTo, via, box === undefined ? 'mailbox-gone' : 'mailbox-used-up'));
          return false;
        }
        mailboxes.set(account.inbox, box);
        box.head = event.data.head;
        box.events.push(...this.#record(mail, [event]));
        return true;
      });
      const facts = outcomesOf(mail, { ...expansion, local }, failed, this.priorities());
      const events = [...begun, ...this.#record(mail, facts)];
      if (events.length > 0) others.push({ append: { stream, expected: 0, events } });
    });
    const boxes = [...mailboxes].map(([id, { expected, head, events }]) => ({ append: { stream: mailboxStream(id), expected, events }, head }));
    return [...boxes, ...others];
  }

  /** After the append: mailboxes stand where this process left them. */
  appended(placed: readonly Placed[]): void {
    for (const { append, head } of placed) if (head) this.#heads.set(append.stream, { version: append.expected + append.events.length, head });
  }

  /** After a conflict: these have moved. */
  forget(streams: readonly string[]): void {
    for (const stream of streams) this.#heads.delete(stream);
  }

  /** After an append of unknown outcome. */
  forgetAll(): void {
    this.#heads.clear();
  }

  #record({ messageId, causation }: Mail, facts: readonly Fact[]): readonly Recorded[] {
    return record(facts, this.engine, { actor: 'system:delivery', correlation: messageId, ...(causation !== undefined && { causation }) }, {});
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

/** The queue's event comes last: its rows then know the stream's version. */
function outcomesOf({ messageId, message, recipients }: Mail, expansion: Expansion, failed: readonly DeliveryEvent[], priorities: PrioritySettings): readonly Fact[] {
  const facts: (DeliveryEvent | QueueEvent)[] = [];
  for (const failure of failed) {
    facts.push(failure);
    if (failure.type === 'RecipientBounced') facts.push(...failedNotice(messageId, message, recipients, failure.data));
  }
  facts.push(...successNotices(messageId, message, recipients, expansion));
  const waiting = queued(messageId, message, recipients, expansion, (address) => priorityFor(priorities, message, destinationOf(address)));
  return waiting ? [...facts, waiting] : facts;
}
