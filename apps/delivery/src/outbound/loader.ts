import type { QueuedMessage } from '@kiroku/domain/delivery/queue-events.js';
import { beforeAll, FROM_THE_START, type Head, type Place, type RowName } from '@kiroku/infra/read-model/queue.js';
import { type Entry, entryOf, keyOf } from './entry.js';
import type { QueueAccess } from './ports.js';
import type { Window } from './window.js';

/** Heads per page. */
const PAGE = 1_000;
/** Rows per lane, and lanes, that are filled again at a time. */
const LANE_PAGE = 200;
const LANES = 50;
/** ms that every look goes back behind what was seen: appends commit a little after their time. */
const LAG = 300;
/** ms that one look a second goes back. */
const DEEP_LAG = 10_000;
const DEEP_EVERY = 1_000;
/** ms between looks at the whole due part of the queue, page by page, for what everything else has missed. */
const SWEEP_EVERY = 60_000;
const LATER = 1_000;
/** ms between its pages. */
const PAGE_GAP = 20;

/**
 * Brings due rows into the window. A cursor follows the order in which rows come due; what has been read is not read again but for
 * the last moments, because an append becomes visible a little after the time it bears. Lanes that drained are filled by themselves.
 */
export class Loader {
  /** Where the cursor stands; undefined when it has reached the present. */
  #cursor: Place | undefined = FROM_THE_START;
  /** Epoch ms up to which the cursor had read when it reached the present. */
  #seenUntil = 0;
  #deepAt = -Infinity;
  #sweep: Place | undefined;
  #sweepAt = -Infinity;
  readonly #again = new Map<string, { readonly name: RowName; readonly after: number }>();

  constructor(
    private readonly queue: QueueAccess,
    private readonly window: Window,
    /** Rows that are not to be touched although they are due. */
    private readonly excluded: (key: string) => boolean,
    /** Takes what was read; each is in the window. */
    private readonly accept: (entry: Entry) => void,
    /** Takes back one that waits in the window with a priority it no longer has: it is to leave, and to be read again. */
    private readonly outranked: (key: string) => void = () => undefined,
  ) {}

  /** Everything is read anew: partitions were gained. */
  restart(): void {
    this.#cursor = FROM_THE_START;
  }

  /** The due part of the queue is looked at once more, without hurry. */
  sweep(): void {
    this.#sweepAt = -Infinity;
  }

  /** This row is to be read again, at once or in a second; it is not in the window. */
  again({ message_id, address }: RowName, later = false): void {
    const name = { message_id, address };
    this.#again.set(keyOf(name), { name, after: later ? performance.now() + LATER : 0 });
  }

  #named(): readonly RowName[] {
    const now = performance.now();
    const names: RowName[] = [];
    for (const [key, { name, after }] of this.#again) {
      if (after > now || names.length >= PAGE) continue;
      this.#again.delete(key);
      if (!this.window.has(key)) names.push(name);
    }
    return names;
  }

  /** The cursor has pages before it that were not read yet. */
  get behind(): boolean {
    return this.#cursor !== undefined;
  }

  /** Is there room for a page? */
  get #roomy(): boolean {
    return this.window.room >= this.window.capacity / 10;
  }

  /** Could more be read at once than is in memory now? */
  get eager(): boolean {
    return (this.window.room > 0 && this.window.hungry) || (this.behind && this.#roomy);
  }

  /** ms until there is something to read without any hint. */
  get delay(): number {
    if (this.eager) return 0;
    let least = this.#sweep && this.#roomy ? PAGE_GAP : Infinity;
    const now = performance.now();
    for (const { after } of this.#again.values()) least = Math.min(least, Math.max(0, after - now));
    return least;
  }

  /** The rows somebody named, and those of lanes that drained. @param now epoch ms */
  async refill(partitions: readonly number[], now: number): Promise<void> {
    const named = this.#named();
    if (named.length > 0) await this.#fetch(named, now, (head) => partitions.includes(head.partition) && !this.excluded(keyOf(head)) && this.window.admit(head));
    const lanes = this.window.room > 0 ? this.window.takeHungry(LANES) : [];
    if (lanes.length === 0) return;
    let heads: readonly Head[];
    try {
      heads = await this.queue.lanes(lanes, now, LANE_PAGE);
    } catch (error) {
      for (const lane of lanes) this.window.leaveOut(lane.destination, lane.sender, lane.from);
      throw error;
    }
    const chosen: Head[] = [];
    const read = new Map<string, { count: number; last: Head }>();
    for (const head of heads) {
      const name = `${head.destination} ${head.sender}`;
      const sofar = read.get(name);
      read.set(name, { count: (sofar?.count ?? 0) + 1, last: head });
      if (partitions.includes(head.partition) && this.#choose(head)) chosen.push(head);
    }
    for (const { count, last } of read.values()) if (count >= LANE_PAGE) this.window.leaveOut(last.destination, last.sender, last);
    await this.#fetch(chosen, now);
  }

  /** The next page in order; of the last moments when the cursor has reached the present. */
  async follow(partitions: readonly number[], now: number): Promise<void> {
    if (!this.#roomy) return;
    const deep = now - this.#deepAt >= DEEP_EVERY;
    const from = this.#cursor ?? beforeAll(Math.min(this.#seenUntil, now) - (deep ? DEEP_LAG : LAG));
    if (deep) this.#deepAt = now;
    this.#cursor = await this.#page(partitions, from, now);
    if (this.#cursor === undefined) this.#seenUntil = now;
  }

  /** A page of the slow look at everything, when its time has come. */
  async sweepOn(partitions: readonly number[], now: number): Promise<void> {
    if (!this.#roomy) return;
    if (!this.#sweep && now - this.#sweepAt < SWEEP_EVERY) return;
    if (!this.#sweep) this.#sweepAt = now;
    this.#sweep = await this.#page(partitions, this.#sweep ?? FROM_THE_START, now);
  }

  /** @returns where to go on; undefined when the present was reached. */
  async #page(partitions: readonly number[], from: Place, now: number): Promise<Place | undefined> {
    const heads = await this.queue.heads(partitions, from, now, PAGE);
    const chosen: Head[] = [];
    let last = from;
    let full = false;
    for (const head of heads) {
      if (this.window.room <= 0) {
        full = true;
        break;
      }
      last = head;
      if (this.#choose(head)) chosen.push(head);
    }
    await this.#fetch(chosen, now);
    return full || heads.length === PAGE ? { next_at: last.next_at, message_id: last.message_id, address: last.address } : undefined;
  }

  #choose(head: Head): boolean {
    const key = keyOf(head);
    if (this.window.isOutranked(head)) this.outranked(key);
    return !this.window.has(key) && !this.excluded(key) && this.window.admit(head);
  }

  /** Reads whole rows. @param admit for those that are not in the window yet. */
  async #fetch(names: readonly RowName[], now: number, admit?: (head: Head) => boolean): Promise<void> {
    if (names.length === 0) return;
    try {
      const messages = new Map<string, QueuedMessage>();
      const left = new Set(admit ? [] : names.map(keyOf));
      for (const row of await this.queue.rows(names)) {
        if (row.state !== 'waiting' || row.next_at > now) continue;
        if (admit && !admit(row)) continue;
        left.delete(keyOf(row));
        this.accept(entryOf(row, messages));
      }
      for (const key of left) this.window.drop(key); // sent, held or put off meanwhile
    } catch (error) {
      for (const name of names) {
        if (!admit) this.window.drop(keyOf(name));
        this.again(name);
      }
      throw error;
    }
  }
}
