import { type EventLog, partitionOf, type Topic } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { type Outcome, outcomesOf } from '@kiroku/domain/story/outcomes.js';
import type { StoryEvent } from '@kiroku/domain/story/texts.js';
import { positionsOf } from '@kiroku/domain/story/views.js';
import { inOrder } from '@kiroku/domain/story/words.js';
import type pg from 'pg';
import type { Reports } from '../postgres/replica.js';
import { base32 } from '../ids/ids.js';
import { type Page, pageOf, type PageQuery } from './page.js';

export const MESSAGE_STATES = ['refused', 'pending', 'quarantined', 'discarded', 'bounced', 'queued', 'delivered'] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

export interface MessageInfo {
  /** Queue id. */
  readonly id: string;
  /** Message-ID field without angle brackets. */
  readonly headerMessageId: string | null;
  readonly sender: string | null;
  readonly recipients: readonly string[];
  readonly size: number | null;
  readonly sha256: string | null;
  readonly session: string | null;
  /** Epoch ms. */
  readonly acceptedAt: number | null;
  readonly refusedAt: number | null;
  /** The rule that refused it. */
  readonly refusedBy: string | null;
  /** How many mailboxes it is in, recipients on other servers, of those delivered there, and recipients given up. */
  readonly delivered: number;
  readonly remote: number;
  readonly sent: number;
  readonly bounced: number;
  /** The most important of them: `pending` means accepted and nothing more known, `queued` that a recipient waits for another server. */
  readonly state: MessageState;
}

export interface MessageFilter extends PageQuery {
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly state?: MessageState | undefined;
  /** Epoch ms, inclusive; of acceptance or refusal. */
  readonly since?: number | undefined;
  /** Epoch ms, exclusive. */
  readonly until?: number | undefined;
}

export interface Story {
  /** Queue ids: a Message-ID can belong to several messages. */
  readonly messages: readonly string[];
  /** Oldest first. */
  readonly events: readonly Recorded[];
  readonly outcomes: readonly Outcome[];
  /** No accepted recipient is without an outcome. */
  readonly complete: boolean;
}

interface MessageRow {
  readonly message_id: string; readonly header_message_id: string | null; readonly session: string | null; readonly sender: string | null;
  readonly recipients: string | null; readonly size: number | null; readonly sha256: string | null; readonly accepted_at: number | null;
  readonly refused_at: number | null; readonly refused_by: string | null; readonly delivered: number; readonly remote: number;
  readonly sent: number; readonly bounced: number; readonly facts: string; readonly decisions: string; readonly state: MessageState;
}

const STATE = `CASE WHEN refused_at IS NOT NULL THEN 'refused' WHEN EXISTS (SELECT FROM view.quarantine_1 x WHERE x.message_id = m.message_id) THEN 'quarantined' WHEN bounced > 0 THEN 'bounced'
  WHEN EXISTS (SELECT FROM view.queue_1 q WHERE q.message_id = m.message_id) THEN 'queued' WHEN delivered + sent > 0 THEN 'delivered'
  WHEN EXISTS (SELECT FROM view.admin_action_1 a WHERE a.subject = m.message_id AND a.type = 'QuarantineDiscarded') THEN 'discarded' ELSE 'pending' END`;
const COLUMNS = `message_id, header_message_id, session, sender, recipients, size, encode(sha256, 'hex') AS sha256, accepted_at, refused_at,
  refused_by, delivered, remote, sent, bounced, facts, decisions, ${STATE} AS state`;
/** ms from MAIL to the end of data, at most: the default of `sessionTime`. A queue id is made at MAIL. */
const LONGEST_TRANSACTION = 24 * 60 * 60_000;
/** Messages that one Message-ID may name, and events of one story. */
const MOST_MESSAGES = 100;
const MOST_EVENTS = 50_000;
/** ms after which nothing of a session is on its way any more. */
const RECENT = 60_000;
/** With one of these the reception of a message, or a session, is over. */
const ENDED = ['MessageAccepted', 'MessageRefused', 'MessageSubmitted', 'SessionClosed'];
/** What of a session belongs to the stories of its messages. */
const BEFORE_MESSAGE = ['SessionOpened', 'TlsStarted', 'LoginSucceeded'];

/** What became of mail, from the views `message_2` and `session_1`, which say where in the log its events lie. They follow the log: what was just accepted may not be in them yet. */
export class MessageQueries {
  constructor(
    private readonly pool: pg.Pool,
    private readonly log: Pick<EventLog, 'at' | 'partitions'>,
    private readonly reports: Reports = pool,
    private readonly now: () => number = Date.now,
  ) {}

  /** Newest first. A report. */
  async list({ after, limit, sender, recipient, state, since, until }: MessageFilter): Promise<Page<MessageInfo>> {
    const values: unknown[] = [];
    const the = (value: unknown): string => `$${values.push(value)}`;
    const where = [
      after !== undefined && `message_id < ${the(after)}`,
      sender !== undefined && `lower(sender) = lower(${the(sender)})`,
      recipient !== undefined && `lower(recipients)::jsonb ? lower(${the(recipient)})`,
      state !== undefined && `${STATE} = ${the(state)}`,
      // Queue ids sort by time, so the primary key bounds the search; the exact times are compared too.
      since !== undefined && `message_id >= ${the(base32(Math.max(0, since - LONGEST_TRANSACTION), 9))} AND coalesce(accepted_at, refused_at) >= ${the(since)}`,
      until !== undefined && `message_id < ${the(base32(until, 9))} AND coalesce(accepted_at, refused_at) < ${the(until)}`,
    ].filter((condition) => condition !== false);
    const { rows } = await this.reports.query<MessageRow>(
      `SELECT ${COLUMNS} FROM view.message_2 m ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}
       ORDER BY message_id DESC LIMIT ${the(limit + 1)}`, values);
    return pageOf(rows, limit, infoOf, (row) => row.message_id);
  }

  /** @param id queue id or Message-ID. */
  async get(id: string): Promise<MessageInfo | undefined> {
    const [row] = await this.#named(id);
    return row && infoOf(row);
  }

  /**
   * Everything that happened to a message, with what its session did before it.
   * @param id queue id, Message-ID with or without angle brackets, or a session's id.
   * @param wait ms to wait for the views to catch up, until every recipient has an outcome.
   * @returns undefined when nothing is known by that name.
   */
  async story(id: string, wait: number, signal?: AbortSignal): Promise<Story | undefined> {
    const end = performance.now() + wait;
    for (let pause = 25; ; pause = Math.min(pause * 2, 250)) {
      const story = await this.#story(id);
      const left = end - performance.now();
      if ((story?.complete && this.#caughtUp(story)) || left <= 0 || signal?.aborted) return story;
      await new Promise((resolve) => setTimeout(resolve, Math.min(pause, left)));
    }
  }

  async #story(id: string): Promise<Story | undefined> {
    const messages = await this.#named(id);
    const own = messages.length > 0 ? await this.#eventsOf(messages) : await this.#session([bare(id)]);
    if (own.length === 0) return undefined;
    const last = new Map<string, number>();
    for (const { at, data } of own) {
      const { session } = data as { session?: unknown };
      if (typeof session === 'string') last.set(session, Math.max(last.get(session) ?? 0, at));
    }
    const before = (await this.#session([...last.keys()])).filter((e) => BEFORE_MESSAGE.includes(e.type) && e.at <= (last.get(e.correlation) ?? 0));
    const events = inOrder([...new Map([...before, ...own].map((e) => [e.id, e])).values()]);
    const outcomes = outcomesOf(events);
    // Delivery decides after acceptance: without an acceptance or a refusal yet, the log's mail lane is still on its way.
    const ended = events.some((e) => ENDED.includes(e.type));
    return { messages: messages.map((m) => m.message_id), events, outcomes, complete: ended && outcomes.every((o) => o.ends.length > 0) };
  }

  /** Sessions travel on a lane of their own: what is known to have gone before an accepted message may still be on its way. */
  #caughtUp({ events }: Story): boolean {
    const has = (type: string): boolean => events.some((e) => e.type === type);
    const last = events.at(-1);
    if (last && this.now() - last.at > RECENT) return true; // its session may be past its retention
    return (events as readonly unknown[] as readonly StoryEvent[]).every(
      (e) => e.type !== 'MessageAccepted' || (has('SessionOpened') && (e.data.login === undefined || has('LoginSucceeded'))),
    );
  }

  async #named(id: string): Promise<readonly MessageRow[]> {
    const { rows } = await this.pool.query<MessageRow>({
      name: 'message-named',
      text: `SELECT ${COLUMNS} FROM view.message_2 m WHERE message_id = $1 OR header_message_id = $2 ORDER BY message_id DESC LIMIT ${MOST_MESSAGES}`,
      values: [bare(id).toUpperCase(), bare(id)],
    });
    return rows;
  }

  async #eventsOf(messages: readonly MessageRow[]): Promise<readonly Recorded[]> {
    const places = messages.flatMap(({ message_id, facts, decisions }) => [
      ...positionsOf(facts).map((position) => ({ topic: 'mail' as const, partition: partitionOf(message_id, this.log.partitions('mail')), position })),
      ...positionsOf(decisions).map((position) => ({ topic: 'decision' as const, partition: 0, position })),
    ]);
    return this.#at(places);
  }

  /** The facts of sessions, as far as they are kept. */
  async #session(ids: readonly string[]): Promise<readonly Recorded[]> {
    if (ids.length === 0) return [];
    const { rows } = await this.pool.query<{ session: string; facts: string }>({
      name: 'sessions-named', text: 'SELECT session, facts FROM view.session_1 WHERE session = ANY($1)', values: [ids],
    });
    return this.#at(rows.flatMap(({ session, facts }) =>
      positionsOf(facts).map((position) => ({ topic: 'session' as const, partition: partitionOf(session, this.log.partitions('session')), position }))));
  }

  async #at(places: readonly Place[]): Promise<readonly Recorded[]> {
    const partitions = Map.groupBy(places.slice(0, MOST_EVENTS), ({ topic, partition }) => `${topic}/${partition}`);
    const found = await Promise.all([...partitions.values()].map((some) => {
      const { topic, partition } = some[0] as Place;
      return this.log.at(topic, partition, some.map((p) => p.position));
    }));
    return found.flat().map((e) => e.event);
  }
}

interface Place { readonly topic: Topic; readonly partition: number; readonly position: number }

const bare = (id: string): string => id.trim().replace(/^<(.*)>$/, '$1');

const infoOf = (row: MessageRow): MessageInfo => ({
  id: row.message_id, headerMessageId: row.header_message_id, sender: row.sender, recipients: JSON.parse(row.recipients ?? '[]') as readonly string[],
  size: row.size, sha256: row.sha256, session: row.session, acceptedAt: row.accepted_at, refusedAt: row.refused_at, refusedBy: row.refused_by,
  delivered: row.delivered, remote: row.remote, sent: row.sent, bounced: row.bounced, state: row.state,
});
