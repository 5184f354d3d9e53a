import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import type pg from 'pg';
import type { KnownRows, Pipeline, Projector } from '../read-model/projector.js';
import { inOneTrip } from './pipeline.js';

/** Events per row; a longer append to one stream takes several rows. */
const MOST_PER_ROW = 500;
/** Characters per row, unless one event alone has more: who reads the last event of a stream reads the row it is in. */
const ROW_SIZE = 256 << 10;
/** Up to so many rows go as values of their own: an array would have long texts escaped, character by character. */
const FEW = 16;

/** Consecutive events of a stream. */
export interface Run {
  readonly stream: string;
  /** The version that the stream must have; null when the run goes on where an earlier one of the same append ends. */
  readonly expected: number | null;
  /** The version before the first event. */
  readonly after: number;
  readonly events: readonly Recorded[];
}

/** A call of `append_decisions`, or of `append_decision`: the streams that have moved, or null. */
interface Appending {
  readonly name: string;
  readonly call: string;
  readonly values: unknown[];
}

/** @throws VersionConflict */
async function appendRuns(db: Pipeline, runs: readonly Run[]): Promise<void> {
  if (runs.length === 0) return;
  const { name, call, values } = appending(runs);
  const { rows } = await db.query<Conflicts>({ name, text: `SELECT ${call} AS conflicts`, values });
  refuse(rows);
}

type Conflicts = { conflicts: string[] | null };

/** @throws VersionConflict */
function refuse(rows: readonly Conflicts[]): void {
  const conflicts = rows[0]?.conflicts;
  if (conflicts) throw new VersionConflict(conflicts);
}

function appending(runs: readonly Run[]): Appending {
  const [streams, expected, versions, counts, lists] = rowsOf(runs);
  if (streams.length === 1 && expected[0] === versions[0])
    return { name: 'append-decision', call: 'history.append_decision($1, $2, $3, $4)', values: [streams[0], versions[0], counts[0], lists[0]] };
  const few = lists.length <= FEW;
  return {
    name: few ? `append-decisions-${lists.length}` : 'append-decisions',
    call: `history.append_decisions($1, $2, $3, $4, ${few ? `ARRAY[${lists.map((_, i) => `$${i + 5}`).join(', ')}]::text[]` : '$5'})`,
    values: [streams, expected, versions, counts, ...(few ? lists : [lists])],
  };
}

/** Columns for `append_decisions`: streams, expected versions, versions before each row, counts, JSON lists. */
function rowsOf(runs: readonly Run[]): [string[], (number | null)[], number[], number[], string[]] {
  const columns: ReturnType<typeof rowsOf> = [[], [], [], [], []];
  for (const { stream, expected, after, events } of runs) {
    let part: string[] = [];
    let size = 0;
    let start = 0;
    const close = (): void => {
      columns[0].push(stream);
      columns[1].push(start === 0 ? expected : null);
      columns[2].push(after + start);
      columns[3].push(part.length);
      columns[4].push(`[${part.join(',')}]`);
      start += part.length;
      part = [];
      size = 0;
    };
    for (const event of events) {
      const json = JSON.stringify(event);
      if (part.length > 0 && (part.length >= MOST_PER_ROW || size + json.length > ROW_SIZE)) close();
      part.push(json);
      size += json.length;
    }
    close();
  }
  return columns;
}

/** Writes events into history.decision and into the inline views that they concern. */
export async function writeDecisions(
  db: Pipeline,
  inline: readonly Projector[],
  runs: readonly Run[],
  events: readonly Positioned[],
  also: () => Promise<unknown>,
  known?: KnownRows,
): Promise<void> {
  const accepted = Promise.all([appendRuns(db, runs), also()]).then(() => undefined);
  const views = concerned(inline, events).map((view) => view.apply(db, events, accepted, known));
  // All have to be done with the connection before the transaction ends, one way or the other.
  await Promise.allSettled([accepted, ...views]);
  await accepted;
  await Promise.all(views);
}

/** Rows of `append_decisions` and events that go without waiting for any answer; of more, some is made while the rest is being written. */
const MOST_AT_ONCE = 50;
/** Of the transaction: not '' when the streams are not where they should be. Then the views are left as they are, and COMMIT has nothing to keep. */
const REFUSED = 'kiroku.refused';
const ACCEPTED = `current_setting('${REFUSED}') = ''`;

/**
 * The same as one transaction that takes one round trip, COMMIT included. Possible where every view knows its rows without reading.
 * @returns false, and has done nothing, where that is not possible.
 * @throws VersionConflict
 */
export async function writeAtOnce(pool: pg.Pool, inline: readonly Projector[], runs: readonly Run[], events: readonly Positioned[], known: KnownRows): Promise<boolean> {
  if (runs.length === 0 || runs.length > FEW || events.length > MOST_AT_ONCE) return false;
  const stores: pg.QueryConfig[] = [];
  for (const view of concerned(inline, events)) {
    const store = view.statement(events, known, ACCEPTED);
    if (store === undefined) return false;
    if (store) stores.push(store);
  }
  const { name, call, values } = appending(runs);
  // OFFSET 0: the function is called once.
  const text = `SELECT conflicts, set_config('${REFUSED}', CASE WHEN conflicts IS NULL THEN '' ELSE 'moved' END, true) FROM (SELECT ${call} AS conflicts OFFSET 0) a`;
  const { rows } = await inOneTrip<Conflicts>(pool, [{ name: `accept-${name}`, text, values }, ...stores]);
  refuse(rows);
  return true;
}

/** Most events concern few views. */
function concerned(inline: readonly Projector[], events: readonly Positioned[]): readonly Projector[] {
  const types = new Set(events.map(({ event }) => event.type));
  return inline.filter(({ projection }) => projection.types.some((type) => types.has(type)));
}
