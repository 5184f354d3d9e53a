import { type DeliveryEvent, messageStream } from '@kiroku/domain/delivery/delivery.js';
import { expand, type Expansion } from '@kiroku/domain/delivery/expand.js';
import type { Slice } from '@kiroku/domain/kernel/event-log.js';
import { type Append, type CheckpointMove, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Fact, Recorded } from '@kiroku/domain/kernel/event.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import type { Directory } from '@kiroku/domain/mail/directory-port.js';
import type { MessageAccepted } from '@kiroku/domain/mail/events.js';
import { appendMessage, type Incoming, type MailboxEvent, type MailboxHead, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { LRUCache } from 'lru-cache';

export const DELIVERY = 'delivery';
/** Envelope recipients per transaction: bounds its size and its time. */
const MOST_RECIPIENTS = 4_000;
const ATTEMPTS = 8;

interface Place { readonly version: number; readonly head: MailboxHead }
type Accepted = Recorded<'MessageAccepted', MessageAccepted['data']>;
interface Work {
  readonly slice: Slice;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A counter for the outside; see apps/delivery/src/main.ts. */
export interface DeliveryMetrics {
  delivered(messages: number): void;
}

/**
 * From accepted to in the mailbox. Slices of all partitions that wait go into one append over all the mailboxes concerned, in
 * one transaction with the partitions' checkpoints: each message is delivered exactly once, whatever stops and whenever.
 * Bodies are not touched: a mailbox entry names the body and carries its own prefix (Return-Path, Delivered-To).
 */
export class LocalDelivery {
  readonly #heads = new LRUCache<string, Place>({ max: 50_000 });
  #waiting: Work[] = [];
  #running = false;

  constructor(
    private readonly engine: Engine,
    private readonly directory: Directory,
    private readonly metrics: DeliveryMetrics = { delivered: () => undefined },
  ) {}

  start = (topic: Slice['topic'], partition: number): Promise<number> => this.engine.store.checkpoint(DELIVERY, topic, partition);

  /** Resolves when the slice is delivered and its checkpoint stored. @throws CheckpointMoved when another process has the partition. */
  handle = (slice: Slice): Promise<void> =>
    new Promise((resolve, reject) => {
      this.#waiting.push({ slice, resolve, reject });
      if (!this.#running) void this.#run();
    });

  async #run(): Promise<void> {
    this.#running = true;
    // A turn later: slices that other partitions bring in this turn go along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      await this.#deliver(batch).then(
        () => batch.forEach((w) => w.resolve()),
        (error: unknown) => {
          this.#heads.clear(); // the outcome may be unknown
          // One partition taken over by another process must not hold the others up: they are read again and come alone.
          batch.forEach((w) => w.reject(error));
        },
      );
    }
    this.#running = false;
  }

  #take(): readonly Work[] {
    let recipients = 0;
    let n = 0;
    for (const { slice } of this.#waiting) {
      recipients += slice.events.reduce((sum, { event }) => sum + (isAccepted(event) ? event.data.recipients.length : 0), 0);
      if (n > 0 && recipients > MOST_RECIPIENTS) break;
      n++;
    }
    return this.#waiting.splice(0, n);
  }

  async #deliver(batch: readonly Work[]): Promise<void> {
    const accepted = batch.flatMap(({ slice }) => slice.events.map((p) => p.event).filter(isAccepted));
    const checkpoints = batch.map(({ slice }): CheckpointMove => ({
      consumer: DELIVERY, topic: slice.topic, partition: slice.partition, from: slice.from, to: slice.next,
    }));
    const expansions = await expand(accepted.map((a) => a.data.recipients.map((r) => r.address)), (addresses) => this.directory.lookup(addresses));
    for (let attempt = 1; ; attempt++) {
      const appends = await this.#appends(accepted, expansions);
      try {
        await this.engine.store.append(appends.map((a) => a.append), checkpoints);
        for (const { append, head } of appends)
          if (head) this.#heads.set(append.stream, { version: append.expected + append.events.length, head });
        this.metrics.delivered(accepted.length);
        return;
      } catch (error) {
        // Somebody expunged or appended meanwhile: read the heads of those mailboxes again.
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
        for (const stream of error.streams) this.#heads.delete(stream);
      }
    }
  }

  async #appends(accepted: readonly Accepted[], expansions: readonly Expansion[]): Promise<readonly { append: Append; head?: MailboxHead }[]> {
    const places = await this.#places(expansions.flatMap((e) => e.local.map((l) => l.account.inbox)));
    const mailboxes = new Map<string, { expected: number; head: MailboxHead; events: Recorded[] }>();
    const others: { append: Append }[] = [];
    accepted.forEach((message, i) => {
      const expansion = expansions[i] as Expansion;
      const outcomes: DeliveryEvent[] = [];
      for (const local of expansion.local) {
        const { account } = local;
        const place = places.get(mailboxStream(account.inbox));
        if (!place) {
          outcomes.push(bounced(message, local.recipient, local.deliveredTo, local.via, 'mailbox-gone'));
          continue;
        }
        const box = mailboxes.get(account.inbox) ?? { expected: place.version, head: place.head, events: [] };
        mailboxes.set(account.inbox, box);
        const overQuota = account.quota > 0 && box.head.bytes >= account.quota;
        const event = appendMessage(account.inbox, box.head, incoming(message, local, overQuota));
        box.head = event.data.head;
        box.events.push(...this.#record(message, [event]));
      }
      for (const { recipient, address, via } of expansion.remote) outcomes.push(routed(message, recipient, address, via));
      for (const { recipient, address, via, reason } of expansion.failures) outcomes.push(bounced(message, recipient, address, via, reason));
      if (outcomes.length > 0)
        others.push({ append: { stream: messageStream(message.data.messageId), expected: 0, events: this.#record(message, outcomes) } });
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

const isAccepted = (event: Recorded): event is Accepted => event.type === 'MessageAccepted';

type Local = Expansion['local'][number];

function incoming({ data, at }: Accepted, { recipient, deliveredTo, via }: Local, overQuota: boolean): Incoming {
  const prefix = `Return-Path: <${data.sender}>\r\nDelivered-To: ${deliveredTo}\r\n${data.trace}`;
  return {
    messageId: data.messageId, sha256: data.sha256, bodySize: data.size, ...(data.at !== undefined && { at: data.at }),
    prefix, size: utf8Length(prefix) + data.size, receivedAt: at, recipient, via, deliveredTo,
    ...(data.smtputf8 && { smtputf8: true as const }), ...(overQuota && { overQuota: true as const }),
  };
}

const utf8Length = (text: string): number => Buffer.byteLength(text, 'utf8');

function routed({ data }: Accepted, recipient: string, address: string, via: readonly string[]): DeliveryEvent {
  const { notify, orcpt } = data.recipients.find((r) => r.address === recipient) ?? {};
  return {
    type: 'RecipientRouted',
    data: { messageId: data.messageId, recipient, address, via, route: 'remote', ...(notify && { notify }), ...(orcpt !== undefined && { orcpt }) },
  };
}

/** What a server would have said at RCPT, had it known then. */
const REPLIES: Readonly<Record<string, string>> = {
  unknown: '550 5.1.1 User unknown',
  disabled: '550 5.2.1 Mailbox disabled',
  loop: '554 5.4.6 Alias loop',
  'too-many': '554 5.4.6 Alias expands to too many addresses',
  'mailbox-gone': '550 5.1.1 User unknown',
};

const bounced = ({ data }: Accepted, recipient: string, address: string, via: readonly string[], rule: string): DeliveryEvent => ({
  type: 'RecipientBounced',
  data: { messageId: data.messageId, recipient, address, via, rule, reply: REPLIES[rule] ?? '554 5.0.0 Undeliverable' },
});
