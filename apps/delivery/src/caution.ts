import { afterEnd, half, isAt, judge, type Left, passed, type Suspicion, taking } from '@kiroku/domain/delivery/suspicion.js';
import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { AbnormalEnd } from '@kiroku/infra/supervise/role-process.js';
import { isOwnFault } from './fault.js';
import type { Piece } from './pieces.js';

/** ms of this process's life before what is suspected is touched: an end in that time is not its doing, and others get through. */
const FIRST = 2_000;
/** ms for which a process is careful; one that lives longer has handled what the one before it left. */
const CAREFUL = 10 * 60_000;
/** ms to wait for the partition that the suspected messages are in: another process may have it. */
const PATIENCE = 30_000;

/** The error of a message that is set aside because of this. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';
}

/** Not tried now: it ended several processes, and nothing shows yet that other messages fare better. */
export class TriedEnough extends Error {}

interface Parts {
  readonly after: AbnormalEnd;
  /** Says what the next process is told should this one end abnormally. Resolves when it is safe from our end. */
  readonly leave: (left: Left) => Promise<void>;
  readonly clock: Clock;
  /** See FIRST. */
  readonly first?: number;
}

/** Nothing for a process whose predecessor ended as it should: the usual case is not slowed down. */
export function cautionAfter({ after, ...parts }: Omit<Parts, 'after'> & { readonly after: AbnormalEnd | undefined }): Caution | undefined {
  if (!after) return undefined;
  const caution = new Caution({ after, ...parts });
  process.on('uncaughtExceptionMonitor', (error) => {
    if (!isOwnFault(error)) caution.exonerate();
  });
  return caution;
}

/**
 * What a delivery process does otherwise because the one before it ended abnormally: one step at a time, each announced to the
 * supervisor before it begins, so that the message is found that ends processes (see `domain/delivery/suspicion.ts`). Other processes
 * have no such object, and pay nothing.
 */
export class Caution {
  readonly #begun = performance.now();
  #suspicion: Suspicion | undefined;
  #retrial: string | undefined;
  #inHand: Left['inHand'] = 'no';
  #alone: boolean;
  #clear!: () => void;
  /** Resolves when nothing is suspected, or not tried now: what else the role does may begin. Until then a step is taken alone. */
  readonly cleared = new Promise<void>((resolve) => (this.#clear = resolve));
  /** A message that was being tried again when the process before ended: it has had its try. */
  readonly endedBy: string | undefined;

  constructor(private readonly parts: Parts) {
    const left = (parts.after.left ?? { inHand: 'no' }) as Left;
    this.#suspicion = afterEnd(left, parts.clock.now());
    this.endedBy = this.#retrial = left.retrial;
    this.#alone = this.#suspicion !== undefined;
    void this.#leave();
    if (this.#alone) setTimeout(() => this.#release(), PATIENCE).unref();
    else this.#release();
  }

  get active(): boolean {
    return this.#suspicion !== undefined || performance.now() - this.#begun < CAREFUL;
  }

  /** What the message is set aside for. */
  get error(): ProcessEnded {
    return new ProcessEnded(`the delivery process ended abnormally whenever it handled this message (${this.parts.after.reason})`);
  }

  get tries(): { readonly tries: number; readonly since: number } {
    const { ends, since } = this.#suspicion ?? { ends: 1, since: this.parts.clock.now() };
    return { tries: ends, since };
  }

  /** Resolves when a slice may be begun. @throws TriedEnough when it begins with a message that is not tried now. */
  async turn(partition: number, from: number): Promise<void> {
    if (!this.#suspicion || this.#suspicion.partition !== partition) return;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, (this.parts.first ?? FIRST) - (performance.now() - this.#begun))));
    if (!isAt(this.#suspicion, partition, from)) return this.#over();
    if (judge(this.#suspicion, this.parts.clock.now()) !== 'wait') return;
    this.#release();
    throw new TriedEnough(`a message ended ${this.#suspicion.ends} processes: it is set aside as soon as another one got through, else ten minutes after the first end`);
  }

  /** Messages that may be taken of a partition now. */
  room(partition: number, from: number): number {
    return this.#suspicion && isAt(this.#suspicion, partition, from) ? half(this.#suspicion) : Infinity;
  }

  /** Announces a step. @returns false when its message is to be set aside instead. */
  async taking({ work, messages }: Piece): Promise<boolean> {
    if (messages.length === 0) return true;
    const place = { partition: work.slice.partition, from: work.position, messages: messages.length };
    const known = this.#suspicion;
    if (known && isAt(known, place.partition, place.from) && judge(known, this.parts.clock.now()) === 'set-aside') return false;
    this.#inHand = this.#alone ? 'alone' : 'yes';
    await this.#leave(taking(known, place));
    return true;
  }

  /** The step is over, whatever came of it: it has not ended the process. */
  over(): void {
    this.#inHand = 'no';
    void this.#leave();
  }

  /** Messages of a partition got through or were set aside; `to`: its checkpoint now. */
  passed(partition: number, messages: number, to: number): void {
    if (this.#suspicion) this.#suspicion = passed(this.#suspicion, partition, messages, to);
    if (!this.#suspicion) this.#over();
  }

  /** Announces that a message set aside is being tried again; undefined: no longer. */
  async retrying(messageId: string | undefined): Promise<void> {
    this.#retrial = messageId;
    await this.#leave();
  }

  /** The process ends, but by trouble of the surroundings: nobody's fault. */
  exonerate(): void {
    this.#inHand = 'no';
    this.#retrial = undefined;
    void this.#leave();
  }

  #over(): void {
    this.#suspicion = undefined;
    this.#release();
    void this.#leave();
  }

  #release(): void {
    this.#alone = false;
    this.#clear();
  }

  #leave(suspicion = this.#suspicion): Promise<void> {
    return this.parts.leave({ ...(suspicion && { suspicion }), inHand: this.#inHand, ...(this.#retrial !== undefined && { retrial: this.#retrial }) });
  }
}
