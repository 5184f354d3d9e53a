import type { QueueRow } from '@kiroku/domain/delivery/queue-view.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import type pg from 'pg';
import { transaction } from '../read-model/database.js';
import { type Page, pageOf, type PageQuery } from './page.js';
import { conditionsOf, type Place, type QueueFilter, type QueueState } from './queue-filter.js';

/** One recipient that waits for another server. Instants are epoch ms. */
export interface QueueItem {
  readonly messageId: string;
  /** With `messageId` its name in the queue: where it is to go. */
  readonly address: string;
  /** Envelope recipient as accepted, and the aliases on the way. */
  readonly recipient: string;
  readonly via: readonly string[];
  readonly destination: string;
  /** '' is the null sender; unknown while `unread`. */
  readonly sender: string;
  /** What the other server is told instead, where it is another (SRS). */
  readonly envelopeSender: string | null;
  readonly headerMessageId: string | null;
  /** Bytes of the stored body. */
  readonly size: number;
  /** `unread`: queued by release 0.1, taken over when the delivery role next starts. */
  readonly state: QueueState;
  /** The server that it is being sent to at this moment. */
  readonly sendingTo: string | null;
  readonly acceptedAt: number;
  /** null unless it waits. */
  readonly nextAt: number | null;
  /** Why then. */
  readonly why: string | null;
  readonly attempts: number;
  readonly lastAt: number | null;
  readonly lastHost: string | null;
  readonly lastReply: string | null;
  readonly lastOutcome: string | null;
  /** `host:port` by an administrator, else ''. */
  readonly route: string;
  /** The sender has been told of the delay, or is about to be. */
  readonly delayed: boolean;
  /** Lower first. */
  readonly priority: number;
}

export interface QueueTotal {
  readonly recipients: number;
  readonly messages: number;
  /** Each message counted once. */
  readonly bytes: number;
  readonly waiting: number;
  readonly held: number;
  /** Epoch ms; null when there is none. */
  readonly oldestAt: number | null;
  readonly nextAt: number | null;
}

export interface QueuedFor extends Omit<QueueTotal, 'messages'> {
  readonly destination: string;
  /** Being sent at this moment. */
  readonly sending: number;
  /** Per recipient. */
  readonly bytes: number;
  readonly lastAt: number | null;
  readonly lastHost: string | null;
  readonly lastReply: string | null;
  /** How many are younger than 5, 10, 20 … 1280 minutes, each counted once; the last number counts the rest. */
  readonly ages: readonly number[];
}

export interface QueueSummary {
  readonly total: QueueTotal;
  /** The fullest first, as many as asked for. */
  readonly destinations: readonly QueuedFor[];
  /** How many there are. */
  readonly destinationCount: number;
}

/** `age`: oldest first, by queue id; `newest`: the other way round; `next`: by the next try, waiting ones only unless a state is named. */
export const QUEUE_ORDERS = ['age', 'newest', 'next'] as const;
export type QueueQuery = QueueFilter & PageQuery & { readonly sort?: (typeof QUEUE_ORDERS)[number] };

interface Row extends Pick<QueueRow, 'message_id' | 'address' | 'recipient' | 'via' | 'destination' | 'sender' | 'envelope_sender' | 'size' | 'state' | 'accepted_at' | 'next_at' | 'why'
  | 'attempts' | 'last_at' | 'last_host' | 'last_reply' | 'last_outcome' | 'route' | 'delayed' | 'priority'> { header_message_id: string | null; sending_to: string | null }
interface TotalRow { recipients: number; messages: number; bytes: number; waiting: number; held: number; oldest_at: number | null; next_at: number | null }
type DestinationRow = Omit<TotalRow, 'messages'> & { destination: string; sending: number; last: string | null; ages: readonly string[]; destinations: number };

const COLUMNS = `q.message_id, q.address, q.recipient, q.via, q.destination, q.sender, q.envelope_sender, q.size, q.state, q.accepted_at, q.next_at, q.why, q.attempts,
  q.last_at, q.last_host, q.last_reply, q.last_outcome, q.route, q.delayed, q.priority, q.message::json ->> 'headerMessageId' AS header_message_id, s.host AS sending_to`;
// A claim older than the last attempt on record is one that was not cleared away yet.
const ITEMS = `view.queue_1 q LEFT JOIN ops.sending s ON s.message_id = q.message_id AND s.address = q.address AND s.started_at > coalesce(q.last_at, -1)`;
const COUNTS = `count(*) FILTER (WHERE q.state = 'waiting') AS waiting, count(*) FILTER (WHERE q.state = 'held') AS held, min(q.accepted_at) AS oldest_at,
  min(q.next_at) FILTER (WHERE q.state = 'waiting') AS next_at`;
/** Minutes, as `qshape` has them. */
export const AGES = [5, 10, 20, 40, 80, 160, 320, 640, 1280] as const;
const MOST_ITEMS = 1_000;
/** ms for a look at the whole queue. */
const PATIENCE = 120_000;
/** Where the other rows' statements do well with plans made without looking at the values, a filter does not. */
const BEGIN = 'BEGIN READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan';

/** The queue as administrators see it: always as true as the last append. Reading it takes no locks and keeps nobody waiting. */
export class QueueQueries {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Pick<Engine, 'clock'>,
  ) {}

  /** @throws Refusal `bad-request` when `after` is none of ours. */
  async list({ after, limit, sort = 'age', ...filter }: QueueQuery): Promise<Page<QueueItem>> {
    const { values, the } = places();
    const where = [...conditionsOf(filter, the)];
    const byNext = sort === 'next';
    if (byNext && filter.state === undefined) where.push(`q.state = 'waiting'`);
    const key = byNext ? '(q.next_at, q.message_id, q.address)' : '(q.message_id, q.address)';
    const [down, than] = sort === 'newest' ? [' DESC', '<'] : ['', '>'];
    if (after !== undefined) where.push(`${key} ${than} (${placeOf(after, byNext).map(the).join(', ')})`);
    const rows = await this.ask<Row>(
      `SELECT ${COLUMNS} FROM ${ITEMS} ${whereOf(where)} ORDER BY ${byNext ? 'q.next_at, ' : ''}q.message_id${down}, q.address${down} LIMIT ${the(limit + 1)}`, values);
    return pageOf(rows, limit, itemOf, ({ next_at, message_id, address }) => Buffer.from(JSON.stringify([...(byNext ? [next_at] : []), message_id, address])).toString('base64url'));
  }

  /** All that fit, oldest first. Memory holds a page. */
  async *items(filter: QueueFilter): AsyncGenerator<QueueItem> {
    for (let after: string | undefined; ; ) {
      const page: Page<QueueItem> = await this.list({ ...filter, after, limit: MOST_ITEMS });
      yield* page.items;
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  /** @param also conditions beyond the filter's. */
  async count(filter: QueueFilter, also: (the: Place) => readonly string[] = () => []): Promise<QueueTotal> {
    const { values, the } = places();
    const [row] = await this.ask<TotalRow>(
      `SELECT coalesce(sum(n), 0)::bigint AS recipients, count(*) AS messages, coalesce(sum(size), 0)::bigint AS bytes, coalesce(sum(waiting), 0)::bigint AS waiting,
         coalesce(sum(held), 0)::bigint AS held, min(oldest_at) AS oldest_at, min(next_at) AS next_at
       FROM (SELECT count(*) AS n, max(q.size) AS size, ${COUNTS} FROM view.queue_1 q ${whereOf([...conditionsOf(filter, the), ...also(the)])} GROUP BY q.message_id) m`, values);
    const { oldest_at, next_at, ...rest } = row as TotalRow;
    return { ...rest, oldestAt: oldest_at, nextAt: next_at };
  }

  /** Looks at every row that fits: seconds for millions. @param limit destinations. */
  async summary(filter: QueueFilter, limit: number): Promise<QueueSummary> {
    const { values, the } = places();
    const where = whereOf(conditionsOf(filter, the));
    const now = the(this.engine.clock.now());
    const ages = [...AGES, Infinity].map((most, i) => {
      const younger = most === Infinity ? 'true' : `q.accepted_at > ${now}::bigint - ${most * 60_000}`;
      return `count(*) FILTER (WHERE ${younger}${i === 0 ? '' : ` AND q.accepted_at <= ${now}::bigint - ${(AGES[i - 1] ?? 0) * 60_000}`})`;
    });
    const rows = await this.ask<DestinationRow>(
      `SELECT d.*, coalesce(s.sending, 0) AS sending FROM (
         SELECT q.destination, count(*) AS recipients, sum(q.size)::bigint AS bytes, ${COUNTS}, ARRAY[${ages.join(', ')}]::text[] AS ages, count(*) OVER () AS destinations,
           max(lpad(q.last_at::text, 15, '0') || ' ' || coalesce(q.last_host, '') || ' ' || q.last_reply COLLATE "C") AS last
         FROM view.queue_1 q ${where} GROUP BY q.destination ORDER BY count(*) DESC, q.destination LIMIT ${the(limit)}) d
       LEFT JOIN (SELECT v.destination, count(*) AS sending FROM ops.sending c JOIN view.queue_1 v USING (message_id, address)
         WHERE c.started_at > coalesce(v.last_at, -1) GROUP BY v.destination) s ON s.destination = d.destination
       ORDER BY d.recipients DESC, d.destination`, values);
    return { total: await this.count(filter), destinations: rows.map(destinationOf), destinationCount: rows[0]?.destinations ?? 0 };
  }

  /** Rows of a statement whose values the planner is to look at. */
  async ask<R extends object>(text: string, values: unknown[]): Promise<readonly R[]> {
    const query = { text, values, query_timeout: PATIENCE };
    return transaction(this.pool, async (db) => (await db.query<R>(query)).rows, BEGIN);
  }
}

/** A statement's values, and how they get there. */
export function places(): { readonly values: unknown[]; readonly the: Place } {
  const values: unknown[] = [];
  return { values, the: (value) => `$${values.push(value)}` };
}
export const whereOf = (conditions: readonly string[]): string => (conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '');

function placeOf(after: string, byNext: boolean): readonly unknown[] {
  try {
    const place = JSON.parse(Buffer.from(after, 'base64url').toString()) as unknown;
    const types = byNext ? ['number', 'string', 'string'] : ['string', 'string'];
    if (Array.isArray(place) && place.length === types.length && place.every((part, i) => typeof part === types[i])) return place;
  } catch {
    // Said below.
  }
  throw new Refusal('bad-request', 'after: none of this list');
}

const itemOf = (row: Row): QueueItem => ({
  messageId: row.message_id, address: row.address, recipient: row.recipient, via: JSON.parse(row.via) as readonly string[], destination: row.destination,
  sender: row.sender, envelopeSender: row.envelope_sender, headerMessageId: row.header_message_id, size: row.size, state: row.state, sendingTo: row.sending_to, acceptedAt: row.accepted_at,
  nextAt: row.state === 'waiting' ? row.next_at : null, why: row.why, attempts: row.attempts, lastAt: row.last_at, lastHost: row.last_host,
  lastReply: row.last_reply, lastOutcome: row.last_outcome, route: row.route, delayed: row.delayed, priority: row.priority,
});

function destinationOf({ destination, recipients, bytes, waiting, held, sending, oldest_at, next_at, last, ages }: DestinationRow): QueuedFor {
  const [, at, host, reply] = /^(\d{15}) (\S*) (.*)$/s.exec(last ?? '') ?? [];
  return {
    destination, recipients, bytes, waiting, held, sending, oldestAt: oldest_at, nextAt: next_at,
    lastAt: at === undefined ? null : Number(at), lastHost: host || null, lastReply: reply ?? null, ages: ages.map(Number),
  };
}
