import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { crc32c } from './crc32c.js';
import { batchesOf, type Compression, encodeBatch, type KafkaRecord, type NewRecord } from './kafka-records.js';

const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const record: fc.Arbitrary<NewRecord> = fc.record({ key: text, value: text, headers: fc.array(fc.tuple(text, text), { maxLength: 3 }) });
const compression = fc.constantFrom<Compression>('none', 'gzip', 'zstd');
const writer = { producerId: 7_000_000_001, epoch: 3, sequence: 2 ** 31 - 2 };
const AT = Date.UTC(2026, 0, 5);

const readable = ({ key, value, headers }: KafkaRecord): NewRecord =>
  ({ key: key?.toString() ?? '', value: value?.toString() ?? '', headers: headers.map(([name, its]) => [name, its?.toString() ?? '']) });

/** As the broker stores it: offsets are its to give. */
function stored(batch: Buffer, first: number): Buffer {
  batch.writeBigInt64BE(BigInt(first), 0);
  return batch;
}

describe('a record batch', () => {
  it('gives back what was put in, whatever it is and however compressed', () => {
    fc.assert(fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), compression, (records, codec) => {
      const [batch] = batchesOf(stored(encodeBatch(records, writer, AT, codec), 40));
      expect(batch?.next).toBe(40 + records.length);
      expect(batch?.records().map(readable)).toEqual(records);
      expect(batch?.records().map(({ offset }) => offset)).toEqual(records.map((_, i) => 40 + i));
    }));
  });

  it('is read by another implementation as it was meant', async () => {
    const load = createRequire(import.meta.url);
    const Decoder = load('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => object;
    const decode = load('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (decoder: object) => Promise<Record<string, unknown> & { records: { key: Buffer; value: Buffer; offset: string; timestamp: string; headers: Record<string, Buffer> }[] }>;
    const records = Array.from({ length: 300 }, (_, n) => ({ key: `K${n % 7}`, value: JSON.stringify({ n, text: '記録'.repeat(n) }), headers: [['position', String(n)]] as const }));
    for (const codec of ['none', 'gzip'] as const) {
      const found = await decode(new Decoder(stored(encodeBatch(records, writer, AT, codec), 1_000)));
      expect(found).toMatchObject({ producerId: '7000000001', producerEpoch: 3, firstSequence: writer.sequence, lastOffsetDelta: 299, isControlBatch: false });
      expect(found.records.map(({ key, value, headers }) => ({ key: key.toString(), value: value.toString(), headers: [['position', headers.position?.toString()]] }))).toEqual(records);
      expect(found.records.at(-1)).toMatchObject({ offset: '1299', timestamp: String(AT) });
    }
  });

  it('is refused when any of its bytes that count has changed', () => {
    const batch = stored(encodeBatch([{ key: 'K1', value: 'x'.repeat(2_000) }], writer, AT, 'zstd'), 0);
    fc.assert(fc.property(fc.integer({ min: 21, max: batch.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const broken = Buffer.from(batch);
      broken[at] = (broken[at] as number) ^ flip;
      expect(() => batchesOf(broken).flatMap((b) => b.records())).toThrow(RangeError);
    }));
  });

  it('never reads beyond its end, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
      const batch = encodeBatch([{ key: 'K', value: 'v' }], writer, AT, 'none');
      const forged = Buffer.concat([batch.subarray(0, 61), noise]);
      forged.writeInt32BE(forged.length - 12, 8);
      forged.writeUInt32BE(crc32c(forged, 21), 17);
      try {
        batchesOf(forged).flatMap((b) => b.records());
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }));
  });

  it('does not grow beyond bounds when it is unpacked', () => {
    const bomb = encodeBatch([{ key: 'K', value: '\0'.repeat(130 << 20) }], writer, AT, 'zstd');
    expect(bomb.length).toBeLessThan(1 << 20);
    expect(() => batchesOf(bomb)[0]?.records()).toThrow();
  });
});

describe('a fetched record set', () => {
  const batch = (first: number): Buffer => stored(encodeBatch([{ key: 'a', value: '1' }, { key: 'b', value: '2' }], writer, AT), first);

  it('ends with the last batch that is whole', () => {
    const set = Buffer.concat([batch(10), batch(12), batch(14).subarray(0, -1)]);
    expect(batchesOf(set).map(({ first, next }) => [first, next])).toEqual([[10, 12], [12, 14]]);
    expect(batchesOf(Buffer.alloc(0))).toEqual([]);
  });

  it('has no records where a transaction ended', () => {
    const mark = batch(20);
    mark.writeInt16BE(0x30, 21);
    mark.writeUInt32BE(crc32c(mark, 21), 17);
    expect(batchesOf(mark).map((b) => [b.next, b.records()])).toEqual([[22, []]]);
  });

  it('says so when it is compressed in a way that cannot be read', () => {
    const lz4 = batch(20);
    lz4.writeInt16BE(3, 21);
    lz4.writeUInt32BE(crc32c(lz4, 21), 17);
    expect(() => batchesOf(lz4)[0]?.records()).toThrow(/lz4 .* compression.type/);
  });
});
