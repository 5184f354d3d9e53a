import type { BadCommand, Command } from '@kiroku/domain/imap/grammar/commands.js';
import { CommandReader, type LiteralNeeded, READER_LIMITS, type ReaderMode, type Step } from '@kiroku/domain/imap/grammar/command-reader.js';
import { outOfOrder } from '@kiroku/domain/imap/session/phases.js';
import { ConnectionEnded, LineTooLong } from '@kiroku/infra/net/connection.js';
import { Intake } from './intake.js';
import { completionOf } from './refusal.js';
import type { Session } from './session.js';

/** Octets read from a literal at a time. */
const CHUNK = 64 * 1024;
/** Octets of a literal that nobody wants and that are read away all the same; a client that sends more is not worth waiting for. */
const UNWANTED = 256 * 1024 * 1024;

/** Where the session's commands come from: reads lines and literals off the connection, and leads messages to the object store. */
export class CommandSource {
  private readonly reader = new CommandReader();
  private intake: Intake | undefined;

  constructor(private readonly session: Session) {}

  /** The next command; undefined when the client has left. @throws ConnectionEnded */
  async next(): Promise<Command | BadCommand | undefined> {
    for (;;) {
      const line = await this.line();
      if (line === undefined) return undefined;
      let step = line === 'too-long' ? this.reader.tooLong() : this.reader.line(line, this.mode());
      while (step.step === 'literal') {
        const refused = await this.literal(step);
        if (!refused) break;
        step = refused;
      }
      if (step.step === 'command') return step.command;
      if (step.step === 'bad') return step.bad;
    }
  }

  /** The messages that came with the command. */
  get messages(): Intake {
    return (this.intake ??= new Intake(this.session));
  }

  /** Forgets the messages of the command, unless they were kept. */
  forget(): void {
    const { intake } = this;
    this.intake = undefined;
    if (intake) void intake.abort().catch((error: unknown) => this.session.trouble(error));
  }

  private mode(): ReaderMode {
    const { phase, utf8, enabled, settings } = this.session;
    return {
      authenticated: phase !== 'not-authenticated', utf8,
      utf8Accept: enabled.has('UTF8=ACCEPT'),
      messageLimit: settings.imapAppendLimit || Infinity,
    };
  }

  private async line(): Promise<Buffer | 'too-long' | undefined> {
    try {
      const line = this.session.connection.readLine(READER_LIMITS.line);
      return line instanceof Promise ? await line : line;
    } catch (error) {
      if (error instanceof LineTooLong) return 'too-long';
      throw error;
    }
  }

  /** @returns the step that follows when the command is refused for it. */
  private async literal(needed: LiteralNeeded): Promise<Step | undefined> {
    switch (needed.into) {
      case 'memory':
        this.invite(needed);
        this.reader.literal(await this.gather(needed.size));
        return undefined;
      case 'message':
        return this.message(needed);
      case 'nowhere':
        if (needed.size > UNWANTED) {
          this.session.output.untagged('BYE Too much');
          this.session.hangUp('errors');
          throw new ConnectionEnded('gone');
        }
        await this.read(needed.size, () => undefined);
        this.reader.skipped();
        return undefined;
    }
  }

  private async message(needed: LiteralNeeded): Promise<Step | undefined> {
    const { session } = this;
    try {
      if (!needed.head) throw new Error('a message without its command');
      const problem = outOfOrder(session.phase, needed.head.verb);
      if (problem !== undefined) return this.reader.refuse({ status: 'BAD', text: problem });
      await this.messages.begin(needed.head, needed.size);
    } catch (error) {
      if (error instanceof ConnectionEnded) throw error;
      const known = completionOf(error, true);
      if (!known) session.trouble(error);
      const { status, code, text } = known ?? { status: 'NO', code: 'UNAVAILABLE', text: 'Trouble on our side, try again later' };
      return this.reader.refuse({ status: status === 'BAD' ? 'BAD' : 'NO', text, ...(code !== undefined && { code }) });
    }
    this.invite(needed);
    await this.read(needed.size, (chunk) => this.messages.take(chunk, needed.binary));
    this.reader.skipped();
    return undefined;
  }

  private invite({ sync }: LiteralNeeded): void {
    if (sync) this.session.output.line('+ go on');
  }

  private async gather(size: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    await this.read(size, (chunk) => void chunks.push(chunk));
    return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
  }

  private async read(size: number, take: (chunk: Buffer) => void | Promise<void>): Promise<void> {
    for (let left = size; left > 0; ) {
      const next = this.session.connection.readSome(Math.min(left, CHUNK));
      const chunk = next instanceof Promise ? await next : next;
      if (!chunk) throw new ConnectionEnded('gone');
      left -= chunk.length;
      const taken = take(chunk);
      if (taken) await taken;
    }
  }
}
