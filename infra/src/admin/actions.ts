import type { Recorded } from '@kiroku/domain/kernel/event.js';
import type { EventStore } from '@kiroku/domain/kernel/event-store.js';
import { type AdminAction, reasonOf, subjectOf, withoutSecrets } from '@kiroku/domain/story/admin-actions.js';
import type { Reports } from '../postgres/replica.js';
import { type Page, pageOf, type PageQuery } from './page.js';

/** One thing that an administrator did. */
export interface ActionInfo {
  readonly id: string;
  /** Epoch ms. */
  readonly at: number;
  /** `admin:<name>`. */
  readonly actor: string;
  readonly type: AdminAction;
  /** What it was about: an address, a domain, a queue id, names of settings … */
  readonly subject: string;
  /** In the administrator's own words, where the action asks for them. */
  readonly reason?: string;
  /** Id of the request: what was done in one go has the same. */
  readonly request: string;
  /** The event's data, without what is sealed or hashed. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface ActionFilter extends PageQuery {
  /** A name, with or without `admin:`. */
  readonly actor?: string | undefined;
  /** The whole subject, in any case. */
  readonly subject?: string | undefined;
  readonly type?: string | undefined;
  /** Epoch ms: from; before. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

interface Row { readonly id: string; readonly stream: string; readonly version: number }

/** What administrators did, newest first: the view says where it lies, and the history what it was. */
export class ActionQueries {
  constructor(
    private readonly reports: Reports,
    private readonly store: Pick<EventStore, 'read'>,
  ) {}

  async list({ after, limit, actor, subject, type, since, until }: ActionFilter): Promise<Page<ActionInfo>> {
    const values: unknown[] = [];
    const the = (value: unknown): string => `$${values.push(value)}`;
    const where = [
      after !== undefined && `id < ${the(after)}`,
      actor !== undefined && `actor = ${the(actor.startsWith('admin:') ? actor : `admin:${actor}`)}`,
      // Queue ids are upper case, all else lower case.
      subject !== undefined && `subject = ANY (${the([subject, subject.toLowerCase(), subject.toUpperCase()])})`,
      type !== undefined && `type = ${the(type)}`,
      since !== undefined && `at >= ${the(since)}`,
      until !== undefined && `at < ${the(until)}`,
    ].filter((condition) => condition !== false);
    const { rows } = await this.reports.query<Row>(
      `SELECT id, stream, version FROM view.admin_action_1 ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY id DESC LIMIT ${the(limit + 1)}`, values);
    const page = pageOf(rows, limit, (row) => row, (row) => row.id);
    const events = await this.#events(page.items);
    const items = page.items.flatMap(({ id }): readonly ActionInfo[] => {
      const event = events.get(id);
      if (!event) return [];
      const reason = reasonOf(event);
      return [{
        id, at: event.at, actor: event.actor, type: event.type as AdminAction, subject: subjectOf(event), ...(reason !== undefined && { reason }), request: event.correlation,
        data: withoutSecrets(event.data),
      }];
    });
    return { ...page, items };
  }

  /** By id. One read per stream, from the oldest event that is wanted on: streams of administrators are short. */
  async #events(rows: readonly Row[]): Promise<ReadonlyMap<string, Recorded>> {
    const streams = Map.groupBy(rows, (row) => row.stream);
    const found = await Promise.all([...streams].map(async ([stream, its]) => (await this.store.read(stream, Math.min(...its.map((row) => row.version)) - 1)).events));
    return new Map(found.flat().map((event) => [event.id, event]));
  }
}
