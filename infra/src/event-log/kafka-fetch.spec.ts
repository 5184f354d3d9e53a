import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { KafkaCluster } from './kafka-cluster.js';
import { KafkaReader } from './kafka-fetch.js';
import { encodeBatch } from './kafka-records.js';
import type { KafkaRequest } from './kafka-requests.js';
import { WireReader, WireWriter } from './kafka-wire.js';

const PLACE = { topic: 'k.mail', partition: 0 };
const WRITER = { producerId: 1, epoch: 0, sequence: 0 };

/** A partition as a broker keeps it: batches, some gone from the front, gaps between. Answers fetches and questions about its ends. */
function broker(batches: readonly { readonly first: number; readonly count: number }[], start: number): KafkaCluster {
  const stored = batches.map(({ first, count }) => {
    const bytes = encodeBatch(Array.from({ length: count }, (_, n) => ({ key: 'K', value: String(first + n) })), WRITER, 0);
    bytes.writeBigInt64BE(BigInt(first), 0);
    return { next: first + count, bytes };
  });
  const head = stored.at(-1)?.next ?? start;
  const fetched = (asked: WireReader): Buffer => {
    asked.slice(4 + 4 + 4 + 4 + 1 + 4 + 4 + 4);
    asked.string();
    asked.slice(12);
    const [offset] = [asked.int64()];
    asked.int64();
    const bytes = asked.int32();
    const out = offset < start || offset > head;
    let size = 0;
    const set = out ? [] : stored.filter((b) => b.next > offset && b.next > start).filter((b, n) => (size += b.bytes.length) <= bytes || n === 0).map((b) => b.bytes);
    const all = Buffer.concat(set);
    return new WireWriter().int32(0).int16(0).int32(0).int32(1).string(PLACE.topic).int32(1)
      .int32(0).int16(out ? 1 : 0).int64(out ? -1 : head).int64(0).int64(0).int32(0).int32(-1).int32(all.length).bytes(all).done();
  };
  const offsets = (asked: WireReader): Buffer => {
    asked.slice(4 + 1 + 4);
    asked.string();
    asked.slice(8);
    const which = asked.int64();
    return new WireWriter().int32(0).int32(1).string(PLACE.topic).int32(1).int32(0).int16(0).int64(0).int64(which === -2 ? start : head).done();
  };
  const fake: Pick<KafkaCluster, 'leader' | 'refresh' | 'send'> = {
    leader: () => 1,
    refresh: () => Promise.reject(new Error('not asked')),
    send: <T>(_: number, request: KafkaRequest<T>) => {
      const asked = new WireReader(request.body);
      return Promise.resolve(request.parse(new WireReader(request.name === 'Fetch' ? fetched(asked) : offsets(asked))));
    },
  };
  return fake as KafkaCluster;
}

const partition = fc.record({
  start: fc.nat(50),
  parts: fc.array(fc.record({ gap: fc.oneof(fc.constant(0), fc.nat(5)), count: fc.integer({ min: 1, max: 30 }) }), { maxLength: 12 }),
  cut: fc.nat(40), // retention may end inside a batch
}).map(({ start: begin, parts, cut }) => {
  let at = begin;
  const batches = parts.map(({ gap, count }) => {
    const first = at + gap;
    at = first + count;
    return { first, count };
  });
  const start = Math.min(begin + cut, at);
  const offsets = batches.flatMap(({ first, count }) => Array.from({ length: count }, (_, n) => first + n));
  return { start, batches, offsets: offsets.filter((offset) => offset >= start), head: at };
});

describe('a reader of a partition', () => {
  it('sees every record once and in order, by whatever steps, from wherever it begins', () =>
    fc.assert(fc.asyncProperty(partition, fc.nat(80), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), async ({ start, batches, offsets, head }, begin, steps) => {
      const reader = new KafkaReader(broker(batches, start));
      const from = Math.min(begin, head);
      const seen: number[] = [];
      for (let at = from, n = 0; ; n++) {
        const limit = steps[n % steps.length] as number;
        const { records } = await reader.read(PLACE, at, limit);
        if (records.length === 0) break;
        expect(records.length).toBeLessThanOrEqual(limit);
        expect(records.map(({ offset, value }) => [offset, value?.toString()])).toEqual(records.map(({ offset }) => [offset, String(offset)]));
        seen.push(...records.map(({ offset }) => offset));
        at = (seen.at(-1) as number) + 1;
      }
      expect(seen).toEqual(offsets.filter((offset) => offset >= from));
    })));

  it('finds single records, and leaves out what is not there', () =>
    fc.assert(fc.asyncProperty(partition, fc.array(fc.nat(300), { maxLength: 20 }), async ({ start, batches, offsets }, wanted) => {
      const found = await new KafkaReader(broker(batches, start)).at(PLACE, wanted);
      expect(found.map(({ offset }) => offset)).toEqual(offsets.filter((offset) => wanted.includes(offset)));
    })));

  it('asks once for what ends at the head', async () => {
    const whole = broker([{ first: 0, count: 5 }, { first: 5, count: 3 }], 0);
    let fetches = 0;
    const counted: Pick<KafkaCluster, 'leader' | 'refresh' | 'send'> = {
      leader: () => 1,
      refresh: () => whole.refresh(),
      send: (node, request) => {
        if (request.name === 'Fetch') fetches++;
        return whole.send(node, request);
      },
    };
    const { records, next } = await new KafkaReader(counted as KafkaCluster).read(PLACE, 0, 100);
    expect([records.length, next, fetches]).toEqual([8, 8, 1]);
  });

  it('asks again for itself where others took the room of an answer', async () => {
    const whole = broker([{ first: 0, count: 5 }], 0);
    const full = new WireWriter().int32(0).int16(0).int32(0).int32(1).string(PLACE.topic).int32(1)
      .int32(0).int16(0).int64(5).int64(0).int64(0).int32(0).int32(-1).int32(0).done();
    let answers = 0;
    const crowded: Pick<KafkaCluster, 'leader' | 'refresh' | 'send'> = {
      leader: () => 1,
      refresh: () => whole.refresh(),
      send: (node, request) => (answers++ === 0 ? Promise.resolve(request.parse(new WireReader(full))) : whole.send(node, request)),
    };
    const { records } = await new KafkaReader(crowded as KafkaCluster).read(PLACE, 0, 100);
    expect([records.length, answers]).toEqual([5, 2]);
  });

  it('says so when the log ends before what was read already', async () => {
    await expect(new KafkaReader(broker([{ first: 0, count: 5 }], 0)).read(PLACE, 6, 10)).rejects.toThrow(/ends at 5, and 6 had been read/);
  });
});
