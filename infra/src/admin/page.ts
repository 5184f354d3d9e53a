/** A part of a list. `next` is given when there is more: pass it as `after`. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

export interface PageQuery {
  /** The `next` of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** @param rows one more than `limit` when there is more. */
export function pageOf<Row, T>(rows: readonly Row[], limit: number, item: (row: Row) => T, cursor: (row: Row) => string): Page<T> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { items: rows.slice(0, limit).map(item), ...(last !== undefined && { next: cursor(last) }) };
}
