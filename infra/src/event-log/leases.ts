import { type Topic, TOPICS } from '@kiroku/domain/kernel/event-log.js';
import type { Hints } from './hints.js';

interface Place { readonly topic: Topic; readonly partition: number }

/** How often (ms) a member looks whether the shares changed. A dead member's partitions are free at once: its connection is gone. */
const REBALANCE = 1_000;
/** Advisory lock numbers from here on say "I am a member"; below are partitions. */
export const MEMBERS = 1 << 20;

/**
 * Which partitions of a consumer group are this member's, by session advisory locks: (hash of group, partition). Each member
 * also holds a lock of its own, so that everybody can count the members and take a fair share. A lease lost with its connection
 * is safe: checkpoints move by compare-and-set.
 */
export class PartitionLeases {
  readonly #held = new Set<string>();
  readonly #asked = new Set<string>();
  readonly #group: number;
  readonly #self = MEMBERS + Math.floor(Math.random() * MEMBERS);
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #registered = false;
  #closed = false;
  readonly #forget: () => void;

  private constructor(
    private readonly hints: Hints,
    group: string,
    private readonly wanted: readonly Place[],
    private readonly trouble: (error: unknown) => void,
  ) {
    this.#group = groupNumber(group);
    this.#forget = hints.onLost(() => {
      this.#held.clear();
      this.#asked.clear();
      this.#registered = false;
    });
  }

  static async open(hints: Hints, group: string, wanted: readonly Place[], trouble: (error: unknown) => void): Promise<PartitionLeases> {
    const leases = new PartitionLeases(hints, group, wanted, trouble);
    await leases.#rebalance();
    leases.#timer = setInterval(() => (leases.#running = leases.#running.then(() => leases.#rebalance())), REBALANCE);
    return leases;
  }

  /** False also when the partition is to be given to another member: its loop then ends the slice it has and calls `give`. */
  has(topic: Topic, partition: number): boolean {
    const name = place(topic, partition);
    if (this.#held.has(name) && this.#asked.has(name)) void this.give(topic, partition);
    return this.#held.has(name) && !this.#asked.has(name);
  }

  async give(topic: Topic, partition: number): Promise<void> {
    const name = place(topic, partition);
    if (!this.#held.delete(name)) return;
    this.#asked.delete(name);
    try {
      await this.hints.query('SELECT pg_advisory_unlock($1, $2)', [this.#group, number(topic, partition)]);
    } catch (error) {
      this.trouble(error); // the connection is gone, and the lock with it
    }
  }

  async #rebalance(): Promise<void> {
    if (this.#closed) return;
    try {
      if (!this.#registered) {
        await this.hints.query('SELECT pg_advisory_lock($1, $2)', [this.#group, this.#self]);
        this.#registered = true;
      }
      const [counted] = await this.hints.query<{ members: number }>(
        `SELECT count(*) AS members FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND objid >= $2 AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        [this.#group >>> 0, MEMBERS],
      );
      const fair = Math.ceil(this.wanted.length / Math.max(1, counted?.members ?? 1));
      const mine = [...this.#held].filter((name) => !this.#asked.has(name));
      for (const name of mine.slice(fair)) this.#asked.add(name);
      for (const { topic, partition } of this.wanted) {
        if (this.#held.size >= fair) return;
        if (this.#held.has(place(topic, partition))) continue;
        const [lock] = await this.hints.query<{ got: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS got', [this.#group, number(topic, partition)]);
        if (lock?.got === true) this.#held.add(place(topic, partition));
      }
    } catch (error) {
      if (!this.#closed) this.trouble(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#running;
    this.#forget();
    for (const { topic, partition } of this.wanted) await this.give(topic, partition);
    if (!this.#registered) return;
    await this.hints.query('SELECT pg_advisory_unlock($1, $2)', [this.#group, this.#self]).catch(() => undefined); // without a connection there is no lock
  }
}

const place = (topic: Topic, partition: number): string => `${topic}/${partition}`;
const number = (topic: Topic, partition: number): number => TOPICS.indexOf(topic) * 1_000 + partition;
/** The first key of a group's locks. 31 bits, so that the signed key and the unsigned oid in pg_locks are the same number. */
export const groupNumber = (text: string): number => [...text].reduce((h, c) => (Math.imul(h ^ c.charCodeAt(0), 0x01000193) >>> 0) & 0x7fffffff, 0x11c9dc5);
