import type { NoticeKind, QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import type pg from 'pg';

/** One report to be written: all recipients of one message that met the same fate. */
export interface NoticeGroup {
  readonly messageId: string;
  readonly kind: NoticeKind;
}

/** What a report tells. */
export interface OwedNotices extends NoticeGroup {
  /** At most as many as were asked for, in the order of their addresses. Never empty. */
  readonly notices: readonly [QueueFact<'NoticeOwed'>, ...QueueFact<'NoticeOwed'>[]];
  /** Of all recipients, also of those without data in `notices`. */
  readonly addresses: readonly string[];
}

/** Rows looked at to find what is due; a message with more of them only makes the round smaller. */
const CANDIDATES = 5_000;

/** Reports owed, from the inline view `notice_1`: true as soon as the append that owes them returned. */
export class PostgresNotices {
  constructor(private readonly pool: pg.Pool) {}

  /**
   * Groups to be written now, the longest owed first.
   * @param quietSince epoch ms: the group has not grown since then…
   * @param lateSince …or its first recipient waits longer than that: a message that fails bit by bit is not put off for ever.
   * @param not groups to leave out.
   */
  async due(quietSince: number, lateSince: number, limit: number, not: readonly NoticeGroup[] = []): Promise<readonly NoticeGroup[]> {
    const { rows } = await this.pool.query<{ message_id: string; kind: NoticeKind }>({
      name: 'due-notices',
      text: `SELECT c.message_id, c.kind FROM (
               SELECT message_id, kind, min(owed_at) AS first FROM (
                 SELECT message_id, kind, owed_at FROM view.notice_1 n
                 WHERE owed_at <= $1 AND NOT EXISTS (SELECT FROM unnest($4::text[], $5::text[]) x(message_id, kind) WHERE x.message_id = n.message_id AND x.kind = n.kind)
                 ORDER BY owed_at LIMIT ${CANDIDATES}) owed
               GROUP BY message_id, kind) c
             WHERE c.first <= $2 OR NOT EXISTS (
               SELECT FROM view.notice_1 l WHERE l.message_id = c.message_id AND l.kind = c.kind AND l.owed_at > $1)
             ORDER BY c.first LIMIT $3`,
      values: [quietSince, lateSince, limit, not.map((g) => g.messageId), not.map((g) => g.kind)],
    });
    return rows.map(({ message_id, kind }) => ({ messageId: message_id, kind }));
  }

  /** What these groups hold now; a group that has been settled meanwhile is absent. @param most recipients with all their data, per group. */
  async read(groups: readonly NoticeGroup[], most: number): Promise<readonly OwedNotices[]> {
    const { rows } = await this.pool.query<{ message_id: string; kind: NoticeKind; addresses: string[]; data: string[] }>({
      name: 'read-notices',
      text: `SELECT g.message_id, g.kind, (SELECT array_agg(n.address ORDER BY n.address COLLATE "C") FROM view.notice_1 n WHERE n.message_id = g.message_id AND n.kind = g.kind) AS addresses,
               ARRAY(SELECT n.data FROM view.notice_1 n WHERE n.message_id = g.message_id AND n.kind = g.kind ORDER BY n.address COLLATE "C" LIMIT $3) AS data
             FROM unnest($1::text[], $2::text[]) g(message_id, kind)`,
      values: [groups.map((g) => g.messageId), groups.map((g) => g.kind), most],
    });
    return rows.flatMap(({ message_id, kind, addresses, data }) => {
      const [first, ...others] = data.map((json) => JSON.parse(json) as QueueFact<'NoticeOwed'>);
      return first ? [{ messageId: message_id, kind, notices: [first, ...others] as const, addresses }] : [];
    });
  }
}
