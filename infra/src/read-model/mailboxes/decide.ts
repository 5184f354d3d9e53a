import type { Origin } from '@kiroku/domain/kernel/event.js';
import { type Append, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { type MailboxEvent, type MailboxHead, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';

/** A mailbox that much mail is being delivered to moves on all the time; a lost race costs about a millisecond. */
const ATTEMPTS = 1_000;
/** ms. Facts are not older when they are decided upon: the sweep of bodies counts on it. */
const FRESH = 10_000;

/** Where a mailbox stood when something was read from it. */
export interface Stand {
  readonly uidNext: number;
  readonly highestModSeq: number;
}

/** What was read for a decision, and where the mailboxes stood whose present content matters to it. */
export interface Facts {
  readonly stands: ReadonlyMap<string, Stand>;
}

/** Mailboxes by id: their new events. Written in this order. */
export interface Decided<Result> {
  readonly events: ReadonlyMap<string, readonly MailboxEvent[]>;
  readonly result: Result;
}

/**
 * Decides against the streams of some mailboxes and appends. The heads and the facts are read side by side; mail that came in since
 * changes nothing about what was there, so after a race with a delivery only the head is read again.
 * @param mailboxes all that events are for; they must exist.
 * @throws MailboxRefusal `nonexistent`
 */
export async function decideMailboxes<F extends Facts, Result>(
  engine: Engine,
  mailboxes: readonly string[],
  read: () => Promise<F>,
  decide: (heads: ReadonlyMap<string, MailboxHead>, facts: F) => Decided<Result>,
  origin: Origin,
): Promise<Result> {
  const [firstPlaces, firstFacts] = await Promise.all([placesOf(engine, mailboxes), read()]);
  let places = firstPlaces;
  let facts: F = firstFacts;
  let readAt = performance.now();
  for (let attempt = 1; ; attempt++) {
    if (stale(places, facts) || performance.now() - readAt > FRESH) {
      if (attempt >= ATTEMPTS) throw new VersionConflict(mailboxes.map(mailboxStream));
      // One after the other: then the facts cannot be older than the heads.
      places = await placesOf(engine, mailboxes);
      readAt = performance.now();
      facts = await read();
      continue;
    }
    const heads = new Map([...places].map(([id, { head }]) => [id, head]));
    const { events, result } = decide(heads, facts);
    const appends = [...events].flatMap(([id, its]): readonly Append[] =>
      its.length === 0 ? [] : [{ stream: mailboxStream(id), expected: places.get(id)?.version ?? 0, events: record(its, engine, origin, {}) }]);
    if (appends.length === 0) return result;
    try {
      await engine.store.append(appends);
      return result;
    } catch (error) {
      if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
      places = await placesOf(engine, mailboxes);
    }
  }
}

export type Places = ReadonlyMap<string, { readonly version: number; readonly head: MailboxHead }>;

/** @throws MailboxRefusal `nonexistent` */
export async function placesOf(engine: Engine, mailboxes: readonly string[]): Promise<Places> {
  const last = await engine.store.readLast([...new Set(mailboxes)].map(mailboxStream));
  return new Map(
    mailboxes.map((id) => {
      const found = last.get(mailboxStream(id));
      if (!found || found.event.type === 'MailboxDeleted') throw new MailboxRefusal('nonexistent', id);
      return [id, { version: found.version, head: (found.event as unknown as MailboxEvent).data.head }];
    }),
  );
}

/** Has anything but an append happened between the two? See `MailboxHead.highestModSeq`. */
function stale(places: Places, { stands }: Facts): boolean {
  for (const [id, stand] of stands) {
    const head = places.get(id)?.head;
    if (head && head.highestModSeq - head.uidNext !== stand.highestModSeq - stand.uidNext) return true;
  }
  return false;
}
