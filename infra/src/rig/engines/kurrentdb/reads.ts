import type { KurrentLog, StoredRecord } from './log.js';
import { nameOf, type ReadReq } from './messages.js';

/** What a read finds; undefined for a stream that does not exist. */
export function recordsFor(options: ReadReq['options'], log: KurrentLog): readonly StoredRecord[] | undefined {
  const { stream, all, filter } = options;
  const forwards = options.read_direction !== 'BACKWARDS';
  const count = Number(options.count ?? Infinity);
  if (stream && log.last(nameOf(stream.stream_identifier)) < 0) return undefined;
  const kept = stream ? log.stream(nameOf(stream.stream_identifier)) : log.all();
  const from = stream?.revision ?? all?.position?.commit_position;
  const place = (r: StoredRecord): number => (stream ? r.revision : r.position);
  // Forwards the record at the position comes first; backwards, in the log of all streams, the one before it.
  const there = from === undefined
    ? (stream ?? all)?.[forwards ? 'end' : 'start'] ? [] : kept
    : kept.filter((r) => (forwards ? place(r) >= Number(from) : stream ? place(r) <= Number(from) : place(r) < Number(from)));
  const prefixes = filter?.stream_identifier?.prefix ?? [];
  const found = prefixes.length > 0 ? there.filter((r) => prefixes.some((p) => r.stream.startsWith(p))) : there;
  return (forwards ? found : found.toReversed()).slice(0, count);
}
