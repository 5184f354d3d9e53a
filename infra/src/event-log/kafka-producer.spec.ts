import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { KafkaCluster } from './kafka-cluster.js';
import { KafkaProducer, type ProducerOptions } from './kafka-producer.js';
import { batchesOf } from './kafka-records.js';
import type { KafkaRequest } from './kafka-requests.js';
import { WireReader, WireWriter } from './kafka-wire.js';

const TOPIC = 'k.mail';
/** What befalls a request: taken; lost on the way; taken, but the answer is lost; a code for the first partition in it; taken, but with a code. */
type Fate = 'ok' | 'lost' | 'unanswered' | 'moved' | number | { readonly taken: number };

/** Partitions as brokers keep them: per writer the last batches, by which a repeated one is known and a gap refused (KIP-98, KIP-360). */
class Brokers {
  readonly logs = new Map<number, string[]>();
  readonly #writers = new Map<string, { first: number; last: number }[]>();
  readonly #leaders = new Map<number, number>();
  readonly requests: number[] = [];
  ids = 0;
  /** Why none answers, when none has for long. */
  silence: Error | undefined;

  constructor(private readonly fates: Fate[]) {}

  readonly cluster = {
    leader: ({ partition }: { partition: number }) => this.#leaders.get(partition) ?? partition % 3,
    refresh: () => Promise.resolve({ clusterId: 'c', brokers: [], topics: [] }),
    silence: () => this.silence,
    producerId: () => Promise.resolve({ producerId: ++this.ids, epoch: 0 }),
    send: async <T>(node: number, request: KafkaRequest<T>): Promise<T> => {
      const fate = this.fates.shift() ?? 'ok';
      await new Promise((resolve) => setImmediate(resolve));
      const batches = batchesIn(request.body);
      this.requests.push(batches.length);
      if (fate === 'lost') throw new Error('the connection broke');
      if (fate === 'moved') for (const { partition } of batches) this.#leaders.set(partition, (node + 1) % 3);
      const answers = batches.map(({ partition, bytes }, n) => {
        const first = n === 0;
        const code = first && typeof fate === 'number' ? fate : this.cluster.leader({ partition }) === node ? this.#take(partition, bytes) : 6;
        return { partition, code: first && typeof fate === 'object' && code === 0 ? fate.taken : code };
      });
      if (fate === 'unanswered') throw new Error('no answer came');
      const wire = new WireWriter();
      wire.int32(1).string(TOPIC).array(answers, ({ partition, code }) => wire.int32(partition).int16(code).int64(0).int64(-1).int64(0));
      return request.parse(new WireReader(wire.int32(0).done()));
    },
  } satisfies Pick<KafkaCluster, 'leader' | 'refresh' | 'silence' | 'producerId' | 'send'>;

  /** From now on nothing befalls anything. */
  heal(): void {
    this.fates.length = 0;
  }

  #take(partition: number, bytes: Buffer): number {
    const [batch] = batchesOf(bytes);
    const records = batch?.records().map(({ value }) => value?.toString() ?? '') ?? [];
    const [id, first] = [bytes.readBigInt64BE(43), bytes.readInt32BE(53)];
    const last = first + records.length - 1;
    const known = this.#writers.get(`${partition} ${id}`) ?? [];
    if (known.some((b) => b.first === first && b.last === last)) return 0;
    if (known.length > 0 ? first !== (known.at(-1) as { last: number }).last + 1 : first !== 0) return 45;
    this.#writers.set(`${partition} ${id}`, [...known.slice(-4), { first, last }]);
    this.logs.set(partition, [...(this.logs.get(partition) ?? []), ...records]);
    return 0;
  }
}

function batchesIn(body: Buffer): readonly { readonly partition: number; readonly bytes: Buffer }[] {
  const wire = new WireReader(body);
  wire.string();
  wire.slice(6);
  return wire.array(() => {
    wire.string();
    return wire.array(() => ({ partition: wire.int32(), bytes: wire.slice(wire.int32()) }));
  }).flat();
}

function producerTo(brokers: Brokers, more: Partial<ProducerOptions> = {}): KafkaProducer {
  return new KafkaProducer(brokers.cluster as unknown as KafkaCluster, { compression: 'none', most: 1 << 20, patience: 2_000, now: () => 0, pause: 1, grown: () => undefined, ...more });
}
const unit = (partition: number, ...values: string[]) => ({ place: { topic: TOPIC, partition }, records: values.map((value) => ({ key: 'K', value })) });

const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>('ok') },
  fc.constantFrom<Fate>('lost', 'unanswered', 'moved', 5, 7, 19, { taken: 20 }, { taken: 7 }, 45, 59, 10, 87),
);

describe('a producer', () => {
  it('writes what it acknowledges once, what it rejects at most once, and all in order, whatever befalls its requests', () =>
    fc.assert(fc.asyncProperty(fc.array(fate, { maxLength: 40 }), fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 3 }), fc.boolean()), { minLength: 1, maxLength: 40 }), async (fates, calls) => {
      const brokers = new Brokers([...fates]);
      const producer = producerTo(brokers, { patience: 5_000 });
      const acknowledged = new Set<string>();
      const appended = new Map<number, string[]>();
      const pending: Promise<void>[] = [];
      for (const [n, [partition, size, wait]] of calls.entries()) {
        const values = Array.from({ length: size }, (_, i) => `${n}.${i}`);
        appended.set(partition, [...(appended.get(partition) ?? []), ...values]);
        const call = producer.append(unit(partition, ...values)).then(() => values.forEach((v) => acknowledged.add(v)), () => undefined);
        pending.push(call);
        if (wait) await call;
      }
      await Promise.all(pending);
      brokers.heal();
      for (const [partition, values] of appended) {
        values.push(`${partition}.end`);
        await producer.append(unit(partition, `${partition}.end`)).then(() => acknowledged.add(`${partition}.end`));
      }
      await producer.close();
      for (const [partition, values] of appended) {
        const log = brokers.logs.get(partition) ?? [];
        expect(new Set(log).size).toBe(log.length);
        expect(log).toEqual(values.filter((v) => log.includes(v)));
        expect(values.filter((v) => acknowledged.has(v) && !log.includes(v))).toEqual([]);
      }
    }), { numRuns: 60, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false }));

  it('asks for one request per leader for all that came while the last was under way', async () => {
    const brokers = new Brokers([]);
    const producer = producerTo(brokers);
    await Promise.all(Array.from({ length: 60 }, (_, n) => producer.append(unit(n % 6, `${n}`))));
    expect(brokers.requests).toEqual([2, 2, 2]);
    await producer.close();
  });

  it('takes another id after a batch whose fate stayed open, so that the next is not taken for it', async () => {
    const brokers = new Brokers(['unanswered', 59]);
    const producer = producerTo(brokers);
    await expect(producer.append(unit(0, 'open'))).rejects.toThrow(/UNKNOWN_PRODUCER_ID/);
    await producer.append(unit(0, 'next'));
    expect(brokers.logs.get(0)).toEqual(['open', 'next']);
    expect(brokers.ids).toBe(2);
    await producer.close();
  });

  it('rejects after its patience, and forgets what was never tried', async () => {
    const brokers = new Brokers(Array<Fate>(10_000).fill(19));
    const producer = producerTo(brokers, { patience: 500 });
    const [a, b] = [producer.append(unit(0, 'a')), producer.append(unit(0, 'b'))];
    await expect(a).rejects.toThrow(/not acknowledged in 500 ms/);
    await expect(b).rejects.toMatchObject({ cause: { message: 'Kafka: writing to k.mail/0: NOT_ENOUGH_REPLICAS' } });
    await producer.close();
    expect(brokers.logs.get(0)).toBeUndefined();
  });

  it('waits a moment only while no broker has answered for long, for what nobody waits for as long as ever, and writes again when one does', async () => {
    const brokers = new Brokers([]);
    const producer = producerTo(brokers, { patience: 3_000 });
    brokers.silence = new Error('nobody there');
    const began = performance.now();
    const patient = producer.append(unit(0, 'patient'), { patient: true });
    await expect(producer.append(unit(0, 'hasty'))).rejects.toThrow('nobody there');
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(performance.now() - began).toBeLessThan(2_500);
    brokers.silence = undefined;
    await Promise.all([patient, producer.append(unit(0, 'next'))]);
    expect(brokers.logs.get(0)).toEqual(['patient', 'next']);
    await producer.close();
  });

  it('splits what is more than a batch, and never a unit', async () => {
    const brokers = new Brokers([]);
    const producer = producerTo(brokers, { most: 10_000 });
    const text = 'x'.repeat(3_000);
    await Promise.all(['a', 'b', 'c', 'd'].map((v) => producer.append(unit(0, v + text, v))));
    expect(brokers.logs.get(0)?.map((v) => v[0])).toEqual(['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd']);
    expect(brokers.requests).toEqual([1, 1]);
    expect(() => producer.mustFit(unit(0, 'x'.repeat(10_000)))).toThrow(/max.message.bytes/);
    await producer.close();
  });
});
