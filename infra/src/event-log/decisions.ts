import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { upcast, type Upgrades } from '@kiroku/domain/kernel/upcast.js';
import type pg from 'pg';

/** Bytes that one read may take from the disk, as they lie there: compressed to a fifth or so. */
export const READ_SIZE = 2 << 20;

interface StoredRow { readonly position: number; readonly count: number; readonly stream: string; readonly version: number; readonly events: string }

/** The topic `decision` of every event log: the event store's own rows, read at their positions. */
export class Decisions {
  constructor(
    private readonly pool: pg.Pool,
    private readonly upgrades: Upgrades,
  ) {}

  async head(): Promise<number> {
    const { rows } = await this.pool.query<{ next: number }>(`SELECT next FROM history.head WHERE topic = 'decision' AND partition = 0`);
    return (rows[0] as { next: number }).next;
  }

  async read(from: number, limit: number, types?: ReadonlySet<string>, ahead?: (next: number) => void): Promise<readonly Positioned[]> {
    const found = await this.#rows(from, limit, types, ahead);
    if (found.length > 0) return found;
    const { rows } = await this.pool.query<{ position: number | null }>('SELECT min(position) AS position FROM history.decision WHERE position >= $1', [from]);
    const kept = rows[0]?.position ?? undefined;
    return kept === undefined ? [] : this.#rows(kept, limit, types, ahead);
  }

  async #rows(from: number, limit: number, types?: ReadonlySet<string>, ahead?: (next: number) => void): Promise<readonly Positioned[]> {
    const { rows } = await this.pool.query<StoredRow>({
      name: 'read-decisions',
      text: `SELECT position, count, stream, version, events FROM (
               SELECT position, count, stream, version, events, sum(pg_column_size(events)) OVER (ORDER BY position) - pg_column_size(events) AS before
               FROM history.decision
               WHERE position >= coalesce((SELECT max(position) FROM history.decision WHERE position <= $1), 0)
                 AND position + count > $1 AND position < $2) r
             WHERE before < $3 AND (before = 0 OR position + count <= $2 OR NOT $4) ORDER BY position`,
      values: [from, from + limit, READ_SIZE, ahead !== undefined],
    });
    tell(rows, from + limit, ahead);
    const mentioned = types && mentionOf(types);
    const events: Positioned[] = [];
    for (const row of mentioned ? rows.filter((r, i) => i === rows.length - 1 || mentioned.test(r.events)) : rows)
      for (const event of this.#eventsOf(row)) if (event.position >= from && events.length < limit) events.push(event);
    return events;
  }

  async at(positions: readonly number[]): Promise<readonly Positioned[]> {
    if (positions.length === 0) return [];
    const wanted = new Set(positions);
    const { rows } = await this.pool.query<StoredRow>({
      name: 'at-decision',
      text: `SELECT DISTINCT ON (r.position) r.* FROM unnest($1::bigint[]) AS p(position) CROSS JOIN LATERAL (
               SELECT position, stream, version, events, count FROM history.decision d WHERE position <= p.position ORDER BY position DESC LIMIT 1) r
             WHERE p.position < r.position + r.count ORDER BY r.position`,
      values: [positions],
    });
    return rows.flatMap((row) => this.#eventsOf(row).filter((e) => wanted.has(e.position)));
  }

  #eventsOf({ position, stream, version, events }: StoredRow): readonly Positioned[] {
    return (JSON.parse(events) as readonly Recorded[]).map((e, i) => ({ position: position + i, key: stream, version: version + i, event: upcast(e, this.upgrades) }));
  }
}

/** Where the page ends that these rows are. */
export function tell(rows: readonly { readonly position: number; readonly count: number }[], end: number, ahead?: (next: number) => void): void {
  const last = rows.at(-1);
  if (last) ahead?.(Math.min(last.position + last.count, end));
}

/** Finds every event of these types in a row's text, as `JSON.stringify` wrote it; and now and then a value that only looks like one. Types are words. */
const mentionOf = (types: ReadonlySet<string>): RegExp => new RegExp(`"type":"(?:${[...types].join('|')})"`);
