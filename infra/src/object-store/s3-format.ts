import { crc32 } from 'node:zlib';

/**
 * An object: the bodies one after the other, a directory with an entry for each, a footer. So the index can be rebuilt from the ends of the
 * objects alone, and a large body, whose hash is known last, needs no second object. Numbers are little-endian.
 *
 * Entry of 64 bytes:                                     Footer of 32 bytes:
 *  0  magic `KRO\n`       16  SHA-256 of the body         0  magic `KRE\n`     16  bytes before the directory, u48
 *  4  version 1, zeros    48  stored at, epoch ms, u48    4  version 1, zeros  22  zeros
 *  8  size, u48           56  offset in the object, u32   8  entries, u32      28  CRC-32 of the 28 bytes before
 * 14  zeros               60  CRC-32 of the 60 before    12  zeros
 */
export const ENTRY_BYTES = 64;
export const FOOTER_BYTES = 32;

const ENTRY_MAGIC = Buffer.from('KRO\n', 'latin1').readUInt32LE(0);
const FOOTER_MAGIC = Buffer.from('KRE\n', 'latin1').readUInt32LE(0);
const VERSION = 1;

export interface DirectoryEntry {
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms. */
  readonly storedAt: number;
  /** Bytes from the object's start. */
  readonly offset: number;
}

export interface Directory {
  readonly entries: readonly DirectoryEntry[];
  /** Entries that cannot be read. */
  readonly damaged: number;
}

/** Bytes of an object beyond its bodies. */
export const tailBytes = (entries: number): number => entries * ENTRY_BYTES + FOOTER_BYTES;

/** What follows the bodies. */
export function encodeTail(entries: readonly DirectoryEntry[]): Buffer {
  const tail = Buffer.alloc(tailBytes(entries.length));
  let data = 0;
  entries.forEach((entry, i) => {
    encodeEntry(entry, tail.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES));
    data += entry.size;
  });
  const footer = tail.subarray(entries.length * ENTRY_BYTES);
  footer.writeUInt32LE(FOOTER_MAGIC, 0);
  footer.writeUInt8(VERSION, 4);
  footer.writeUInt32LE(entries.length, 8);
  footer.writeUIntLE(data, 16, 6);
  footer.writeUInt32LE(crc32(footer.subarray(0, 28)), 28);
  return tail;
}

function encodeEntry({ sha256, size, storedAt, offset }: DirectoryEntry, into: Buffer): void {
  into.writeUInt32LE(ENTRY_MAGIC, 0);
  into.writeUInt8(VERSION, 4);
  into.writeUIntLE(size, 8, 6);
  into.write(sha256, 16, 'hex');
  into.writeUIntLE(storedAt, 48, 6);
  into.writeUInt32LE(offset, 56);
  into.writeUInt32LE(crc32(into.subarray(0, 60)), 60);
}

/**
 * Bytes that the end of an object must have to hold its directory, by its last FOOTER_BYTES or more; nothing when it is none of ours.
 * @param size of the whole object.
 */
export function tailNeeded(end: Buffer, size: number): number | undefined {
  const at = end.length - FOOTER_BYTES;
  if (at < 0 || end.readUInt32LE(at) !== FOOTER_MAGIC || end.readUInt8(at + 4) !== VERSION) return undefined;
  if (end.readUInt32LE(at + 28) !== crc32(end.subarray(at, at + 28))) return undefined;
  const needed = tailBytes(end.readUInt32LE(at + 8));
  return end.readUIntLE(at + 16, 6) + needed === size ? needed : undefined;
}

/** @param tail at least as many bytes of the object's end as `tailNeeded` said. */
export function decodeTail(tail: Buffer, size: number): Directory {
  const needed = tailNeeded(tail, size) ?? FOOTER_BYTES;
  const entries: DirectoryEntry[] = [];
  const start = tail.length - needed;
  for (let at = start; at < tail.length - FOOTER_BYTES; at += ENTRY_BYTES) {
    const entry = decodeEntry(tail.subarray(at, at + ENTRY_BYTES));
    if (entry && entry.offset + entry.size <= size - needed) entries.push(entry);
  }
  return { entries, damaged: (needed - FOOTER_BYTES) / ENTRY_BYTES - entries.length };
}

function decodeEntry(from: Buffer): DirectoryEntry | undefined {
  if (from.readUInt32LE(0) !== ENTRY_MAGIC || from.readUInt8(4) !== VERSION) return undefined;
  if (from.readUInt32LE(60) !== crc32(from.subarray(0, 60))) return undefined;
  return { sha256: from.toString('hex', 16, 48), size: from.readUIntLE(8, 6), storedAt: from.readUIntLE(48, 6), offset: from.readUInt32LE(56) };
}
