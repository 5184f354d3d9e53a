import type { KafkaCluster } from './kafka-cluster.js';
import { fetch, type Fetched, type FetchFrom } from './kafka-requests.js';

/** Bytes of one answer, unless one batch has more. */
const ANSWER_SIZE = 2 << 20;
/** ms: readers that have shared a request come together again. */
const MOMENT = 1;
const NOTHING = Buffer.alloc(0);

interface Wanted extends FetchFrom { readonly resolve: (found: Fetched) => void; readonly reject: (error: unknown) => void }

/**
 * What is fetched from the same broker at the same moment shares a request: to a broker a request costs far more than a partition in it, and
 * who reads many partitions in step reads them all at once.
 */
export class KafkaFetches {
  readonly #waiting = new Map<number, Wanted[]>();
  readonly #shared = new Set<number>();

  constructor(private readonly cluster: Pick<KafkaCluster, 'send'>) {}

  /**
   * @param alone it shares its request with nobody.
   * @returns no records where others took the room of the answer: `head` then says that there are some.
   */
  fetch(broker: number, from: FetchFrom, alone = false): Promise<Fetched> {
    if (alone) return new Promise((resolve, reject) => void this.#together(broker, [{ ...from, resolve, reject }]));
    return new Promise((resolve, reject) => {
      const wanted = { ...from, resolve, reject };
      const waiting = this.#waiting.get(broker);
      if (waiting) return void waiting.push(wanted);
      this.#waiting.set(broker, [wanted]);
      if (this.#shared.has(broker)) setTimeout(() => this.#send(broker), MOMENT);
      else setImmediate(() => this.#send(broker));
    });
  }

  #send(broker: number): void {
    const waiting = this.#waiting.get(broker) ?? [];
    this.#waiting.delete(broker);
    if (waiting.length > 1) this.#shared.add(broker);
    else this.#shared.delete(broker);
    // A partition may stand in a request once.
    for (let rest: readonly Wanted[] = waiting; rest.length > 0; ) {
      const first = new Map<string, Wanted>();
      const again: Wanted[] = [];
      for (const wanted of rest) {
        const name = `${wanted.topic}/${wanted.partition}`;
        if (first.has(name)) again.push(wanted);
        else first.set(name, wanted);
      }
      void this.#together(broker, [...first.values()]);
      rest = again;
    }
  }

  async #together(broker: number, wanted: readonly Wanted[]): Promise<void> {
    try {
      const { code, found } = await this.cluster.send(broker, fetch(wanted, ANSWER_SIZE));
      for (const { topic, partition, resolve } of wanted) {
        const its = code === 0 ? found.find((one) => one.topic === topic && one.partition === partition) : undefined;
        resolve(its ?? { code: code === 0 ? -1 : code, head: -1, records: NOTHING });
      }
    } catch (error) {
      for (const { reject } of wanted) reject(error);
    }
  }
}
