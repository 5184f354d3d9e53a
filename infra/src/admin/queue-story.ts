import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import type { QueueItem, QueueQueries } from './queue.js';

/** What happened to recipients on other servers, and where they stand. */
export interface QueueStory {
  readonly messageId: string;
  /** Those that are in the queue; at most 1,000. */
  readonly items: readonly QueueItem[];
  /** Oldest first; at most the newest 5,000. About one recipient only, if one was asked for. */
  readonly events: readonly Recorded[];
}

const MOST_ITEMS = 1_000;
const MOST_EVENTS = 5_000;

export class QueueStories {
  constructor(
    private readonly queue: Pick<QueueQueries, 'list'>,
    private readonly engine: Pick<Engine, 'store'>,
  ) {}

  /**
   * Where a message's recipients stand and what happened to them, also when they have left the queue.
   * @param address only this one, as it waits or as it was accepted; what happened before it took another's place counts as its own.
   * @throws Refusal `no-such-message` when it never had recipients elsewhere, `unknown-recipient` when this was none.
   */
  async of(messageId: string, address?: string): Promise<QueueStory> {
    const id = messageId.trim().toUpperCase();
    const { events } = await this.engine.store.read(messageStream(id));
    if (events.length === 0) throw new Refusal('no-such-message', messageId.slice(0, 100));
    const names = address === undefined ? undefined : namesOf(address, events);
    const about = names ? events.flatMap((event) => aboutOnly(event, names)) : events;
    if (address !== undefined && !about.some((e) => e.type !== 'MessageSubmitted')) throw new Refusal('unknown-recipient', address.slice(0, 320));
    const { items } = await this.queue.list({ messageId: id, recipient: address, limit: MOST_ITEMS });
    return { messageId: id, items, events: about.slice(-MOST_EVENTS) };
  }
}

const fold = (address: string): string => address.toLowerCase();

/** What this recipient was and is called: its address, those it was changed from, and those that its aliases led to. */
function namesOf(address: string, events: readonly Recorded[]): ReadonlySet<string> {
  const names = new Set([fold(address)]);
  for (const { type, data } of events.toReversed()) {
    if (type === 'RecipientChanged') {
      const { address: from, to } = data as QueueFact<'RecipientChanged'>;
      if (names.has(fold(to))) names.add(fold(from));
    } else if (type === 'MessageQueued')
      for (const queued of (data as QueueFact<'MessageQueued'>).recipients) if (names.has(fold(queued.recipient))) names.add(fold(queued.address));
  }
  return names;
}

interface Named { readonly address: string; readonly recipient?: string }
interface Lists { readonly results?: readonly Named[]; readonly recipients?: readonly Named[] }
interface Names { readonly address?: string; readonly to?: string; readonly addresses?: readonly string[] }

/** The event as far as it is about these; [] when it is not. */
function aboutOnly(event: Recorded, names: ReadonlySet<string>): readonly Recorded[] {
  if (event.type === 'MessageSubmitted') return [event];
  const is = (name: string | undefined): boolean => name !== undefined && names.has(fold(name));
  const { results, recipients } = event.data as Lists;
  const list = results ?? recipients;
  if (list !== undefined) {
    const its = list.filter((one) => is(one.address));
    return its.length === 0 ? [] : [{ ...event, data: { ...(event.data as object), [results ? 'results' : 'recipients']: its } }];
  }
  const { address, to, addresses = [] } = event.data as Names;
  return is(address) || is(to) || addresses.some(is) ? [event] : [];
}
