import { randomFillSync, randomInt } from 'node:crypto';
import type { Clock, Ids } from '@kiroku/domain/kernel/clock.js';

export const systemClock: Clock = { now: () => Date.now() };

/** A clock that stands still until moved. For tests. */
export function fixedClock(ms: number): Clock & { advance(by: number): void } {
  return {
    now: () => ms,
    advance(by) {
      ms += by;
    },
  };
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** `length` characters of Crockford base 32; bits that do not fit are cut off at the front. */
export function base32(value: number, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) {
    text = CROCKFORD[value % 32] + text;
    value = Math.floor(value / 32);
  }
  return text;
}

/**
 * Counts within the millisecond. Time never goes back: when the clock does, or when a millisecond's numbers are used up,
 * counting goes on in the next one.
 */
class Ticks {
  ms = 0;
  count = 0;

  constructor(
    private readonly clock: Clock,
    private readonly limit: number,
  ) {}

  /** @param first where counting starts in a new millisecond. @returns whether the millisecond is a new one. */
  next(first: number): boolean {
    const now = this.clock.now();
    if (now > this.ms) this.ms = now;
    else if (++this.count < this.limit) return false;
    else this.ms++;
    this.count = first;
    return true;
  }
}

const POOL = 8192;

/**
 * Ids of this process. UUIDv7 after RFC 9562 §6.2 method 1: 12 bits count within the millisecond from a random start, 62 bits are random.
 * A queue id is 9 characters of time, 4 that tell processes apart (random at start), 2 that count.
 */
export function systemIds(clock: Clock = systemClock): Ids {
  return makeIds(clock, (pool) => randomFillSync(pool), randomInt(2 ** 20));
}

/** The same ids at every run, in the same order, made at 2026-01-01T00:00:00Z and later. For tests. */
export function fixedIds(seed = 1): Ids {
  let state = seed >>> 0;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  let ms = Date.UTC(2026, 0, 1);
  return makeIds({ now: () => ms++ }, (pool) => pool.forEach((_, i) => (pool[i] = next() >>> 24)), seed % 2 ** 20);
}

function makeIds(clock: Clock, refill: (pool: Uint8Array) => void, node: number): Ids {
  const pool = new Uint8Array(POOL);
  let used = POOL;
  const uuids = new Ticks(clock, 4096);
  const queueIds = new Ticks(clock, 1024);
  const process = base32(node, 4);
  let uuidTime = '';
  let queueTime = '';
  const byte = () => pool[used++] ?? 0;
  const hex = () => HEX[byte()] ?? '';

  return {
    uuid() {
      if (used + 10 > POOL) {
        refill(pool);
        used = 0;
      }
      // Starting below 2048 leaves room to count.
      if (uuids.next(((byte() & 0x07) << 8) | byte())) {
        const time = uuids.ms.toString(16).padStart(12, '0');
        uuidTime = `${time.slice(0, 8)}-${time.slice(8)}-7`;
      }
      const count = uuids.count;
      return `${uuidTime}${(HEX[count >> 4] ?? '') + (count & 15).toString(16)}-${HEX[0x80 | (byte() & 0x3f)]}${hex()}-${hex()}${hex()}${hex()}${hex()}${hex()}${hex()}`;
    },
    queueId() {
      if (queueIds.next(0)) queueTime = base32(queueIds.ms, 9) + process;
      const count = queueIds.count;
      return `${queueTime}${CROCKFORD[count >> 5]}${CROCKFORD[count & 31]}`;
    },
  };
}
