import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { StoredMessage } from '@kiroku/domain/mailbox/store-port.js';

/** Octets and bodies that are read together; as much again is read while they are being answered. */
const OCTETS = 256 * 1024;
const MOST = 128;

type Bodies = readonly (Uint8Array | undefined)[];

interface Group {
  readonly from: number;
  readonly to: number;
  bodies: Bodies | Promise<Bodies>;
}

/** Small bodies of messages that are answered one after another, read in groups before it is their turn. */
export class ReadAhead {
  private current: Group;
  private following: Group | undefined;

  constructor(
    private readonly objects: Pick<ObjectStore, 'readMany'>,
    private readonly messages: readonly StoredMessage[],
  ) {
    this.current = this.group(0);
  }

  /** Whether a message is read here; the others have to be read by themselves. */
  static isSmall({ body }: StoredMessage): boolean {
    return body.size <= OCTETS;
  }

  /** @param index not below that of the call before. @returns undefined where `read` is to tell. */
  of(index: number): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    while (index >= this.current.to) {
      this.current = this.following ?? this.group(this.current.to);
      this.following = undefined;
    }
    const { current } = this;
    if (!this.following && current.to < this.messages.length) this.following = this.group(current.to);
    const { bodies } = current;
    if (bodies instanceof Promise) return bodies.then((some) => some[index - current.from]);
    return bodies[index - current.from];
  }

  private group(from: number): Group {
    let to = from;
    let octets = 0;
    while (to < this.messages.length && to - from < MOST) {
      octets += (this.messages[to] as StoredMessage).body.size;
      if (to > from && octets > OCTETS) break;
      to++;
    }
    const refs = this.messages.slice(from, to).map(({ body }) => body);
    const group: Group = { from, to, bodies: [] };
    if (refs.length === 0) return group;
    // Trouble is told by the single read of each.
    group.bodies = this.objects.readMany(refs).catch((): Bodies => []).then((bodies) => (group.bodies = bodies));
    return group;
  }
}
