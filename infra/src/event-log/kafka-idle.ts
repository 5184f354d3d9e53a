import type { Positioned } from '@kiroku/domain/kernel/event-log.js';
import type { KafkaCluster } from './kafka-cluster.js';
import { listOffsets, type Place } from './kafka-requests.js';

/** ms for which an answer about all heads is good enough for those who look only in case a hint was lost. */
const HOLDS = 400;

const nameOf = ({ topic, partition }: Place): string => `${topic}/${partition}`;

type Read = () => Promise<readonly Positioned[]>;

/**
 * Consumers that stand at the head look twice a second, each at each partition, in case a hint was lost. One request per broker tells
 * them all whether there is anything to see.
 */
export class IdleReads {
  #asked = -Infinity;
  #heads: Promise<ReadonlyMap<string, number>> = Promise.resolve(new Map());

  constructor(
    private readonly cluster: KafkaCluster,
    private readonly places: readonly Place[],
  ) {}

  /** Of one consumer. `seen` is the number of hints so far: a read after a new one is always made. */
  reader(): (place: Place, from: number, seen: number, read: Read) => Promise<readonly Positioned[]> {
    const empty = new Map<string, { readonly from: number; readonly seen: number }>();
    return async (place, from, seen, read) => {
      const name = nameOf(place);
      const last = empty.get(name);
      if (last?.from === from && last.seen === seen && (await this.#head(name)) === from) return [];
      const events = await read();
      if (events.length === 0) empty.set(name, { from, seen });
      else empty.delete(name);
      return events;
    };
  }

  async #head(name: string): Promise<number | undefined> {
    if (performance.now() - this.#asked > HOLDS) {
      this.#asked = performance.now();
      this.#heads = this.#ask();
    }
    return (await this.#heads).get(name);
  }

  /** Of a partition that cannot be asked nothing is known: it is read. */
  async #ask(): Promise<ReadonlyMap<string, number>> {
    const leaders = new Map<number, Place[]>();
    for (const place of this.places) {
      const leader = this.cluster.leader(place);
      if (leader !== undefined) leaders.set(leader, [...(leaders.get(leader) ?? []), place]);
    }
    const answers = await Promise.all([...leaders].map(([leader, places]) => this.cluster.send(leader, listOffsets(places, 'latest')).catch(() => [])));
    return new Map(answers.flat().flatMap((answer) => (answer.code === 0 ? [[nameOf(answer), answer.offset] as const] : [])));
  }
}
