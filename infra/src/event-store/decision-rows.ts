import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import type { Pipeline, Projector } from '../read-model/projector.js';

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

/** @throws VersionConflict */
async function appendRuns(db: Pipeline, runs: readonly Run[]): Promise<void> {
  if (runs.length === 0) return;
  const [streams, expected, versions, counts, lists] = rowsOf(runs);
  const few = lists.length <= FEW;
  const { rows } = await db.query<{ conflicts: string[] | null }>({
    name: few ? `append-decisions-${lists.length}` : 'append-decisions',
    text: `SELECT history.append_decisions($1, $2, $3, $4, ${few ? `ARRAY[${lists.map((_, i) => `$${i + 5}`).join(', ')}]::text[]` : '$5'}) AS conflicts`,
    values: [streams, expected, versions, counts, ...(few ? lists : [lists])],
  });
  const conflicts = rows[0]?.conflicts;
  if (conflicts) throw new VersionConflict(conflicts);
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
): Promise<void> {
  const accepted = Promise.all([appendRuns(db, runs), also()]).then(() => undefined);
  const views = concerned(inline, events).map((view) => view.apply(db, events, accepted));
  // All have to be done with the connection before the transaction ends, one way or the other.
  await Promise.allSettled([accepted, ...views]);
  await accepted;
  await Promise.all(views);
}

/** Most events concern few views. */
function concerned(inline: readonly Projector[], events: readonly Positioned[]): readonly Projector[] {
  const types = new Set(events.map(({ event }) => event.type));
  return inline.filter(({ projection }) => projection.types.some((type) => types.has(type)));
}
