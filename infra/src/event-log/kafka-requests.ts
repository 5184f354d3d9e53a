import { type WireReader, WireWriter } from './kafka-wire.js';

/** A request as a connection sends it: fixed version, body, how to read the answer. */
export interface KafkaRequest<T> {
  readonly api: number;
  readonly name: string;
  readonly version: number;
  readonly body: Buffer;
  /** ms; the connection is given up when no answer comes. */
  readonly timeout?: number;
  readonly parse: (wire: WireReader) => T;
}

export interface Place { readonly topic: string; readonly partition: number }
export type Produced = Place & { readonly code: number; readonly offset: number };
export type FetchFrom = Place & { readonly offset: number; readonly bytes: number };
/** `head`: behind the last that all replicas have. */
export interface Fetched { readonly code: number; readonly head: number; readonly records: Buffer }
/** `code`: of the request as a whole. */
export interface FetchAnswer { readonly code: number; readonly found: readonly (Place & Fetched)[] }
export interface PartitionState { readonly partition: number; readonly leader: number; readonly replicas: number }
export interface ClusterState {
  readonly clusterId: string | null;
  readonly brokers: readonly { readonly node: number; readonly host: string; readonly port: number }[];
  readonly topics: readonly { readonly topic: string; readonly code: number; readonly partitions: readonly PartitionState[] }[];
}

/** Items of a topic together, as all requests want them. */
function byTopic<T extends Place>(items: readonly T[]): readonly (readonly [string, readonly T[]])[] {
  const topics = new Map<string, T[]>();
  for (const item of items) {
    const list = topics.get(item.topic);
    if (list) list.push(item);
    else topics.set(item.topic, [item]);
  }
  return [...topics];
}

/** All replicas in sync must have it; the broker itself gives up after `timeout` ms. */
export function produce(batches: readonly (Place & { readonly bytes: Buffer })[], timeout: number): KafkaRequest<readonly Produced[]> {
  const wire = new WireWriter().string(null).int16(-1).int32(timeout);
  wire.array(byTopic(batches), ([topic, its]) => wire.string(topic).array(its, ({ partition, bytes }) => wire.int32(partition).int32(bytes.length).bytes(bytes)));
  return {
    api: 0, name: 'Produce', version: 7, body: wire.done(),
    parse: (answer) => answer.array(() => {
      const topic = answer.string() ?? '';
      return answer.array((): Produced => {
        const produced = { topic, partition: answer.int32(), code: answer.int16(), offset: answer.int64() };
        answer.slice(16); // time of append, start of the log
        return produced;
      });
    }).flat(),
  };
}

/**
 * What lies from each `offset` on, right now: whole batches up to `bytes` of each partition, or the first one whatever its size; nothing of
 * those for which the `most` bytes of all are used up.
 */
export function fetch(places: readonly FetchFrom[], most: number): KafkaRequest<FetchAnswer> {
  const all = Math.min(most, places.reduce((n, { bytes }) => n + bytes, 0));
  const wire = new WireWriter().int32(-1).int32(0).int32(0).int32(all).int8(0).int32(0).int32(-1);
  wire.array(byTopic(places), ([topic, its]) =>
    wire.string(topic).array(its, ({ partition, offset, bytes }) => wire.int32(partition).int32(-1).int64(offset).int64(-1).int32(bytes)));
  wire.int32(0).string('');
  return { api: 1, name: 'Fetch', version: 11, body: wire.done(), parse: fetchedFrom };
}

function fetchedFrom(answer: WireReader): FetchAnswer {
  answer.int32(); // throttling is the broker's affair: it makes us wait for the next answer
  const code = answer.int16();
  answer.int32();
  const found = answer.array(() => {
    const topic = answer.string() ?? '';
    return answer.array((): Place & Fetched => {
      const partition = answer.int32();
      const its = answer.int16();
      const head = answer.int64();
      answer.slice(16); // last stable offset, start of the log: absent when the offset is out of range
      answer.array(() => answer.slice(16));
      answer.int32();
      return { topic, partition, code: its, head, records: answer.slice(Math.max(0, answer.int32())) };
    });
  }).flat();
  return { code, found };
}

/** `earliest` kept, or behind the last that all replicas have (`latest`, the high watermark), or the first written at or after a time. */
export function listOffsets(places: readonly Place[], which: 'earliest' | 'latest' | number): KafkaRequest<readonly Produced[]> {
  const time = which === 'earliest' ? -2 : which === 'latest' ? -1 : which;
  const wire = new WireWriter().int32(-1).int8(0);
  wire.array(byTopic(places), ([topic, its]) => wire.string(topic).array(its, ({ partition }) => wire.int32(partition).int64(time)));
  return {
    api: 2, name: 'ListOffsets', version: 2, body: wire.done(),
    parse: (answer) => {
      answer.int32();
      return answer.array(() => {
        const topic = answer.string() ?? '';
        return answer.array((): Produced => {
          const [partition, code] = [answer.int32(), answer.int16()];
          answer.int64();
          return { topic, partition, code, offset: answer.int64() };
        });
      }).flat();
    },
  };
}

/** Never creates a topic. */
export function metadata(topics: readonly string[]): KafkaRequest<ClusterState> {
  const wire = new WireWriter();
  wire.array(topics, (topic) => wire.string(topic)).int8(0);
  return {
    api: 3, name: 'Metadata', version: 5, body: wire.done(),
    parse: (answer) => {
      answer.int32();
      const brokers = answer.array(() => {
        const broker = { node: answer.int32(), host: answer.string() ?? '', port: answer.int32() };
        answer.string(); // rack
        return broker;
      });
      const clusterId = answer.string();
      answer.int32(); // controller
      const found = answer.array(() => {
        const [code, topic] = [answer.int16(), answer.string() ?? ''];
        answer.int8(); // internal
        const partitions = answer.array(() => {
          answer.int16(); // a partition without a leader says so by -1
          const its = { partition: answer.int32(), leader: answer.int32(), replicas: answer.array(() => answer.int32()).length };
          for (let list = 0; list < 2; list++) answer.array(() => answer.int32()); // those in sync, those offline
          return its;
        });
        return { topic, code, partitions };
      });
      return { clusterId, brokers, topics: found };
    },
  };
}

/** A number under which batches may be written, never given out before. */
export function initProducerId(): KafkaRequest<{ readonly code: number; readonly producerId: number; readonly epoch: number }> {
  return {
    api: 22, name: 'InitProducerId', version: 0, body: new WireWriter().string(null).int32(60_000).done(),
    parse: (answer) => {
      answer.int32();
      return { code: answer.int16(), producerId: answer.int64(), epoch: answer.int16() };
    },
  };
}

/** What lies below `offset` may be forgotten. */
export function deleteRecords(places: readonly (Place & { readonly offset: number })[]): KafkaRequest<readonly Produced[]> {
  const wire = new WireWriter();
  wire.array(byTopic(places), ([topic, its]) => wire.string(topic).array(its, ({ partition, offset }) => wire.int32(partition).int64(offset)));
  return {
    api: 21, name: 'DeleteRecords', version: 1, body: wire.int32(10_000).done(),
    parse: (answer) => {
      answer.int32();
      return answer.array(() => {
        const topic = answer.string() ?? '';
        return answer.array((): Produced => {
          const [partition, offset] = [answer.int32(), answer.int64()];
          return { topic, partition, offset, code: answer.int16() };
        });
      }).flat();
    },
  };
}
