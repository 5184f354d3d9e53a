import type { Origin, Recorded } from '@kiroku/domain/kernel/event.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { type MailboxEvent, type MailboxHead, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { type FlagRun, MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import type { UidRange } from '@kiroku/domain/mailbox/uid-set.js';
import { surelyFailed } from '../database.js';
import { Draft, keywordsAfter } from './draft.js';
import type { Holding, Holdings } from './holdings.js';
import type { Tail } from './tail.js';

/** A mailbox that much mail is being delivered to moves on all the time; a lost race costs about a millisecond. */
const ATTEMPTS = 1_000;
/** ms. Facts are not older when they are decided upon: the sweep of bodies counts on it. */
const FRESH = 10_000;
/** Commands, and messages that they name, that are decided together. */
const MOST_COMMANDS = 200;
const MOST_MESSAGES = 20_000;

/** A mailbox as a command finds it. Commands that are decided together see what those before them have come to. */
export interface Present {
  readonly head: MailboxHead;
  /** In lower case → as stored first. */
  readonly keywords: ReadonlyMap<string, string>;
  /** Those that are there within ascending ranges, and their flags. For mailboxes that were asked for with their messages. */
  runsOf(ranges: readonly UidRange[]): readonly FlagRun[];
}

/** New events by mailbox, written in this order. */
export interface Decided<Result> {
  readonly events: ReadonlyMap<string, readonly MailboxEvent[]>;
  readonly result: Result;
}

export interface Command<Facts, Result> {
  /** All mailboxes that events may be for; they must exist. */
  readonly mailboxes: readonly string[];
  /** Those of them whose messages matter. */
  readonly whole: readonly string[];
  readonly messages: number;
  readonly origin: Origin;
  /**
   * The caller has not called `Tail.current`: it is decided by what is at hand. What is appended proves that to be current, or conflicts;
   * for a mailbox that nothing is appended to it is asked then.
   */
  readonly unproven?: boolean;
  /** What must be read beside; what others do to the mailboxes until it is decided must not matter to it, or be seen in them. */
  read(): Promise<Facts>;
  /** Told what the result will be if what was decided gets written, while that is under way. It may come to another, then it is told again. */
  readonly ahead?: ((result: Result) => void) | undefined;
  /** Pure. @throws what is told to the caller: this command is not done, those beside it are. */
  decide(present: (mailbox: string) => Present, facts: Facts): Decided<Result>;
}

interface Waiting extends Command<unknown, unknown> {
  facts: unknown;
  readAt: number;
  trouble?: Unread;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Outcome {
  readonly command: Waiting;
  readonly events: ReadonlyMap<string, readonly MailboxEvent[]>;
  readonly result: unknown;
}

/**
 * Where a process decides about mailboxes. Commands that come while a mailbox is being written to wait, and are then decided one after
 * another and written together: sessions of one process never lose a race against each other. Between processes the loser reads what has
 * changed and decides again.
 */
export class Desk {
  #queue: Waiting[] = [];
  readonly #busy = new Set<string>();
  #pumping = false;

  constructor(
    private readonly engine: Engine,
    private readonly holdings: Holdings,
    private readonly tail: Pick<Tail, 'current'>,
  ) {}

  /** The caller has called `Tail.current`, or says that it has not. @throws MailboxRefusal */
  async run<Facts, Result>(command: Command<Facts, Result>): Promise<Result> {
    const readAt = performance.now();
    const facts = await command.read();
    return new Promise<Result>((resolve, reject) => {
      this.#queue.push({ ...command, facts, readAt, resolve, reject } as unknown as Waiting);
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#pumping || this.#queue.length === 0) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      for (const batch of this.#take()) {
        const mailboxes = new Set(batch.flatMap((command) => command.mailboxes));
        for (const id of mailboxes) this.#busy.add(id);
        void this.#settle(batch).finally(() => {
          for (const id of mailboxes) this.#busy.delete(id);
          this.#pump();
        });
      }
    });
  }

  /** In order of arrival; those that share a mailbox together. */
  #take(): readonly (readonly Waiting[])[] {
    const closed = new Set(this.#busy);
    let batches: { readonly ids: Set<string>; readonly commands: Waiting[]; messages: number }[] = [];
    this.#queue = this.#queue.filter((command) => {
      const near = batches.filter(({ ids }) => command.mailboxes.some((id) => ids.has(id)));
      const messages = near.reduce((sum, batch) => sum + batch.messages, command.messages);
      const commands = near.flatMap((batch) => batch.commands);
      const full = commands.length > 0 && (commands.length >= MOST_COMMANDS || messages > MOST_MESSAGES);
      if (full || command.mailboxes.some((id) => closed.has(id))) {
        for (const id of command.mailboxes) closed.add(id);
        return true;
      }
      const ids = new Set([...near.flatMap((batch) => [...batch.ids]), ...command.mailboxes]);
      batches = [...batches.filter((batch) => !near.includes(batch)), { ids, commands: [...commands, command], messages }];
      return false;
    });
    return batches.map(({ commands }) => commands);
  }

  /** Never rejects. */
  async #settle(batch: readonly Waiting[]): Promise<void> {
    let left = batch;
    let asked = false;
    for (let attempt = 1; left.length > 0; attempt++) {
      const sheets = await this.#sheets(left);
      const outcomes = (await this.#ready(left, sheets)).flatMap((command) => outcomeOf(command, sheets));
      left = outcomes.map(({ command }) => command);
      try {
        if (!asked && !(await this.#proven(outcomes, sheets))) {
          // What is read from here on is current enough: it is newer than the question.
          asked = true;
          continue;
        }
        const writing = this.#write(outcomes, sheets);
        const telling = outcomes.some(({ command }) => command.ahead) ? setImmediate(tellAhead, outcomes) : undefined;
        await writing.finally(() => clearImmediate(telling));
        for (const { command, result } of outcomes) command.resolve(result);
        return;
      } catch (error) {
        if (error instanceof VersionConflict && attempt < ATTEMPTS) {
          for (const sheet of sheets.values()) if (error.streams.includes(mailboxStream(sheet.holding.id))) sheet.holding.saw(sheet.version + 1);
          continue;
        }
        for (const { holding } of sheets.values()) holding.forget();
        // One command's data may be at fault: each on its own.
        if (left.length > 1 && surelyFailed(error)) for (const one of left) await this.#settle([one]);
        else for (const command of left) command.reject(error);
        return;
      }
    }
  }

  /** Is what these were decided by current, as far as their own append does not prove it? */
  async #proven(outcomes: readonly Outcome[], sheets: ReadonlyMap<string, Sheet>): Promise<boolean> {
    const appended = new Set(outcomes.flatMap(({ events }) => [...events].filter(([, its]) => its.length > 0).map(([id]) => id)));
    const open = new Set(outcomes.flatMap(({ command }) => (command.unproven ? command.mailboxes.filter((id) => !appended.has(id)) : [])));
    if (open.size === 0) return true;
    await this.tail.current();
    return [...open].every((id) => {
      const sheet = sheets.get(id);
      return sheet !== undefined && !sheet.holding.behind && sheet.holding.version === sheet.version;
    });
  }

  /** The mailboxes as they are now; those that are not there are absent. */
  async #sheets(commands: readonly Waiting[]): Promise<ReadonlyMap<string, Sheet>> {
    const whole = new Set(commands.flatMap((command) => command.whole));
    const sheets = new Map<string, Sheet>();
    const ids = [...new Set(commands.flatMap((command) => command.mailboxes))];
    const found = await Promise.all(ids.map((id) => this.holdings.find(id, whole.has(id)).catch((error: unknown) => new Unread(error))));
    ids.forEach((id, i) => {
      const holding = found[i];
      if (holding instanceof Unread) for (const command of commands) if (command.mailboxes.includes(id)) command.trouble = holding;
      if (holding && !(holding instanceof Unread)) sheets.set(id, new Sheet(holding, holding.head));
    });
    return sheets;
  }

  /** Those that can be decided; the others are told why not. */
  async #ready(commands: readonly Waiting[], sheets: ReadonlyMap<string, Sheet>): Promise<readonly Waiting[]> {
    const ready: Waiting[] = [];
    for (const command of commands) {
      try {
        if (command.trouble) throw command.trouble.error;
        const missing = command.mailboxes.find((id) => !sheets.has(id));
        if (missing !== undefined) throw new MailboxRefusal('nonexistent', missing);
        if (performance.now() - command.readAt > FRESH) {
          command.readAt = performance.now();
          command.facts = await command.read();
        }
        ready.push(command);
      } catch (error) {
        command.reject(error);
      }
    }
    return ready;
  }

  async #write(outcomes: readonly Outcome[], sheets: ReadonlyMap<string, Sheet>): Promise<void> {
    const appends = new Map<string, { readonly stream: string; readonly expected: number; readonly events: Recorded[] }>();
    for (const { command, events } of outcomes)
      for (const [id, its] of events) {
        if (its.length === 0) continue;
        const append = appends.get(id) ?? { stream: mailboxStream(id), expected: sheets.get(id)?.version ?? 0, events: [] };
        appends.set(id, append);
        for (const event of record(its, this.engine, command.origin, {})) append.events.push(event);
      }
    if (appends.size === 0) return;
    await this.engine.store.append([...appends.values()]);
    for (const id of appends.keys()) sheets.get(id)?.written();
  }
}

class Unread {
  constructor(readonly error: unknown) {}
}

/** A mailbox while a batch is being decided. */
class Sheet implements Present {
  readonly version: number;
  keywords: ReadonlyMap<string, string>;
  readonly #draft: Draft | undefined;
  readonly #events: MailboxEvent[] = [];

  constructor(
    readonly holding: Holding,
    public head: MailboxHead,
  ) {
    this.version = holding.version;
    this.keywords = holding.keywords;
    this.#draft = holding.columns && new Draft(holding.columns);
  }

  runsOf(ranges: readonly UidRange[]): readonly FlagRun[] {
    return this.#draft?.runsOf(ranges) ?? [];
  }

  take(events: readonly MailboxEvent[]): void {
    for (const event of events) this.#events.push(event);
    this.#draft?.take(events);
    this.head = events.at(-1)?.data.head ?? this.head;
    this.keywords = keywordsAfter(this.keywords, events);
  }

  written(): void {
    this.holding.take(this.version, this.#events);
  }
}

/** Once the statements have left: what is done now is done while the database works. */
function tellAhead(outcomes: readonly Outcome[]): void {
  for (const { command, result } of outcomes)
    try {
      command.ahead?.(result);
    } catch {
      continue; // what could not be made ahead is made when the answer is due, and the mistake shows there
    }
}

/** What the command comes to after those before it; nothing where it is refused, which it is told. */
function outcomeOf(command: Waiting, sheets: ReadonlyMap<string, Sheet>): readonly Outcome[] {
  try {
    const { events, result } = command.decide((id) => sheets.get(id) as Sheet, command.facts);
    for (const [id, its] of events) sheets.get(id)?.take(its);
    return [{ command, events, result }];
  } catch (error) {
    command.reject(error);
    return [];
  }
}
