/** A character that PostgreSQL's json cannot give back: NUL, or half of a surrogate pair. JSON.stringify escapes both in lower case. */
const UNSTORABLE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/**
 * JSON text as PostgreSQL's functions take it. What a text column cannot hold becomes U+FFFD: one such character from a hostile
 * client would otherwise stop a view, or fail everybody's append in the batch, again and again.
 */
export function storable(json: string): string {
  return json.includes('\\u0000') || json.includes('\\ud') ? json.replace(UNSTORABLE, '$1\\ufffd') : json;
}
