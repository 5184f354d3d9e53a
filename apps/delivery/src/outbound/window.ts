import type { Head, Lane, Place } from '@kiroku/infra/read-model/queue.js';
import { keyOf } from './entry.js';

/** Rows of one lane that may wait in memory, by how full the window is: a few slow destinations must not fill it. */
const LANE = 100;
const LANE_WHEN_HALF_FULL = 20;
const LANE_WHEN_NEARLY_FULL = 4;
/** Recipients of one message may go beyond, up to a transaction's worth. */
const TOGETHER = 100;
/** A lane with so few waiting is filled again. */
const LOW = 30;

interface LaneState {
  readonly destination: string;
  readonly sender: string;
  /** In memory and not yet taken. */
  waiting: number;
  /** The first row that was left out; undefined when all are in. */
  leftOut: Place | undefined;
  lastMessage: string;
  ofLastMessage: number;
}
interface Member { lane: LaneState | undefined; readonly priority: number }

/**
 * Which due rows are in memory: at most so many, whatever the queue's length, and of each (destination, sender) only a share. Where
 * rows were left out, the lane remembers from which on, and is filled again when it drains.
 */
export class Window {
  readonly #members = new Map<string, Member>();
  readonly #lanes = new Map<string, LaneState>();
  /** Lanes that drained and have more in the queue. */
  readonly #hungry = new Set<LaneState>();

  constructor(readonly capacity = 5_000) {}

  get size(): number {
    return this.#members.size;
  }

  get room(): number {
    return this.capacity - this.#members.size;
  }

  has(key: string): boolean {
    return this.#members.has(key);
  }

  /** Is it in, waiting, and was its priority another one when it came in? */
  isOutranked(head: Head): boolean {
    const member = this.#members.get(keyOf(head));
    return member?.lane !== undefined && member.priority !== head.priority;
  }

  /** Lets a row in that is not in, or notes that it was left out. @returns whether it is in now. */
  admit(head: Head): boolean {
    const lane = this.#laneOf(head.destination, head.sender);
    const together = lane.lastMessage === head.message_id;
    const most = this.size < this.capacity / 2 ? LANE : this.size < this.capacity * 0.9 ? LANE_WHEN_HALF_FULL : LANE_WHEN_NEARLY_FULL;
    if (this.room <= 0 || (lane.waiting >= most && !(together && lane.ofLastMessage < TOGETHER))) {
      this.leaveOut(head.destination, head.sender, head);
      return false;
    }
    lane.waiting++;
    lane.ofLastMessage = together ? lane.ofLastMessage + 1 : 1;
    lane.lastMessage = head.message_id;
    this.#members.set(keyOf(head), { lane, priority: head.priority });
    return true;
  }

  /** Of that lane there may be more from `place` on. */
  leaveOut(destination: string, sender: string, { next_at, message_id, address }: Place): void {
    const lane = this.#laneOf(destination, sender);
    const place = { next_at, message_id, address };
    if (!lane.leftOut || comes(place, lane.leftOut)) lane.leftOut = place;
    if (lane.waiting < LOW) this.#hungry.add(lane);
  }

  #laneOf(destination: string, sender: string): LaneState {
    const name = laneName(destination, sender);
    let lane = this.#lanes.get(name);
    if (!lane) this.#lanes.set(name, (lane = { destination, sender, waiting: 0, leftOut: undefined, lastMessage: '', ofLastMessage: 0 }));
    return lane;
  }

  /** It is on its way: its place in the lane is free, its place in memory not yet. */
  taken(key: string): void {
    const member = this.#members.get(key);
    const lane = member?.lane;
    if (!member || !lane) return;
    member.lane = undefined;
    lane.waiting--;
    if (lane.leftOut) {
      if (lane.waiting < LOW) this.#hungry.add(lane);
    } else if (lane.waiting === 0) this.#lanes.delete(laneName(lane.destination, lane.sender));
  }

  /** A row that is under way already: it is not to be read until it is dropped. */
  occupy(key: string): void {
    if (!this.#members.has(key)) this.#members.set(key, { lane: undefined, priority: 0 });
  }

  drop(key: string): void {
    this.taken(key);
    this.#members.delete(key);
  }

  get hungry(): boolean {
    return this.#hungry.size > 0;
  }

  /** Lanes to be read again from where they left rows out. Their notes are taken off: who reads tells by `admit` and `leaveOut` what is left. */
  takeHungry(most: number): readonly Lane[] {
    const lanes: Lane[] = [];
    for (const lane of this.#hungry) {
      if (lanes.length >= most) break;
      this.#hungry.delete(lane);
      if (!lane.leftOut) continue;
      lanes.push({ destination: lane.destination, sender: lane.sender, from: lane.leftOut });
      lane.leftOut = undefined;
      if (lane.waiting === 0) this.#lanes.delete(laneName(lane.destination, lane.sender));
    }
    return lanes;
  }
}

const laneName = (destination: string, sender: string): string => `${destination} ${sender}`;

/** Is a before b? */
const comes = (a: Place, b: Place): boolean =>
  a.next_at !== b.next_at ? a.next_at < b.next_at : a.message_id !== b.message_id ? a.message_id < b.message_id : a.address < b.address;
