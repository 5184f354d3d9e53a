import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { crc32c } from './crc32c.js';
import { putVarint, varintSize, WireReader } from './kafka-wire.js';

/** A record to be; texts are UTF-8. */
export interface NewRecord {
  readonly key: string;
  readonly value: string;
  readonly headers?: readonly (readonly [string, string])[];
}

export interface KafkaRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer | null])[];
}

/** Who writes a batch, and the number of its first record with that writer: what makes a repeated batch known as one. */
export interface Writer {
  readonly producerId: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** Sequence numbers begin again at 0 after 2^31 - 1. */
export const SEQUENCES = 2 ** 31;

export type Compression = 'none' | 'gzip' | 'zstd';

/** Bytes of a batch before its records (KIP-98, message format 2), and where in it things lie. */
const HEADER = 61;
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const CONTROL = 0x20;
const CODECS: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, zstd: 4 };
/** Bytes. A smaller batch goes as it is: it would save the disk little, and every reader would pay for it. */
const WORTHWHILE = 16 << 10;
/** What one batch may grow to: the largest that a broker may be told to take is far smaller. */
const MOST_DECOMPRESSED = 128 << 20;

/** Room that a record takes at most. */
export function recordSize({ key, value, headers = [] }: NewRecord): number {
  const texts = headers.reduce((n, [name, text]) => n + Buffer.byteLength(name) + Buffer.byteLength(text) + 10, 0);
  return Buffer.byteLength(key) + Buffer.byteLength(value) + texts + 32;
}

/** @param at epoch ms, for the broker's retention. */
export function encodeBatch(records: readonly NewRecord[], { producerId, epoch, sequence }: Writer, at: number, compression: Compression = 'zstd'): Buffer {
  const room = Buffer.allocUnsafe(HEADER + records.reduce((n, record) => n + recordSize(record), 0));
  let end = HEADER;
  records.forEach((record, delta) => (end = putRecord(room, end, record, delta)));
  const codec = end - HEADER < WORTHWHILE ? 'none' : compression;
  const batch = codec === 'none' ? room.subarray(0, end) : Buffer.concat([room.subarray(0, HEADER), compress(room.subarray(HEADER, end), codec)]);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - LENGTH_AT - 4, LENGTH_AT);
  batch.writeInt32BE(-1, 12); // leader epoch: the broker's to fill in
  batch.writeInt8(2, MAGIC_AT);
  batch.writeInt16BE(CODECS[codec], ATTRIBUTES_AT);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(at), 27);
  batch.writeBigInt64BE(BigInt(at), 35);
  batch.writeBigInt64BE(BigInt(producerId), 43);
  batch.writeInt16BE(epoch, 51);
  batch.writeInt32BE(sequence, 53);
  batch.writeInt32BE(records.length, 57);
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT);
  return batch;
}

function putRecord(into: Buffer, start: number, { key, value, headers = [] }: NewRecord, delta: number): number {
  const [keySize, valueSize] = [Buffer.byteLength(key), Buffer.byteLength(value)];
  const texts = headers.reduce((n, [name, text]) => {
    const [a, b] = [Buffer.byteLength(name), Buffer.byteLength(text)];
    return n + varintSize(a) + a + varintSize(b) + b;
  }, varintSize(headers.length));
  const size = 2 + varintSize(delta) + varintSize(keySize) + keySize + varintSize(valueSize) + valueSize + texts;
  let at = putVarint(into, start, size);
  into[at++] = 0; // attributes: none are defined
  into[at++] = 0; // ms after the batch's time
  at = putVarint(into, at, delta);
  const put = (text: string, length: number): void => {
    at = putVarint(into, at, length);
    at += into.write(text, at);
  };
  put(key, keySize);
  put(value, valueSize);
  at = putVarint(into, at, headers.length);
  for (const pair of headers) for (const text of pair) put(text, Buffer.byteLength(text));
  return at;
}

function compress(bytes: Buffer, codec: Exclude<Compression, 'none'>): Buffer {
  return codec === 'gzip' ? gzipSync(bytes, { level: 1 }) : zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

/** One batch of what was fetched: where it lies among the offsets, and its records when they are asked for. */
export interface Batch {
  /** First offset, and the one behind the last, whether or not records lie there. */
  readonly first: number;
  readonly next: number;
  /** None where it only marks the end of somebody's transaction. @throws RangeError where the bytes make no sense. */
  records(): readonly KafkaRecord[];
}

/** The whole batches at the front of a fetched record set; a last one that is cut off is left out. */
export function batchesOf(set: Buffer): readonly Batch[] {
  const batches: Batch[] = [];
  for (let at = 0; at + HEADER <= set.length; ) {
    const end = at + LENGTH_AT + 4 + set.readInt32BE(at + LENGTH_AT);
    if (end < at + HEADER) throw new RangeError('a record batch shorter than its header');
    if (end > set.length) break;
    batches.push(batchOf(set.subarray(at, end)));
    at = end;
  }
  return batches;
}

function batchOf(bytes: Buffer): Batch {
  if (bytes[MAGIC_AT] !== 2) throw new RangeError(`record batches of format ${bytes[MAGIC_AT]} are not read: the topic is older than Kafka 0.11`);
  const first = Number(bytes.readBigInt64BE(0));
  return { first, next: first + bytes.readInt32BE(23) + 1, records: () => recordsOf(bytes, first) };
}

function recordsOf(bytes: Buffer, first: number): readonly KafkaRecord[] {
  if (crc32c(bytes, ATTRIBUTES_AT) !== bytes.readUInt32BE(CRC_AT)) throw new RangeError(`the record batch at ${first} does not match its checksum`);
  const attributes = bytes.readInt16BE(ATTRIBUTES_AT);
  if (attributes & CONTROL) return [];
  const wire = new WireReader(decompress(bytes.subarray(HEADER), attributes & 7));
  const count = bytes.readInt32BE(57);
  if (count > wire.left) throw new RangeError(`${count} records in ${wire.left} bytes`);
  const records: KafkaRecord[] = [];
  for (let n = 0; n < count; n++) {
    const end = wire.varint() + wire.at;
    wire.int8();
    wire.skipVarlong();
    const offset = first + wire.varint();
    const [key, value] = [wire.varbytes(), wire.varbytes()];
    const headers: (readonly [string, Buffer | null])[] = [];
    for (let left = wire.varint(); left > 0; left--) headers.push([wire.varbytes()?.toString() ?? '', wire.varbytes()]);
    if (wire.at !== end) throw new RangeError(`the record at ${offset} is not as long as it says`);
    records.push({ offset, key, value, headers });
  }
  return records;
}

function decompress(bytes: Buffer, codec: number): Buffer {
  switch (codec) {
    case CODECS.none: return bytes;
    case CODECS.gzip: return gunzipSync(bytes, { maxOutputLength: MOST_DECOMPRESSED });
    case CODECS.zstd: return zstdDecompressSync(bytes, { maxOutputLength: MOST_DECOMPRESSED });
    default: throw new RangeError(`compression ${codec === 2 ? 'snappy' : codec === 3 ? 'lz4' : codec} cannot be read: set compression.type of the topic to producer, zstd, gzip or uncompressed`);
  }
}
