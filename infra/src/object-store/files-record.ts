import { fstatSync } from 'node:fs';
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { readAt } from './files-io.js';

/**
 * A record in a segment: 64 bytes of header, then the body. Numbers are little-endian.
 *
 *  0  magic `KRB\n`      8  size, u32          48  stored at, epoch ms, u64
 *  4  version 1, flags, two bytes of zero      56  zero, u32
 * 12  zero, u32         16  SHA-256 of the body 60  CRC-32 of the 60 bytes before
 */
export const HEADER_BYTES = 64;
/** Larger bodies are files of their own. */
export const PACKED_MAX = 256 * 1024;

const MAGIC = Buffer.from('KRB\n', 'latin1');
const MAGIC_LE = MAGIC.readUInt32LE(0);
const VERSION = 1;
const WINDOW = 1024 * 1024;

export interface Header {
  readonly sha256: string;
  readonly size: number;
  readonly storedAt: number;
}

export interface ScannedRecord extends Header {
  readonly offset: number;
  readonly body: Uint8Array;
}

export function encodeHeader({ sha256, size, storedAt }: Header, into: Buffer, at: number): void {
  into.fill(0, at, at + HEADER_BYTES);
  into.writeUInt32LE(MAGIC_LE, at);
  into.writeUInt8(VERSION, at + 4);
  into.writeUInt32LE(size, at + 8);
  into.write(sha256, at + 16, 'hex');
  into.writeUIntLE(storedAt, at + 48, 6);
  into.writeUInt32LE(crc32(into.subarray(at, at + 60)), at + 60);
}

/** @returns nothing where no header of ours stands. */
export function decodeHeader(from: Buffer, at: number): Header | undefined {
  if (from.length - at < HEADER_BYTES || from.readUInt32LE(at) !== MAGIC_LE || from.readUInt8(at + 4) !== VERSION) return undefined;
  if (from.readUInt32LE(at + 60) !== crc32(from.subarray(at, at + 60))) return undefined;
  const size = from.readUInt32LE(at + 8);
  if (size > PACKED_MAX) return undefined;
  return { sha256: from.toString('hex', at + 16, at + 48), size, storedAt: from.readUIntLE(at + 48, 6) };
}

/**
 * The complete records from `from` on. What is torn or damaged is passed over and the search goes on behind it: one bad
 * sector must not hide the rest of a segment. A body that imitates a record can at worst bring in that imitation under its
 * own hash, which its sender could have mailed by itself.
 */
export async function* scan(fd: number, from = 0): AsyncGenerator<ScannedRecord> {
  const end = fstatSync(fd).size;
  let at = from;
  let base = from;
  let window: Buffer = Buffer.alloc(0);
  /** Makes the window hold `length` bytes from `at`, if the file does. */
  const hold = async (length: number): Promise<boolean> => {
    if (at + length > end) return false;
    if (at + length > base + window.length) {
      window = await readAt(fd, at, Math.min(end - at, WINDOW));
      base = at;
    }
    return at + length <= base + window.length;
  };
  while (await hold(HEADER_BYTES)) {
    const header = decodeHeader(window, at - base);
    if (header && (await hold(HEADER_BYTES + header.size))) {
      const start = at - base + HEADER_BYTES;
      const body = window.subarray(start, start + header.size);
      if (hash('sha256', body, 'hex') === header.sha256) {
        yield { ...header, offset: at, body };
        at += HEADER_BYTES + header.size;
        continue;
      }
    }
    const found = window.indexOf(MAGIC, at - base + 1);
    at = found >= 0 ? base + found : Math.max(at + 1, base + window.length - MAGIC.length + 1);
  }
}
