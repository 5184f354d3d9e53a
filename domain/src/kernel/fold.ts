import type { Recorded } from './event.js';
import type { Projection, Row } from './projection.js';

/** A view's rows after these events, as the runner would leave them. For tests only. */
export function fold<R extends Row>(projection: Projection<R>, history: readonly { readonly stream: string; readonly event: Recorded }[]): readonly R[] {
  const rows = new Map<string, R>();
  const versions = new Map<string, number>();
  history.forEach(({ stream, event }, position) => {
    const version = (versions.get(stream) ?? 0) + 1;
    versions.set(stream, version);
    if (!projection.types.includes(event.type)) return;
    const positioned = { position, key: stream, version, event };
    for (const key of projection.keysOf(positioned)) {
      const name = JSON.stringify(projection.key.map((column) => key[column]));
      const blind = projection.blind?.includes(event.type) === true || projection.unread?.(positioned, key) === true;
      const row = projection.apply(blind ? undefined : rows.get(name), positioned, key);
      if (row) rows.set(name, row);
      else rows.delete(name);
    }
    const doomed = Object.entries(projection.removes?.(positioned) ?? {});
    const { part = {}, column = '', ranges = [] } = projection.removesRanges?.(positioned) ?? {};
    for (const [name, row] of rows) {
      const at = row[column] as number;
      if (Object.entries(part).every(([c, value]) => row[c] === value) && ranges.some(([first, last]) => at >= first && at <= last)) rows.delete(name);
    }
    if (doomed.length > 0) for (const [name, row] of rows) if (doomed.every(([column, value]) => row[column] === value)) rows.delete(name);
  });
  return [...rows.values()];
}
