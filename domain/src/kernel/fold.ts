import type { Recorded } from './event.js';
import type { Projection, Row } from './projection.js';

/** A view's rows after these events, as the runner would leave them. For tests only. */
export function fold<R extends Row>(projection: Projection<R>, history: readonly { readonly stream: string; readonly event: Recorded }[]): readonly R[] {
  const rows = new Map<string, R>();
  history.forEach(({ stream, event }, position) => {
    if (!projection.types.includes(event.type)) return;
    const positioned = { position, key: stream, event };
    for (const key of projection.keysOf(positioned)) {
      const name = JSON.stringify(projection.key.map((column) => key[column]));
      const row = projection.apply(projection.blind?.includes(event.type) ? undefined : rows.get(name), positioned, key);
      if (row) rows.set(name, row);
      else rows.delete(name);
    }
    const doomed = Object.entries(projection.removes?.(positioned) ?? {});
    if (doomed.length > 0) for (const [name, row] of rows) if (doomed.every(([column, value]) => row[column] === value)) rows.delete(name);
  });
  return [...rows.values()];
}
