import { passes } from './kafka-away.js';
import { KafkaError, PASSING } from './kafka-codes.js';
import { KafkaLink, KafkaTooOld } from './kafka-link.js';
import { addressesOf, type Credentials, credentialsOf, type KafkaOptions } from './kafka-options.js';
import { type ClusterState, initProducerId, type KafkaRequest, metadata, type Place } from './kafka-requests.js';

/** ms for which brokers that start are waited for, and between two tries. */
const PATIENCE = 10_000;
const PAUSE = 100;
/** ms between two looks whether brokers are back, of which none answered. */
const LOOK = 1_000;

/** The brokers of a cluster, and which of them leads which partition. */
export class KafkaCluster {
  readonly #seeds: readonly { readonly host: string; readonly port: number }[];
  readonly #credentials: Credentials;
  readonly #links = new Map<string, KafkaLink>();
  #nodes = new Map<number, string>();
  #leaders = new Map<string, number>();
  /** Address of the broker that was asked last and answered. */
  #answered: string | undefined;
  #refreshing: Promise<ClusterState> | undefined;
  #closed = false;
  #silence: { readonly since: number; readonly failure: Error } | undefined;
  #looking: NodeJS.Timeout | undefined;

  /** @param topics whose leaders are wanted. */
  constructor(
    private readonly options: KafkaOptions,
    private readonly topics: readonly string[],
  ) {
    this.#seeds = addressesOf(options.brokers);
    this.#credentials = credentialsOf(options);
  }

  /** Undefined while there is none, or none is known. */
  leader({ topic, partition }: Place): number | undefined {
    return this.#leaders.get(`${topic}/${partition}`);
  }

  /** @throws as `KafkaLink.send`. */
  send<T>(node: number, request: KafkaRequest<T>): Promise<T> {
    const address = this.#nodes.get(node);
    const link = address === undefined ? undefined : this.#links.get(address);
    return link ? link.send(request) : Promise.reject(new Error(`Kafka: broker ${node} is not known`));
  }

  /** Asks anew who leads what; those who ask at the same time share the answer. @throws when no broker answers. */
  refresh(): Promise<ClusterState> {
    return (this.#refreshing ??= this.#look().finally(() => (this.#refreshing = undefined)));
  }

  /** What all brokers fail with, when none has answered for so long (ms). Whether one does again is found out without anybody asking. */
  silence(ms: number): Error | undefined {
    return this.#silence && performance.now() - this.#silence.since >= ms ? this.#silence.failure : undefined;
  }

  async #look(): Promise<ClusterState> {
    const since = this.#silence?.since ?? performance.now();
    try {
      const state = await this.#ask(metadata(this.topics));
      this.#silence = undefined;
      this.#learn(state);
      return state;
    } catch (error) {
      this.#silence = { since, failure: new Error(`Kafka: no broker answers: ${error instanceof Error ? error.message : String(error)}`, { cause: error }) };
      clearTimeout(this.#looking);
      if (!this.#closed) this.#looking = setTimeout(() => void this.refresh().catch(() => undefined), LOOK).unref(); // who is told is whoever asks
      throw error;
    }
  }

  /** A number that nobody has had before. Just after a start the brokers may need a while to give any. */
  async producerId(): Promise<{ readonly producerId: number; readonly epoch: number }> {
    for (const until = performance.now() + PATIENCE; ; ) {
      const { code, producerId, epoch } = await this.#ask(initProducerId());
      if (code === 0) return { producerId, epoch };
      if (!PASSING.has(code) || performance.now() > until) throw new KafkaError(code, 'asking for a producer id');
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  /** Any broker's answer: who answered last is asked first, those named in the settings last. */
  async #ask<T>(request: KafkaRequest<T>): Promise<T> {
    const addresses = new Set([...(this.#answered === undefined ? [] : [this.#answered]), ...this.#nodes.values(), ...this.#seeds.map(({ host, port }) => `${host}:${port}`)]);
    let failure: unknown;
    for (const address of addresses) {
      if (this.#closed) throw new Error('Kafka: closed');
      const link = this.#links.get(address) ?? this.#linkTo(this.#seeds.find(({ host, port }) => `${host}:${port}` === address));
      try {
        const answer = await link.send(request);
        this.#answered = address;
        return answer;
      } catch (error) {
        this.#answered = undefined;
        if (error instanceof KafkaTooOld) throw error;
        // What will not pass (a refused password, a certificate) tells more than that another one is away.
        if (failure === undefined || passes(failure)) failure = error;
      }
    }
    throw failure;
  }

  #linkTo(address: { readonly host: string; readonly port: number } | undefined): KafkaLink {
    if (!address) throw new Error('Kafka: no such broker');
    const link = new KafkaLink(address.host, address.port, this.#credentials, this.options.clientId ?? 'kiroku');
    this.#links.set(link.address, link);
    return link;
  }

  #learn({ brokers, topics }: ClusterState): void {
    this.#nodes = new Map(brokers.map(({ node, host, port }) => {
      const address = `${host}:${port}`;
      if (!this.#links.has(address)) this.#linkTo({ host, port });
      return [node, address];
    }));
    const wanted = new Set([...this.#nodes.values(), ...this.#seeds.map(({ host, port }) => `${host}:${port}`)]);
    for (const [address, link] of this.#links)
      if (!wanted.has(address)) {
        link.close();
        this.#links.delete(address);
        if (this.#answered === address) this.#answered = undefined;
      }
    this.#leaders = new Map(topics.flatMap(({ topic, partitions }) =>
      partitions.flatMap(({ partition, leader }) => (leader < 0 ? [] : [[`${topic}/${partition}`, leader] as const]))));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#looking);
    for (const link of this.#links.values()) link.close();
  }
}
