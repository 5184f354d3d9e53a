import type { Cell, ColumnType, Row } from '@kiroku/domain/kernel/projection.js';

/**
 * Rows as one array per column, in PostgreSQL's text form: the server reads them twice as fast as JSON, which repeats every name.
 * NUL, which text cannot hold, becomes U+FFFD: one such character from a hostile client would otherwise stop a view. (Half a
 * surrogate pair becomes the same when the driver encodes it.)
 */
export function columnArrays(rows: readonly Row[], columns: Readonly<Record<string, ColumnType>>): readonly string[] {
  return Object.entries(columns).map(([column, type]) => {
    const element = type === 'text' || type === 'bytea' ? quoted : plain;
    let text = '{';
    let comma = '';
    for (const row of rows) {
      text += comma + element(row[column]);
      comma = ',';
    }
    return `${text}}`;
  });
}

const SPECIAL = /["\\]/g;

function plain(value: Cell | undefined): string {
  return value == null ? 'NULL' : String(value);
}

function quoted(value: Cell | undefined): string {
  if (value == null) return 'NULL';
  let text = String(value);
  if (text.includes('\0')) text = text.replaceAll('\0', '\ufffd');
  return text.includes('"') || text.includes('\\') ? `"${text.replace(SPECIAL, '\\$&')}"` : `"${text}"`;
}
