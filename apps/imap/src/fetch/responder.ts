import type { StoredMessage } from '@kiroku/domain/mailbox/store-port.js';
import { rangesOf } from '@kiroku/domain/mailbox/uid-set.js';
import type { Structure } from '@kiroku/domain/mime/structure.js';
import { ConnectionEnded } from '@kiroku/infra/net/connection.js';
import type { KnownMessage } from '../mailboxes/message-cache.js';
import { Octets } from '../octets.js';
import { BrokenOff } from '../refusal.js';
import type { Selected } from '../selected.js';
import type { Session } from '../session.js';
import { Assembly } from './assembly.js';
import { joined, type Value, valueOf } from './bodies.js';
import { type Column, columnOf, lineOf } from './columns.js';
import { Places } from './places.js';
import type { FetchPlan, Step } from './plan.js';
import { printed } from './printed.js';
import { ReadAhead } from './read-ahead.js';

/** Messages whose stored facts are looked up at once, while those before them are answered: few enough that what they need is young when it is garbage. */
const PAGE = 200;
/** Messages that are marked as read at once: whole pages. */
const MARKED = 5 * PAGE;
/** Messages with large bodies that are prepared before it is their turn, each at most 64 KiB per item. */
const AHEAD = 16;

/** What became of a FETCH. */
export interface Fetched {
  /** Some are no longer there. */
  readonly missing: boolean;
  /** Some could not be read: the cause of the first one. */
  readonly trouble: Error | undefined;
}

/** Messages that are to be answered together. */
interface Page {
  readonly asked: number;
  readonly tasks: readonly Task[];
}

type Part = string | Column | Value;
type Ready = readonly Part[];

/** A message and its structure, where an item needs it; `unreadable`: it needs one, and there is none. */
interface Task {
  readonly known: KnownMessage;
  readonly structure: (() => Structure) | undefined;
  readonly unreadable: boolean;
}

/** Answers FETCH for messages of the selected mailbox, in memory that depends neither on their number nor on their size. */
export class FetchResponder {
  private missing = false;
  private trouble: Error | undefined;
  private readonly out: Assembly;
  private readonly places: Places;
  /** Of items that are columns of the mailbox, in the order of the steps. */
  private readonly columns: readonly (Column | undefined)[];

  constructor(
    private readonly session: Session,
    private readonly selected: Selected,
    private readonly plan: FetchPlan,
  ) {
    this.out = new Assembly(session.output);
    this.places = new Places(session, selected);
    this.columns = plan.steps.map((step) => (step.kind === 'plain' ? columnOf(selected.live, step.item) : undefined));
  }

  /** @param uids ascending. @throws BrokenOff, ConnectionEnded, No, or what the mailbox store throws. */
  async run(uids: Uint32Array): Promise<Fetched> {
    if (this.plan.stored) await this.pages(uids);
    else await this.columnsOnly(uids);
    this.out.send();
    return { missing: this.missing, trouble: this.trouble };
  }

  /** Nothing but columns of the mailbox. */
  private async columnsOnly(uids: Uint32Array): Promise<void> {
    const { out, places } = this;
    const columns = this.columns as readonly Column[];
    for (const [first, last] of rangesOf(uids))
      for (let uid = first; uid <= last; ) {
        if (!places.move(uid)) {
          this.missing = true;
          uid++;
          continue;
        }
        const stretch = places.stretch(last - uid + 1);
        out.counted(stretch, lineOf(places, columns));
        uid += stretch;
        const room = out.room();
        if (room) await room;
      }
  }

  private async pages(uids: Uint32Array): Promise<void> {
    let next = this.page(uids, 0);
    for (let at = 0; at < uids.length; at += PAGE) {
      const page = await next;
      next = this.page(uids, at + PAGE);
      // Told when it is its turn.
      next.catch(() => undefined);
      if (this.plan.seen && at % MARKED === 0) await this.markSeen(uids.subarray(at, at + MARKED));
      await this.answerPage(page);
    }
  }

  private async page(uids: Uint32Array, at: number): Promise<Page> {
    const { live } = this.selected;
    const asked = Array.from(uids.subarray(at, at + PAGE));
    if (asked.length === 0) return { asked: 0, tasks: [] };
    const found = await this.session.ports.live.messages.of(live.id, asked);
    const known = found.filter((one): one is KnownMessage => one !== undefined);
    const tasks = this.plan.structure ? await this.structured(known) : known.map((one): Task => ({ known: one, structure: undefined, unreadable: false }));
    return { asked: asked.length, tasks };
  }

  private async answerPage({ asked, tasks: read }: Page): Promise<void> {
    const { live } = this.selected;
    const tasks = read.filter(({ known }) => live.indexOf(known.stored.uid) >= 0);
    if (tasks.length < asked) this.missing = true;
    if (this.plan.bodies) return this.withBodies(tasks);
    for (const task of tasks) {
      if (task.unreadable) continue;
      const parts = this.short(task);
      const room = parts && this.answer(task.known.stored.uid, parts);
      if (room) await room;
    }
  }

  private async withBodies(tasks: readonly Task[]): Promise<void> {
    const reads = tasks.filter((task) => !task.unreadable && this.plan.steps.some((step) => step.kind !== 'plain' && this.lasting(step, task.known) === undefined));
    const small = reads.filter(({ known }) => ReadAhead.isSmall(known.stored));
    const large = reads.filter(({ known }) => !ReadAhead.isSmall(known.stored));
    const bodies = new ReadAhead(this.session.ports.bodies, small.map(({ known }) => known.stored));
    const prepared: Promise<Ready | undefined>[] = [];
    let [smalls, larges] = [0, 0];
    for (const task of tasks) {
      let ready: Ready | undefined | Promise<Ready | undefined>;
      if (task === small[smalls]) {
        const body = bodies.of(smalls++);
        ready = this.prepare(task, body instanceof Promise ? await body : body);
      } else if (task === large[larges]) {
        while (prepared.length < Math.min(large.length, larges + AHEAD)) prepared.push(Promise.resolve(this.prepare(large[prepared.length] as Task)));
        ready = prepared[larges++];
      } else ready = task.unreadable ? undefined : this.prepare(task);
      const parts = ready instanceof Promise ? await ready : ready;
      if (!parts) continue;
      const room = this.answer(task.known.stored.uid, parts);
      if (room) await room;
    }
  }

  /** RFC 9051 §6.4.5: reading marks as read, where the mailbox may be changed. */
  private async markSeen(uids: Uint32Array): Promise<void> {
    const { selected, session } = this;
    const { live } = selected;
    if (selected.readOnly || !selected.may('s')) return;
    const seen = live.flagSets.map((set) => set.includes('\\Seen'));
    const fresh = uids.filter((uid) => {
      const index = live.indexOf(uid);
      return index >= 0 && !seen[live.flags[index] as number];
    });
    if (fresh.length === 0) return;
    const stored = await session.ports.mailboxes.storeFlags(session.accountId, live.id, { uids: fresh, operation: 'add', flags: ['\\Seen'] }, session.origin);
    await live.stored(stored);
    const tells = (item: string): boolean => this.plan.steps.some((step) => step.kind === 'plain' && step.item === item);
    if (tells('FLAGS') && (tells('MODSEQ') || !session.condstore)) selected.knows(stored);
  }

  /** Structures are looked up where an answer that is made from one is not at hand. */
  private async structured(messages: readonly KnownMessage[]): Promise<readonly Task[]> {
    const steps = this.plan.steps.filter(({ structured }) => structured);
    const open = messages.filter((known) => steps.some((step) => this.lasting(step, known) === undefined));
    const structures = open.length === 0 ? [] : await this.structures(open.map(({ stored }) => stored));
    let at = 0;
    return messages.map((known): Task => {
      if (known !== open[at]) return { known, structure: undefined, unreadable: false };
      const structure = structures[at++];
      return { known, structure, unreadable: structure === undefined };
    });
  }

  private async structures(messages: readonly StoredMessage[]): Promise<readonly Task['structure'][]> {
    const { structures } = this.session.ports;
    try {
      return await structures.of(messages);
    } catch {
      // One that cannot be read must not hide the others.
      return Promise.all(messages.map(async (message) => {
        try {
          return (await structures.of([message]))[0];
        } catch (error) {
          this.trouble ??= error as Error;
          return undefined;
        }
      }));
    }
  }

  private lasting({ lasting }: Step, known: KnownMessage): string | undefined {
    return lasting === undefined ? undefined : known.printed(lasting);
  }

  /** An item that needs no octets. */
  private plain(step: Step, known: KnownMessage, structure: Structure | undefined): string {
    if (step.kind !== 'plain') throw new TypeError('not a plain item');
    const kept = this.lasting(step, known);
    if (kept !== undefined) return kept;
    const text = printed(step.item, known.stored, structure, this.session.utf8);
    if (step.lasting !== undefined) known.keep(step.lasting, text);
    return text;
  }

  /** A message of which no octets are wanted. */
  private short({ known, structure }: Task): Ready | undefined {
    try {
      const whole = structure?.();
      return this.plan.steps.map((step, i) => this.columns[i] ?? this.plain(step, known, whole));
    } catch (error) {
      return this.failed(error);
    }
  }

  private prepare(task: Task, body?: Uint8Array): Ready | undefined | Promise<Ready | undefined> {
    const octets = new Octets(task.known.stored, this.session.ports.bodies, body);
    const parts: Part[] = [];
    try {
      const structure = task.structure?.();
      for (let i = 0; i < this.plan.steps.length; i++) {
        const part = this.part(i, task.known, structure, octets);
        if (part instanceof Promise) return this.prepareSlowly(task, structure, octets, parts, part);
        parts.push(part);
      }
      return this.kept(task, parts);
    } catch (error) {
      return this.failed(error);
    }
  }

  /** One after another: together they might take much memory. */
  private async prepareSlowly(task: Task, structure: Structure | undefined, octets: Octets, parts: Part[], first: Promise<Part>): Promise<Ready | undefined> {
    try {
      parts.push(await first);
      for (let i = parts.length; i < this.plan.steps.length; i++) parts.push(await this.part(i, task.known, structure, octets));
      return this.kept(task, parts);
    } catch (error) {
      return this.failed(error);
    }
  }

  private part(index: number, known: KnownMessage, structure: Structure | undefined, octets: Octets): Part | Promise<Part> {
    const step = this.plan.steps[index] as Step;
    return this.columns[index] ?? (step.kind === 'plain' ? this.plain(step, known, structure) : (this.lasting(step, known) ?? valueOf(step, octets, structure)));
  }

  private failed(error: unknown): undefined {
    this.trouble ??= error as Error;
  }

  /** Short values of octets last as well: clients ask for the same header fields again and again. */
  private kept({ known }: Task, parts: Part[]): Ready {
    this.plan.steps.forEach((step, i) => {
      const part = parts[i];
      if (step.lasting === undefined || typeof part !== 'object' || !('pieces' in part)) return;
      const text = part.text + latin1(joined(part.pieces));
      known.keep(step.lasting, text);
      parts[i] = text;
    });
    return parts;
  }

  private answer(uid: number, parts: Ready): void | Promise<void> {
    const { out, places } = this;
    places.move(uid);
    places.rises = false;
    out.counted(1, places.opening());
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i] as Part;
      if (typeof part === 'object' && 'stream' in part) return this.answerSlowly(parts, i);
      this.write(part, i);
    }
    out.text(')\r\n');
    return out.room();
  }

  private async answerSlowly(parts: Ready, from: number): Promise<void> {
    for (let i = from; i < parts.length; i++) {
      const part = parts[i] as Part;
      this.write(part, i);
      if (typeof part === 'object' && 'stream' in part) await this.stream(part.stream(), part.size);
    }
    this.out.text(')\r\n');
    await this.out.room();
  }

  private write(part: Part, index: number): void {
    const { out } = this;
    if (index > 0) out.text(' ');
    if (typeof part === 'string') return out.text(part);
    if (typeof part === 'function') return out.counted(1, part(this.places));
    out.text(part.text);
    if ('pieces' in part) for (const piece of part.pieces) out.bytes(piece);
  }

  /** @throws BrokenOff when the octets that were promised cannot be had. */
  private async stream(chunks: AsyncIterable<Uint8Array>, size: number): Promise<void> {
    const { output } = this.session;
    let left = size;
    try {
      for await (const chunk of chunks) {
        if (left === size) this.out.send();
        left -= chunk.length;
        output.write(chunk);
        const room = output.room();
        if (room) await room;
      }
      if (left !== 0) throw new Error('a body is shorter or longer than it says');
    } catch (error) {
      if (error instanceof ConnectionEnded) throw error;
      throw new BrokenOff('a body failed while it was being sent', { cause: error });
    }
  }
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
