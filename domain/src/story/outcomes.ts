import type { AttemptResult } from '../delivery/queue-events.js';
import type { Recorded } from '../kernel/event.js';
import { hasUid, parseUids, type UidRange } from '../mailbox/uid-set.js';
import type { StoryEvent } from './texts.js';

/** Where one envelope recipient's mail ended, one entry per way that its aliases led to. */
export interface Outcome {
  readonly recipient: string;
  readonly ends: readonly End[];
}

/** What the last attempt at a recipient on another server came to. */
export interface LastTry {
  readonly attempts: number;
  readonly host?: string;
  readonly reply: string;
}

export type End = { readonly address: string; readonly via: readonly string[] } & (
  | { readonly kind: 'mailbox'; readonly mailbox: string; readonly uid: number; readonly removed: boolean }
  /** Waits for another server. `nextAt`: epoch ms, absent before the first attempt. */
  | { readonly kind: 'waiting'; readonly last?: LastTry; readonly nextAt?: number; readonly why?: string }
  | { readonly kind: 'held'; readonly reason: string; readonly last?: LastTry }
  /** Another server took it over; `at` epoch ms. */
  | { readonly kind: 'sent'; readonly host?: string; readonly at: number; readonly reply: string }
  | { readonly kind: 'failed'; readonly rule: string; readonly reply: string }
  /** Tried until the schedule allowed no more. */
  | { readonly kind: 'expired'; readonly rule: string; readonly reply: string }
  /** Taken out of the queue by people. */
  | { readonly kind: 'removed'; readonly reason: string }
  /** Given up by people before it was delivered anywhere: the whole message, which was set aside. `address` is the recipient's. */
  | { readonly kind: 'discarded'; readonly reason: string }
);

/** What became of each recipient of an accepted (or here written) message, in envelope order; [] when the events hold no such. */
export function outcomesOf(events: readonly Recorded[]): readonly Outcome[] {
  const story = events as unknown as readonly (StoryEvent & { readonly at: number })[];
  const found = new Ends();
  for (const event of story) found.tell(event);
  return found.outcomes();
}

/** Ways by recipient, filled in as the story goes on. */
class Ends {
  readonly #recipients = new Set<string>();
  readonly #ends = new Map<string, { readonly recipient: string; end: End }>();
  readonly #attempts = new Map<string, number>();
  /** A copy may be removed before the story, by time, tells of its delivery. */
  readonly #expunged = new Set<string>();
  #discarded: string | undefined;
  readonly #ranges: { readonly mailboxId: string; readonly ranges: readonly UidRange[] }[] = [];

  tell(event: StoryEvent & { readonly at: number }): void {
    switch (event.type) {
      case 'MessageAccepted':
        for (const { address } of event.data.recipients) this.#recipients.add(address);
        return;
      case 'MessageSubmitted':
        for (const address of event.data.recipients) this.#recipients.add(address);
        return;
      case 'MessageAppended': {
        const { recipient, deliveredTo, via, head, mailboxId, uid } = event.data;
        const copy = `${mailboxId} ${uid}`;
        this.#ends.set(`mailbox ${copy}`, { recipient, end: { kind: 'mailbox', address: deliveredTo, via, mailbox: head.name, uid, removed: this.#isGone(mailboxId, uid) } });
        return;
      }
      case 'MessageExpunged': {
        const copy = `${event.data.mailboxId} ${event.data.uid}`;
        this.#remove(copy);
        return;
      }
      case 'MessagesExpunged': {
        const { mailboxId, uids } = event.data;
        this.#ranges.push({ mailboxId, ranges: parseUids(uids) });
        for (const name of this.#ends.keys()) {
          const [kind, mailbox, uid] = name.split(' ');
          if (kind === 'mailbox' && mailbox === mailboxId && hasUid(parseUids(uids), Number(uid))) this.#remove(`${mailbox} ${uid}`);
        }
        return;
      }
      case 'QuarantineDiscarded':
        this.#discarded = event.data.reason;
        return;
      default:
        this.#queue(event);
    }
  }

  #remove(copy: string): void {
    this.#expunged.add(copy);
    this.#change(`mailbox ${copy}`, (end) => (end.kind === 'mailbox' ? { ...end, removed: true } : end));
  }

  #isGone(mailboxId: string, uid: number): boolean {
    return this.#expunged.has(`${mailboxId} ${uid}`) || this.#ranges.some((r) => r.mailboxId === mailboxId && hasUid(r.ranges, uid));
  }

  #queue(event: StoryEvent & { readonly at: number }): void {
    switch (event.type) {
      case 'RecipientRouted':
        return this.#wait(event.data);
      case 'MessageQueued':
        return event.data.recipients.forEach((recipient) => this.#wait(recipient));
      case 'DeliveryAttempted':
        return event.data.results.forEach((result) => this.#attempted(result, event.data.host, event.at));
      case 'RecipientHeld':
        return this.#change(event.data.address, (end) => ({ ...ground(end), kind: 'held', reason: event.data.reason, ...lastOf(end) }));
      case 'RecipientReleased':
      case 'RetryRequested':
      case 'RecipientRerouted':
        return this.#change(event.data.address, (end) => {
          const held = event.type === 'RecipientRerouted' && end.kind === 'held';
          return held ? end : { ...ground(end), kind: 'waiting', ...lastOf(end), nextAt: event.at };
        });
      case 'RecipientChanged': {
        const { address, to, recipient, held, reason } = event.data;
        this.#ends.delete(address);
        this.#ends.set(to, { recipient: recipient.recipient, end: { address: to, via: recipient.via, ...(held ? { kind: 'held', reason } : { kind: 'waiting', nextAt: event.at }) } });
        return;
      }
      case 'RecipientBounced': {
        const { recipient, address, via, rule, reply } = event.data;
        // Two recipients here may fail at the same address behind their aliases; one that was queued fails in its place.
        const name = this.#ends.get(address)?.recipient === recipient ? address : `failed ${recipient} ${address}`;
        this.#ends.set(name, { recipient, end: { kind: 'failed', address, via, rule, reply } });
        return;
      }
      case 'RecipientExpired': {
        const { rule, reply } = event.data;
        return this.#change(event.data.address, (end) => ({ ...ground(end), kind: 'expired', rule, reply }));
      }
      case 'RecipientRemoved':
        return this.#change(event.data.address, (end) => ({ ...ground(end), kind: 'removed', reason: event.data.reason }));
      default:
        return;
    }
  }

  #wait({ recipient, address, via }: { readonly recipient: string; readonly address: string; readonly via: readonly string[] }): void {
    this.#ends.set(address, { recipient, end: { kind: 'waiting', address, via } });
  }

  #attempted({ address, outcome, reply, nextAt, why }: AttemptResult, host: string | undefined, at: number): void {
    const attempts = (this.#attempts.get(address) ?? 0) + 1;
    this.#attempts.set(address, attempts);
    this.#change(address, (end): End => {
      if (outcome === 'delivered') return { ...ground(end), kind: 'sent', ...(host !== undefined && { host }), at, reply };
      const last = { attempts, ...(host !== undefined && { host }), reply };
      if (end.kind === 'held') return { ...end, last };
      // What people ended while it was being tried stays ended.
      if (end.kind !== 'waiting') return end;
      return { ...ground(end), kind: 'waiting', last, ...(nextAt !== undefined && { nextAt }), ...(why !== undefined && { why }) };
    });
  }

  #change(name: string, change: (end: End) => End): void {
    const there = this.#ends.get(name);
    if (there) there.end = change(there.end);
  }

  outcomes(): readonly Outcome[] {
    const ways = new Map<string, End[]>([...this.#recipients].map((recipient) => [recipient, []]));
    if (ways.size === 0) return [];
    for (const { recipient, end } of this.#ends.values()) ways.set(recipient, [...(ways.get(recipient) ?? []), end]);
    return [...ways].map(([recipient, ends]) => ({ recipient, ends: ends.length === 0 && this.#discarded !== undefined ? [discarded(recipient, this.#discarded)] : ends }));
  }
}

const discarded = (address: string, reason: string): End => ({ kind: 'discarded', address, via: [], reason });
const ground = ({ address, via }: End): { readonly address: string; readonly via: readonly string[] } => ({ address, via });
const lastOf = (end: End): { readonly last?: LastTry } => ('last' in end && end.last !== undefined ? { last: end.last } : {});
