import { createHash } from 'node:crypto';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { BodyMissing, type BodyRef, type ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import { type Located, type Maildrop, type Maildrops, snapshotOf } from '@kiroku/domain/pop3/maildrop.js';

interface Kept {
  readonly located: Located;
  readonly size: number;
}

/** Maildrops and their bodies in memory, with the failures that a real store has. */
export class MemoryMaildrops implements Maildrops, Pick<ObjectStore, 'read'> {
  /** By inbox, then by UID in order. */
  private readonly boxes = new Map<string, Map<number, Kept>>();
  private readonly bodies = new Map<string, Uint8Array>();
  private readonly locked = new Set<string>();
  private nextUid = 1;
  /** Removals of the next QUIT that succeed before the store fails; undefined: all. */
  removable: number | undefined;
  /** Set to make `open` fail. */
  down = false;
  /** Bytes after which reading a body fails with this error; at 0 before any. */
  failure: { readonly after: number; readonly error: Error } | undefined;
  /** As in the store. */
  chunk = 256 * 1024;
  /** Chunks handed out so far: how far a reader has come. */
  handedOut = 0;
  /** Reads of bodies that are not over. */
  reading = 0;
  /** Giving a lock back waits for this. */
  closing: Promise<void> | undefined;
  readonly removals: { readonly uids: readonly number[]; readonly origin: Origin }[] = [];

  deliver(inbox: string, body: string | Uint8Array, more: { readonly prefix?: string; readonly smtputf8?: boolean } = {}): number {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.bodies.set(sha256, bytes);
    const { prefix = '', ...rest } = more;
    const uid = this.nextUid++;
    const located = { prefix, body: { sha256, size: bytes.length }, ...rest };
    this.box(inbox).set(uid, { located, size: Buffer.byteLength(prefix) + bytes.length });
    return uid;
  }

  /** Another session (IMAP) removes it. */
  take(inbox: string, uid: number): void {
    this.box(inbox).delete(uid);
  }

  uids(inbox: string): number[] {
    return [...this.box(inbox).keys()];
  }

  get held(): number {
    return this.locked.size;
  }

  async open({ inbox }: AccountFacts): Promise<Maildrop | 'in-use'> {
    if (this.down) throw new Error('views are down');
    if (this.locked.has(inbox)) return 'in-use';
    this.locked.add(inbox);
    const box = this.box(inbox);
    return {
      uidValidity: 1_700_000_000,
      snapshot: snapshotOf([...box].map(([uid, { size }]) => ({ uid, size }))),
      locate: async (uid) => box.get(uid)?.located,
      expunge: async (uids, origin) => this.expunge(box, uids, origin),
      close: async () => {
        await this.closing;
        this.locked.delete(inbox);
      },
    };
  }

  async *read({ sha256 }: BodyRef): AsyncGenerator<Uint8Array> {
    const bytes = this.bodies.get(sha256);
    if (!bytes) throw new BodyMissing(sha256);
    this.reading += 1;
    try {
      for (let at = 0; at < bytes.length; at += this.chunk) {
        if (this.failure && at >= this.failure.after) throw this.failure.error;
        this.handedOut += 1;
        yield bytes.subarray(at, at + this.chunk);
      }
    } finally {
      this.reading -= 1;
    }
  }

  private expunge(box: Map<number, Kept>, uids: readonly number[], origin: Origin): void {
    const able = uids.slice(0, this.removable ?? uids.length);
    for (const uid of able) box.delete(uid);
    this.removals.push({ uids: able, origin });
    if (able.length < uids.length) throw new Error('the store went away');
  }

  private box(inbox: string): Map<number, Kept> {
    const box = this.boxes.get(inbox) ?? new Map<number, Kept>();
    this.boxes.set(inbox, box);
    return box;
  }
}
