import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import { queueAggregate, type QueueCommand, queueDecider, type QueueRefusal } from '@kiroku/domain/delivery/queue.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, execute } from '@kiroku/domain/kernel/execute.js';
import { formatAddress, parseAddress } from '@kiroku/domain/mail/address.js';
import type pg from 'pg';
import { places, type QueueQueries, type QueueTotal, whereOf } from './queue.js';
import { conditionsOf, isEverything, type Place, type QueueFilter } from './queue-filter.js';

export const QUEUE_VERBS = ['hold', 'release', 'retry', 'bounce', 'remove', 'reroute', 'priority'] as const;
export type QueueVerb = (typeof QUEUE_VERBS)[number];

/** What is to be done, and why. */
export interface QueueOrder {
  readonly verb: QueueVerb;
  /** In the administrator's words: for the story. */
  readonly reason: string;
  /** Of `reroute`: `host:port`, '' = as usual again. */
  readonly route?: string | undefined;
  /** Of `priority`: lower first. */
  readonly priority?: number | undefined;
}

/** What was done to a message, atomically. */
export interface QueueChanged {
  readonly messageId: string;
  readonly addresses: readonly string[];
}

export interface QueueResult extends RecipientName {
  readonly result: 'done' | 'would' | 'refused';
  readonly reason?: QueueRefusal | 'conflict';
}
export interface QueueTally {
  readonly total: number;
  /** In a dry run: that would be. */
  readonly done: number;
  readonly refused: number;
  readonly dryRun: boolean;
}
export type QueueLine = QueueResult | { readonly done: number; readonly total: number } | { readonly summary: QueueTally };

interface RecipientName { readonly messageId: string; readonly address: string }

/** Recipients per page, messages decided at the same time (their appends share transactions), tries against the scheduler's appends. */
const PAGE = 500;
const TOGETHER = 50;
const ATTEMPTS = 20;
const TYPES = { hold: 'Hold', release: 'Release', retry: 'Retry', bounce: 'Bounce', remove: 'Remove' } as const;

/** What people do to the queue. Every change is an event with its reason and with them as its actor. */
export class QueueCommands {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
    private readonly queue: Pick<QueueQueries, 'ask' | 'count'>,
  ) {}

  /**
   * Some recipients of one message: all of them or none.
   * @param addresses without it those of the message for which the order means something.
   * @throws Refusal<QueueRefusal>
   */
  async apply(order: QueueOrder, messageId: string, addresses: readonly string[] | undefined, origin: Origin): Promise<QueueChanged> {
    const id = messageId.trim().toUpperCase();
    const facts = await this.#execute(commandOf(order, id, addresses && (await this.#asQueued(id, addresses))), origin);
    return { messageId: id, addresses: [...new Set(facts.flatMap(({ data }) => ('address' in data ? [data.address] : [])))] };
  }

  /** Another address in a recipient's place. @throws Refusal<QueueRefusal>, Refusal `local-address`: the queue leads elsewhere only. */
  async change(messageId: string, { address, to, reason }: { readonly address: string; readonly to: string; readonly reason: string }, origin: Origin): Promise<QueueChanged> {
    const id = messageId.trim().toUpperCase();
    const parsed = parseAddress(to);
    if (parsed) {
      const { rows } = await this.pool.query<{ local: boolean }>({ name: 'is-local', text: 'SELECT EXISTS (SELECT FROM view.domain_1 WHERE name = $1) AS local', values: [parsed.domain] });
      if (rows[0]?.local) throw new Refusal('local-address', to.slice(0, 320));
    }
    const [queued = address] = await this.#asQueued(id, [address]);
    const next = parsed ? formatAddress(parsed) : to;
    await this.#execute({ type: 'Change', messageId: id, address: queued, to: next, reason }, origin);
    return { messageId: id, addresses: [next] };
  }

  /** How much an order would be about. */
  count(order: Pick<QueueOrder, 'verb' | 'route' | 'priority'>, filter: QueueFilter): Promise<QueueTotal> {
    return this.queue.count(filter, (the) => meant(order, the));
  }

  /**
   * All recipients that fit and for which the order means something, of those in the queue when it begins; a result for each as soon as
   * it is settled. Recipients of one message are settled together. What was reported stands if it ends early.
   * @param all needed when the filter names nothing.
   * @throws Refusal `nothing-chosen`, `bad-reason`, `bad-route`, `bad-priority`, before the first result.
   */
  async *applyToAll(order: QueueOrder, filter: QueueFilter, { all, dryRun }: { readonly all: boolean; readonly dryRun: boolean }, origin: Origin): AsyncGenerator<QueueLine> {
    if (isEverything(filter) && !all) throw new Refusal('nothing-chosen');
    queueDecider.decide(commandOf(order, '', []), queueDecider.initial); // nothing is begun that no recipient could take
    const last = await this.#last();
    const settle = async (its: readonly RecipientName[]): Promise<readonly QueueResult[]> =>
      dryRun ? its.map((name) => ({ ...name, result: 'would' })) : this.#settle(order, its, origin);
    let { recipients: total } = await this.count(order, filter);
    const tally = { done: 0, refused: 0 };
    yield { done: 0, total };
    let after: RecipientName = { messageId: '', address: '' };
    for (let done = 0; last !== undefined; ) {
      const page = await this.#page(order, filter, after, last);
      const end = page.at(-1)?.at(-1);
      if (!end) break;
      after = end;
      for (let i = 0; i < page.length; i += TOGETHER) {
        const settled = await Promise.all(page.slice(i, i + TOGETHER).map(settle));
        for (const result of settled.flat()) {
          tally[result.result === 'refused' ? 'refused' : 'done']++;
          done++;
          yield result;
        }
      }
      total = Math.max(total, done);
      yield { done, total };
    }
    yield { summary: { total: tally.done + tally.refused, ...tally, dryRun } };
  }

  /** The next recipients, by message; of no message only a part. */
  async #page(order: QueueOrder, filter: QueueFilter, after: RecipientName, last: string): Promise<readonly (readonly RecipientName[])[]> {
    const read = (bounds: (the: Place) => readonly string[], limit: string): Promise<readonly RecipientName[]> => {
      const { values, the } = places();
      const where = whereOf([...conditionsOf(filter, the), ...meant(order, the), ...bounds(the)]);
      return this.queue.ask(`SELECT q.message_id AS "messageId", q.address FROM view.queue_1 q ${where} ORDER BY q.message_id, q.address ${limit}`, values);
    };
    const rows = await read((the) => [`(q.message_id, q.address) > (${the(after.messageId)}, ${the(after.address)})`, `q.message_id <= ${the(last)}`], `LIMIT ${PAGE}`);
    const end = rows.length === PAGE ? rows.at(-1) : undefined;
    const rest = end ? await read((the) => [`q.message_id = ${the(end.messageId)}`, `q.address > ${the(end.address)}`], '') : [];
    return [...Map.groupBy([...rows, ...rest], (row) => row.messageId).values()];
  }

  async #last(): Promise<string | undefined> {
    const { rows } = await this.pool.query<{ last: string | null }>({ name: 'queue-last', text: 'SELECT max(message_id) AS last FROM view.queue_1' });
    return rows[0]?.last ?? undefined;
  }

  /** Recipients of one message: together, or each by itself when one of them is refused. */
  async #settle(order: QueueOrder, its: readonly RecipientName[], origin: Origin): Promise<readonly QueueResult[]> {
    const [first] = its;
    if (!first) return [];
    try {
      await this.#execute(commandOf(order, first.messageId, its.map((one) => one.address)), origin);
      return its.map((name) => ({ ...name, result: 'done' }));
    } catch (error) {
      const reason = error instanceof Refusal ? (error.reason as QueueRefusal) : error instanceof VersionConflict ? 'conflict' : undefined;
      if (reason === undefined) throw error;
      if (its.length === 1) return [{ ...first, result: 'refused', reason }];
      const results: QueueResult[] = [];
      for (const one of its) results.push(...(await this.#settle(order, [one], origin)));
      return results;
    }
  }

  #execute(command: QueueCommand, origin: Origin) {
    return execute(this.engine, queueAggregate, messageStream(command.messageId), command, origin, ATTEMPTS);
  }

  /** Addresses as they stand in the queue; people do not remember which letters were capitals. */
  async #asQueued(messageId: string, addresses: readonly string[]): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ asked: string; address: string }>({
      name: 'queue-as-queued',
      text: `SELECT a AS asked, (SELECT q.address FROM view.queue_1 q WHERE q.message_id = $1 AND lower(q.address) = lower(a) ORDER BY q.address = a DESC LIMIT 1) AS address
             FROM unnest($2::text[]) WITH ORDINALITY AS d(a, o) ORDER BY o`,
      values: [messageId, addresses],
    });
    return rows.map(({ asked, address }) => address ?? asked);
  }
}

function commandOf({ verb, reason, route, priority }: QueueOrder, messageId: string, addresses: readonly string[] | undefined): Exclude<QueueCommand, { type: 'Change' }> {
  const several = { messageId, reason, ...(addresses && { addresses }) };
  if (verb === 'priority') {
    if (priority === undefined) throw new Refusal('bad-priority');
    return { ...several, type: 'Prioritize', priority };
  }
  if (verb !== 'reroute') return { ...several, type: TYPES[verb] };
  if (route === undefined) throw new Refusal('bad-route');
  return { ...several, type: 'Reroute', route };
}

/** Rows for which the order means something: what is held is not held again. */
function meant({ verb, route, priority }: Pick<QueueOrder, 'verb' | 'route' | 'priority'>, the: Place): readonly string[] {
  switch (verb) {
    case 'hold':
    case 'retry':
      return [`q.state = 'waiting'`];
    case 'release':
      return [`q.state = 'held'`];
    case 'bounce':
    case 'remove':
      return [`q.state <> 'unread'`];
    case 'reroute':
      return [`q.state <> 'unread'`, ...(route === undefined ? [] : [`q.route <> ${the(route)}`])];
    case 'priority':
      return [`q.state <> 'unread'`, ...(priority === undefined ? [] : [`q.priority <> ${the(priority)}`])];
  }
}
