/** What taking turns needs to know of a recipient. */
export interface InTurn {
  /** The same for recipients that can share a transaction: message, envelope sender, and alias that sends it on. */
  readonly together: string;
  readonly destination: string;
  readonly sender: string;
  /** Lower first. */
  readonly priority: number;
}

type Lanes<E> = Map<string, E[]>;
interface Class<E> { readonly priority: number; readonly destinations: Map<string, Lanes<E>> }

/**
 * Recipients that wait for one route. Better priorities go first; among equals the destinations take turns, within a destination
 * the senders, and of a sender the oldest is first. Recipients of one message go together, whatever their destinations.
 */
export class FairQueue<E extends InTurn> {
  readonly #classes: Class<E>[] = [];
  /** Who is really in: lanes may still name some who have left. */
  readonly #messages = new Map<string, Set<E>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(entry: E): void {
    const together = this.#messages.get(entry.together);
    if (together?.has(entry)) return;
    if (together) together.add(entry);
    else this.#messages.set(entry.together, new Set([entry]));
    this.#size++;
    const { destinations } = this.#classOf(entry.priority);
    const lanes: Lanes<E> = destinations.get(entry.destination) ?? new Map<string, E[]>();
    if (lanes.size === 0) destinations.set(entry.destination, lanes);
    const lane = lanes.get(entry.sender);
    if (lane) lane.push(entry);
    else lanes.set(entry.sender, [entry]);
  }

  #classOf(priority: number): Class<E> {
    const found = this.#classes.find((c) => c.priority === priority);
    if (found) return found;
    const made: Class<E> = { priority, destinations: new Map<string, Lanes<E>>() };
    this.#classes.push(made);
    this.#classes.sort((a, b) => a.priority - b.priority);
    return made;
  }

  /** @returns false when it was not in. */
  remove(entry: E): boolean {
    const together = this.#messages.get(entry.together);
    if (!together?.delete(entry)) return false;
    if (together.size === 0) this.#messages.delete(entry.together);
    this.#size--;
    return true;
  }

  /** The next in turn and what else waits of its message, at most `most`; [] when nobody waits. They are out then. */
  take(most: number): readonly E[] {
    const first = this.#next();
    if (!first) return [];
    const together = this.#messages.get(first.together);
    this.remove(first);
    if (!together || together.size === 0) return [first];
    const taken = [first];
    for (const other of together) {
      if (taken.length >= most) break;
      this.remove(other);
      taken.push(other);
    }
    return taken;
  }

  #next(): E | undefined {
    for (let i = 0; i < this.#classes.length; ) {
      const { destinations } = this.#classes[i] as Class<E>;
      for (const [destination, lanes] of destinations) {
        const entry = this.#fromLanes(lanes);
        destinations.delete(destination);
        if (lanes.size > 0) destinations.set(destination, lanes); // to the end of the line
        if (entry) return entry;
      }
      this.#classes.splice(i, 1);
    }
    return undefined;
  }

  #fromLanes(lanes: Lanes<E>): E | undefined {
    for (const [sender, lane] of lanes) {
      let entry = lane.shift();
      while (entry && this.#messages.get(entry.together)?.has(entry) !== true) entry = lane.shift();
      lanes.delete(sender);
      if (lane.length > 0) lanes.set(sender, lane);
      if (entry) return entry;
    }
    return undefined;
  }

  /** Everybody, in no order that matters. */
  *[Symbol.iterator](): IterableIterator<E> {
    for (const together of this.#messages.values()) yield* together;
  }
}
