import { randomInt } from 'node:crypto';
import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { Place } from './body-index.js';

/** Names begin here, so that 41 bits of milliseconds last until 2089. */
const EPOCH = Date.UTC(2020, 0, 1);
/** Numbers within one millisecond. */
const PER_MS = 2 ** 12;
/** Writers draw a number below this: two that name an object in the same millisecond still differ, but for one chance in 2³⁷. */
const WRITERS = 36 ** 5;
/** Bytes that an offset within an object may reach; a place holds writer and offset in 53 bits. */
export const OFFSET_LIMIT = 2 ** 27;

/** An object with bodies. `segment` rises with time; `writer` keeps processes apart. */
export interface ObjectName {
  readonly segment: number;
  readonly writer: number;
}

/** A name's letters: they sort by time as bytes do. */
export const NAME_LENGTH = 16;
const NAME = /^[0-9a-z]{16}$/;
const HINT = /^([0-9a-z]{16}):(\d{1,9})$/;

export const encodeName = ({ segment, writer }: ObjectName): string =>
  segment.toString(36).padStart(11, '0') + writer.toString(36).padStart(5, '0');

/** Nothing when it is not one of ours. */
export function decodeName(name: string): ObjectName | undefined {
  if (!NAME.test(name)) return undefined;
  const segment = parseInt(name.slice(0, 11), 36);
  return segment <= Number.MAX_SAFE_INTEGER ? { segment, writer: parseInt(name.slice(11), 36) } : undefined;
}

/** @param offset bytes from the object's start, below OFFSET_LIMIT. */
export const placeIn = ({ segment, writer }: ObjectName, offset: number): Place => ({ segment, offset: writer * OFFSET_LIMIT + offset });

export const objectOf = ({ segment, offset }: Place): ObjectName => ({ segment, writer: Math.floor(offset / OFFSET_LIMIT) });

export const offsetOf = ({ offset }: Place): number => offset % OFFSET_LIMIT;

/** Epoch ms at which the object was named. */
export const namedAt = ({ segment }: ObjectName): number => Math.floor(segment / PER_MS) + EPOCH;

/** What a reference's `at` says: the object's name, and the offset. Nothing like a hint of the files store, so that each passes over the other's. */
export const hintOf = (place: Place): string => `${encodeName(objectOf(place))}:${offsetOf(place)}`;

/** Nothing when the hint is not one of ours. */
export function placeOf(hint: string | undefined): Place | undefined {
  const [, name, offset] = HINT.exec(hint ?? '') ?? [];
  const object = name === undefined ? undefined : decodeName(name);
  return object && Number(offset) < OFFSET_LIMIT ? placeIn(object, Number(offset)) : undefined;
}

/** Gives names that no other process gives, each above the one before. */
export class Names {
  readonly #writer: number;
  #last = 0;

  constructor(
    private readonly clock: Clock,
    private readonly random: (below: number) => number = (below) => randomInt(below),
  ) {
    this.#writer = random(WRITERS);
  }

  next(): ObjectName {
    const now = Math.max(0, this.clock.now() - EPOCH) * PER_MS + this.random(PER_MS);
    this.#last = Math.max(this.#last + 1, now);
    return { segment: this.#last, writer: this.#writer };
  }
}
