import { expand, type Expansion } from '@kiroku/domain/delivery/expand.js';
import { messageOf } from '@kiroku/domain/delivery/notices.js';
import type { Slice } from '@kiroku/domain/kernel/event-log.js';
import { type Append, type CheckpointMove, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import type { Directory } from '@kiroku/domain/mail/directory-port.js';
import type { Caution } from './caution.js';
import { isOwnFault } from './fault.js';
import { type Accepted, countMessages, first, fitting, type Piece, pieceOf, positionOf, type Work } from './pieces.js';
import { type Mail, Placement } from './placement.js';
import { type Failed, Quarantine, setAside } from './quarantine.js';

export const DELIVERY = 'delivery';
/** Messages whose aliases are followed at once: few at first, more while the fan-out is small. */
const FIRST_REACH = 64;
const LAST_REACH = 2_000;
/** Other delivery processes and POP3 sessions write the same mailboxes. */
const ATTEMPTS = 25;
/** ms */
const LINGER = 3;

/** What else decides where mail goes, once aliases are followed; see Departures. */
export type Prepare = (mails: readonly Mail[], expansions: readonly Expansion[]) => Promise<readonly Expansion[]>;

/** A counter for the outside; see apps/delivery/src/main.ts. */
export interface DeliveryMetrics {
  delivered(messages: number): void;
  /** A message was set aside because of this error. */
  quarantined?(messageId: string, error: unknown): void;
}

/**
 * From accepted to in the mailbox. What waits in all partitions goes into one append over all the mailboxes concerned, in
 * one transaction with the partitions' checkpoints: each message is delivered exactly once, whatever stops and whenever. A message
 * that a fault of our own keeps from being delivered is set aside in the end; see Quarantine.
 */
export class LocalDelivery {
  readonly #waiting = new Set<Work>();
  #running = false;
  #reach = FIRST_REACH;
  readonly #quarantine: Quarantine;

  constructor(
    private readonly engine: Engine,
    private readonly directory: Directory,
    private readonly placement: Placement = new Placement(engine),
    private readonly prepare: Prepare = async (_, expansions) => expansions,
    private readonly metrics: DeliveryMetrics = { delivered: () => undefined },
    private readonly caution?: Caution,
  ) {
    this.#quarantine = new Quarantine(engine);
  }

  start = (topic: Slice['topic'], partition: number): Promise<number> => this.engine.store.checkpoint(DELIVERY, topic, partition);

  /**
   * Resolves when the slice is delivered and its checkpoint stored; the first part of it may be when this rejects.
   * @throws CheckpointMoved when another process has the partition.
   */
  handle = (slice: Slice): Promise<void> => (this.caution?.active ? this.caution.turn(slice.partition, slice.from).then(() => this.#add(slice)) : this.#add(slice));

  #add(slice: Slice): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.add({ slice, done: 0, position: slice.from, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Slices that other partitions are about to bring go along; from then on the partitions keep step.
    await new Promise((resolve) => setTimeout(resolve, LINGER));
    while (this.#waiting.size > 0) {
      if (this.caution?.active) await this.#carefully(this.caution);
      else await this.#settle(this.#next());
    }
    this.#running = false;
  }

  /** A step of one partition, announced before it begins. */
  async #carefully(caution: Caution): Promise<void> {
    const [work] = this.#waiting;
    if (work === undefined) return;
    const { partition } = work.slice;
    const piece = pieceOf(work, Math.min(this.#reach, caution.room(partition, work.position)));
    const done = work.done;
    const [message] = piece.messages;
    if (message !== undefined && !(await caution.taking(piece))) {
      await this.#putAside(piece, message, (failed) => setAside(this.engine, failed, caution.error, caution.tries), caution.error);
    } else await this.#settle([piece]);
    if (work.done > done) caution.passed(partition, countMessages(work, done), work.position);
    caution.over();
  }

  /** The next messages of all slices that wait, oldest first, as many as may be looked at together. */
  #next(): readonly Piece[] {
    const pieces: Piece[] = [];
    let room = this.#reach;
    for (const work of this.#waiting) {
      if (room <= 0) break;
      const piece = pieceOf(work, room);
      pieces.push(piece);
      room -= piece.messages.length;
    }
    return pieces;
  }

  async #settle(pieces: readonly Piece[]): Promise<void> {
    try {
      for (const piece of await this.#deliver(pieces)) this.#done(piece);
    } catch (error) {
      this.placement.forgetAll(); // the outcome may be unknown
      // A partition that another process has taken over, or that cannot go on, holds no other up. What had been written in spite
      // of the failure is not written again: its checkpoint has moved.
      if (pieces.length > 1) for (const piece of pieces) await this.#settle([piece]);
      else for (const piece of pieces) await this.#failed(piece, error);
    }
  }

  /**
   * Something in a single partition's piece fails. Finds the message by halves, delivers what goes before it, and sets it aside when
   * it has failed often and for long; until then the partition waits, and is read again from its checkpoint.
   */
  async #failed(piece: Piece, error: unknown): Promise<void> {
    const { work, messages } = piece;
    const [message] = messages;
    if (message === undefined || !isOwnFault(error)) return this.#end(work).reject(error);
    if (messages.length > 1) return this.#settle([pieceOf(work, Math.ceil(messages.length / 2))]);
    await this.#putAside(piece, message, (failed) => this.#quarantine.failed(failed, error, () => this.#passes(pieceOf({ ...work, done: piece.end }, 1).messages)), error);
  }

  /** @param decide what sets it aside; undefined while it is to be tried on. */
  async #putAside(piece: Piece, message: Accepted, decide: (failed: Failed) => Promise<readonly Append[] | undefined>, error: unknown): Promise<void> {
    const { work } = piece;
    try {
      const { messageId, sha256, size } = message.data;
      const aside = await decide({ messageId, sha256, size, partition: work.slice.partition, position: positionOf(work, message), causation: message.id });
      if (!aside) return this.#end(work).reject(error);
      await this.engine.store.append(aside, [move(piece)]);
      this.#quarantine.settled(messageId);
      this.metrics.quarantined?.(messageId, error);
      this.#done(piece);
    } catch (trouble) {
      this.#end(work).reject(trouble); // the outcome may be unknown: the checkpoint knows it
    }
  }

  /** Would these be delivered now? Nothing is written. */
  async #passes(messages: readonly Accepted[]): Promise<boolean> {
    if (messages.length === 0) return false;
    try {
      const mails = messages.map(mailOf);
      await this.placement.appends(mails, await this.prepare(mails, await this.#expand(messages)));
      return true;
    } catch {
      return false;
    }
  }

  #done({ work, end, to }: Piece): void {
    work.done = end;
    work.position = to;
    if (end === work.slice.events.length) this.#end(work).resolve();
  }

  #end(work: Work): Work {
    this.#waiting.delete(work);
    return work;
  }

  #expand(messages: readonly Accepted[]): Promise<readonly Expansion[]> {
    return expand(messages.map((a) => a.data.recipients.map((r) => r.address)), (addresses) => this.directory.lookup(addresses));
  }

  /** @returns what was delivered: all, or the first part when the fan-out was large. */
  async #deliver(pieces: readonly Piece[]): Promise<readonly Piece[]> {
    const all = pieces.flatMap((p) => p.messages);
    const everyone = await this.#expand(all);
    const count = fitting(everyone);
    this.#reach = count < all.length ? Math.max(1, count) : Math.min(LAST_REACH, Math.max(this.#reach, 2 * all.length));
    const taken = first(pieces, count);
    const mails = all.slice(0, count).map(mailOf);
    const expansions = await this.prepare(mails, everyone.slice(0, count));
    const checkpoints = taken.map(move);
    const decided = new Set<string>();
    for (let attempt = 1; ; attempt++) {
      const placed = await this.placement.appends(mails, expansions, decided);
      try {
        await this.engine.store.append(placed.map((p) => p.append), checkpoints);
        this.placement.appended(placed);
        this.metrics.delivered(mails.length);
        if (mails.length > 0) this.#quarantine.delivered();
        return taken;
      } catch (error) {
        // Somebody expunged or appended meanwhile: read the heads of those mailboxes again. A message's own stream exists when
        // the message has been here before: another process has the partition (then the checkpoint says so), or it was logged twice.
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
        this.placement.forget(error.streams);
        for (const stream of error.streams) decided.add(stream);
      }
    }
  }
}

const move = ({ work, to }: Piece): CheckpointMove => ({ consumer: DELIVERY, topic: work.slice.topic, partition: work.slice.partition, from: work.position, to });

export const mailOf = (accepted: Accepted): Mail => ({
  messageId: accepted.data.messageId, message: messageOf(accepted), recipients: accepted.data.recipients, causation: accepted.id,
});
