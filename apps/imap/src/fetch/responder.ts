import { printDateTime } from '@kiroku/domain/imap/grammar/dates.js';
import { printEnvelope, printStructure } from '@kiroku/domain/imap/structure-print.js';
import type { StoredMessage } from '@kiroku/domain/mailbox/store-port.js';
import type { Structure } from '@kiroku/domain/mime/structure.js';
import { ConnectionEnded } from '@kiroku/infra/net/connection.js';
import { BATCH } from '../announce.js';
import { Octets } from '../octets.js';
import { nstring } from '@kiroku/domain/imap/grammar/strings.js';
import { BrokenOff } from '../refusal.js';
import type { Selected } from '../selected.js';
import type { Session } from '../session.js';
import { type Value, valueOf } from './bodies.js';
import type { FetchPlan, Step } from './plan.js';

/** Messages whose stored facts are looked up at once. */
const AT_ONCE = 1_000;
/** Messages whose octets are read before it is their turn, each at most 64 KiB per item. */
const AHEAD = 16;

const NONE = Promise.resolve(undefined);

/** What became of a FETCH. */
export interface Fetched {
  /** Some are no longer there. */
  readonly missing: boolean;
  /** Some could not be read: the cause of the first one. */
  readonly trouble: Error | undefined;
}

/** Prints one column of the snapshot. */
type Column = (uid: number, index: number) => string;
type Ready = readonly (string | Value)[];

/** Answers FETCH for messages of the selected mailbox, in memory that depends neither on their number nor on their size. */
export class FetchResponder {
  private missing = false;
  private trouble: Error | undefined;
  /** What waits to be written: each character is an octet. */
  private text = '';

  constructor(
    private readonly session: Session,
    private readonly selected: Selected,
    private readonly plan: FetchPlan,
  ) {}

  /** @param uids ascending. @throws BrokenOff, ConnectionEnded, No, or what the mailbox store throws. */
  async run(uids: Uint32Array): Promise<Fetched> {
    if (this.plan.stored) for (let at = 0; at < uids.length; at += AT_ONCE) await this.batch(Array.from(uids.subarray(at, at + AT_ONCE)));
    else await this.flagsOnly(uids);
    this.write();
    return { missing: this.missing, trouble: this.trouble };
  }

  /** Nothing but columns of the snapshot. */
  private async flagsOnly(uids: Uint32Array): Promise<void> {
    const { live, tracker } = this.selected;
    const columns = this.plan.steps.map((step) => this.columnOf(step));
    let seq = 0;
    for (const uid of uids) {
      // Nearly always the next one, and at the same place here and there.
      seq = seq < tracker.size && tracker.uid(seq + 1) === uid ? seq + 1 : tracker.seq(uid);
      const index = live.uids[seq - 1] === uid && seq <= live.count ? seq - 1 : live.indexOf(uid);
      if (index < 0) {
        this.missing = true;
        continue;
      }
      let line = this.session.uidOnly ? `* ${uid} UIDFETCH (` : `* ${seq} FETCH (`;
      for (let i = 0; i < columns.length; i++) line += `${i === 0 ? '' : ' '}${(columns[i] as Column)(uid, index)}`;
      this.text += `${line})\r\n`;
      if (this.text.length >= BATCH) {
        const room = this.send();
        if (room) await room;
      }
    }
  }

  private async batch(uids: readonly number[]): Promise<void> {
    const { ports } = this.session;
    const messages = await ports.mailboxes.messages(this.selected.live.id, uids);
    if (messages.length < uids.length) this.missing = true;
    if (this.plan.seen) await this.markSeen(messages);
    const structures = this.plan.structure ? await this.structures(messages) : [];
    const ready: Promise<Ready | undefined>[] = [];
    for (let i = 0; i < messages.length; i++) {
      if (this.plan.bodies) while (ready.length < Math.min(messages.length, i + AHEAD)) ready.push(this.prepare(messages[ready.length] as StoredMessage, structures[ready.length]));
      const message = messages[i] as StoredMessage;
      const parts = this.plan.bodies ? await ready[i] : this.ready(message, structures[i]);
      ready[i] = NONE;
      if (parts) await this.answer(message.uid, parts);
    }
  }

  /** RFC 9051 §6.4.5: reading marks as read, where the mailbox may be changed. */
  private async markSeen(messages: readonly StoredMessage[]): Promise<void> {
    const { selected, session } = this;
    const { live } = selected;
    if (selected.readOnly || !selected.may('s')) return;
    const fresh = messages.map(({ uid }) => uid).filter((uid) => {
      const index = live.indexOf(uid);
      return index >= 0 && !live.flagsOf(index).includes('\\Seen');
    });
    if (fresh.length === 0) return;
    const stored = await session.ports.mailboxes.storeFlags(session.accountId, live.id, { uids: fresh, operation: 'add', flags: ['\\Seen'] }, session.origin);
    await live.stored(stored);
    const tells = (item: string): boolean => this.plan.steps.some((step) => step.kind === 'plain' && step.item === item);
    if (tells('FLAGS') && (tells('MODSEQ') || !session.condstore)) selected.knows(stored.changed);
  }

  private async structures(messages: readonly StoredMessage[]): Promise<readonly (Structure | undefined)[]> {
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

  private ready(message: StoredMessage, structure: Structure | undefined): Ready | undefined {
    if (this.plan.structure && !structure) return undefined;
    return this.plan.steps.map((step) => this.plain(step, message, structure));
  }

  private async prepare(message: StoredMessage, structure: Structure | undefined): Promise<Ready | undefined> {
    if (this.plan.structure && !structure) return undefined;
    const octets = new Octets(message, this.session.ports.bodies);
    const parts: (string | Value)[] = [];
    try {
      for (const step of this.plan.steps) parts.push(step.kind === 'plain' ? this.plain(step, message, structure) : await valueOf(step, octets, structure));
      return parts;
    } catch (error) {
      this.trouble ??= error as Error;
      return undefined;
    }
  }

  private async answer(uid: number, parts: Ready): Promise<void> {
    this.text += this.opening(uid);
    for (const [i, part] of parts.entries()) {
      if (i > 0) this.text += ' ';
      if (typeof part === 'string') this.text += part;
      else await this.value(part);
    }
    this.text += ')\r\n';
    if (this.text.length < BATCH) return;
    const room = this.send();
    if (room) await room;
  }

  private async value(value: Value): Promise<void> {
    this.text += value.text;
    if ('bytes' in value) {
      this.write();
      this.session.output.write(value.bytes);
      const room = this.session.output.room();
      if (room) await room;
    } else if ('stream' in value) await this.stream(value.stream(), value.size);
  }

  /** @throws BrokenOff when the octets that were promised cannot be had. */
  private async stream(chunks: AsyncIterable<Uint8Array>, size: number): Promise<void> {
    let left = size;
    try {
      for await (const chunk of chunks) {
        if (left === size) this.write();
        left -= chunk.length;
        this.session.output.write(chunk);
        const room = this.session.output.room();
        if (room) await room;
      }
      if (left !== 0) throw new Error('a body is shorter or longer than it says');
    } catch (error) {
      if (error instanceof ConnectionEnded) throw error;
      throw new BrokenOff('a body failed while it was being sent', { cause: error });
    }
  }

  private write(): void {
    if (this.text === '') return;
    this.session.output.write(Buffer.from(this.text, 'latin1'));
    this.text = '';
  }

  private send(): void | Promise<void> {
    this.write();
    return this.session.output.room();
  }

  private opening(uid: number): string {
    return this.session.uidOnly ? `* ${uid} UIDFETCH (` : `* ${this.selected.tracker.seq(uid)} FETCH (`;
  }

  private columnOf(step: Step): Column {
    // Read anew each time: an expunge on the way makes new arrays.
    const { live } = this.selected;
    switch (step.kind === 'plain' ? step.item : undefined) {
      case 'UID':
        return (uid) => `UID ${uid}`;
      case 'FLAGS':
        return (_, index) => `FLAGS ${live.printed[live.flags[index] as number]}`;
      case 'MODSEQ':
        return (_, index) => `MODSEQ (${live.modSeqs[index]})`;
      default:
        return () => 'THREADID NIL';
    }
  }

  private plain(step: Step, message: StoredMessage, structure: Structure | undefined): string {
    if (step.kind !== 'plain') throw new TypeError('not a plain item');
    const { uid } = message;
    switch (step.item) {
      case 'UID':
      case 'THREADID':
      case 'FLAGS':
      case 'MODSEQ': {
        const index = this.selected.live.indexOf(uid);
        // Gone while it was being fetched: what it had is not known any more.
        return index < 0 && step.item === 'FLAGS' ? 'FLAGS ()' : index < 0 && step.item === 'MODSEQ' ? `MODSEQ (${this.selected.live.status.highestModSeq})` : this.columnOf(step)(uid, index);
      }
      case 'RFC822.SIZE':
        return `RFC822.SIZE ${message.size}`;
      case 'INTERNALDATE':
        return `INTERNALDATE ${printDateTime(message.receivedAt)}`;
      case 'SAVEDATE':
        return `SAVEDATE ${printDateTime(message.savedAt)}`;
      case 'EMAILID':
        return `EMAILID (${message.emailId})`;
      case 'PREVIEW':
        return `PREVIEW ${octetsOf(nstring(structure?.preview, this.session.utf8))}`;
      case 'ENVELOPE':
        return `ENVELOPE ${structure ? printEnvelope(structure.envelope, this.session.utf8) : 'NIL'}`;
      case 'BODY':
        return `BODY ${structure ? printStructure(structure.root, false, this.session.utf8) : 'NIL'}`;
      case 'BODYSTRUCTURE':
        return `BODYSTRUCTURE ${structure ? printStructure(structure.root, true, this.session.utf8) : 'NIL'}`;
    }
  }
}

/** Text as the octets of its UTF-8. */
const octetsOf = (text: string): string => Buffer.from(text).toString('latin1');
