import type { Recorded } from '@kiroku/domain/kernel/event.js';

/** An event as KurrentDB gives it back. */
export interface KurrentRecord {
  readonly stream: string;
  /** Counts from 0 in its stream. */
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  readonly metadata: unknown;
  /** Its place in the log of all streams. */
  readonly position: Position;
}

export interface Position { readonly commit: number; readonly prepare: number }

/** An event as KurrentDB takes it; of the values of the metadata it takes text only. */
export interface NewKurrentRecord {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A decision of this installation, at its place. */
export interface Kept {
  readonly batch: number;
  readonly stream: string;
  /** The stream's version with this event. */
  readonly version: number;
  readonly event: Recorded;
}

/** What each batch ends with: who wrote it, and where the consumers stand whose checkpoints move with decisions. */
export interface BatchEnd {
  readonly history: string;
  /** By consumer/topic/partition. */
  readonly checkpoints: Readonly<Record<string, number>>;
}

/**
 * Names of streams in KurrentDB: `<prefix>.<stream>`, so that a category of its own is `<prefix>.mailbox` and the like. The server takes
 * letters, digits, `_`, `.` and `-`, and holds names that differ in case only for the same when they are written together: a capital
 * letter is `_` and the small one, any other byte of UTF-8 is `_0` and two hex digits.
 */
export class StreamNames {
  /** Has an event per batch: whoever appends must be the next in it. No name of a stream is escaped to this. */
  readonly order: string;
  /** What all names begin with. */
  readonly start: string;

  /** @throws RangeError */
  constructor(prefix: string) {
    if (!/^[a-z0-9][a-z0-9-]{0,60}$/.test(prefix)) throw new RangeError('the prefix of streams in KurrentDB has up to 61 small letters, digits and "-"');
    this.start = `${prefix}.`;
    this.order = `${prefix}.__order`;
  }

  nameOf(stream: string): string {
    return this.start + stream.replace(/[^a-z0-9.-]+/gu, (odd) => Array.from(Buffer.from(odd), escaped).join(''));
  }

  /** undefined: not the name of one of our streams. */
  streamOf(name: string): string | undefined {
    if (!name.startsWith(this.start)) return undefined;
    const bytes: number[] = [];
    for (const [part, capital, byte] of name.slice(this.start.length).matchAll(/_([a-z])|_0([0-9a-f]{2})|[^]/g)) {
      if (capital !== undefined) bytes.push(capital.charCodeAt(0) - CASE);
      else if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
      else if (part === '_') return undefined;
      else bytes.push(...Buffer.from(part));
    }
    return Buffer.from(bytes).toString();
  }
}

const CASE = 'a'.charCodeAt(0) - 'A'.charCodeAt(0);
const escaped = (byte: number): string =>
  byte >= 65 && byte <= 90 ? `_${String.fromCharCode(byte + CASE)}` : `_0${byte.toString(16).padStart(2, '0')}`;

export const recordOf = ({ id, type, version, at, actor, correlation, causation, data }: Recorded, batch: number): NewKurrentRecord => ({
  id, type, data,
  metadata: { batch: String(batch), version: String(version), at: String(at), actor, correlation, ...(causation !== undefined && { causation }) },
});

/** The event as it was given to `recordOf`; undefined when somebody else wrote it. */
export function keptOf({ stream: name, revision, id, type, data, metadata }: KurrentRecord, names: StreamNames): Kept | undefined {
  const stream = names.streamOf(name);
  const { batch, version, at, actor, correlation, causation } = (metadata ?? {}) as Partial<Record<string, unknown>>;
  const [number, shape, instant] = [Number(batch), Number(version), Number(at)];
  if (stream === undefined || !Number.isSafeInteger(number) || number < 1 || !Number.isSafeInteger(shape) || !Number.isFinite(instant)) return undefined;
  if (typeof actor !== 'string' || typeof correlation !== 'string') return undefined;
  const event = { id, type, version: shape, at: instant, actor, correlation, ...(typeof causation === 'string' && { causation }), data };
  return { batch: number, stream, version: revision + 1, event };
}

export const endOf = (end: BatchEnd, batch: number, id: string): NewKurrentRecord => ({ id, type: 'BatchAppended', data: end, metadata: { batch: String(batch) } });

/** undefined when it is none. */
export function batchEndOf({ stream, data }: KurrentRecord, names: StreamNames): BatchEnd | undefined {
  const end = data as Partial<BatchEnd> | null;
  return stream === names.order && typeof end?.history === 'string' && typeof end.checkpoints === 'object' ? (end as BatchEnd) : undefined;
}
