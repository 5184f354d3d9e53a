import type { BadCommand, Command } from '@kiroku/domain/imap/grammar/commands.js';
import { mayExpunge, needsUid, outOfOrder } from '@kiroku/domain/imap/session/phases.js';
import { ConnectionEnded } from '@kiroku/infra/net/connection.js';
import { announce } from './announce.js';
import { CommandSource } from './command-source.js';
import { HANDLERS } from './dispatch.js';
import { capabilityList, LoginRefused } from './login.js';
import { withProgress } from './progress.js';
import { BrokenOff, type Completion, completionOf, No } from './refusal.js';
import type { Session } from './session.js';
import { stillReadable } from './shared-access.js';

/** ms to look out for a client that is none. */
const FIRST_WORD = 60_000;

/** A browser's first word, or a TLS hello where plain text is due. */
const FOREIGN = /^(?:(?:GET|POST|PUT|HEAD|OPTIONS|DELETE|CONNECT|PATCH) |\x16\x03)/;

/** Takes the session's commands one after another, from the greeting to the end. */
export class Conversation {
  commands = 0;
  private errors = 0;
  private readonly source: CommandSource;

  /** @param asked told of each command. */
  constructor(private readonly session: Session, private readonly asked: () => void) {
    this.source = new CommandSource(session);
  }

  /** @throws ConnectionEnded. What the session holds is given back in any case. */
  async run(): Promise<void> {
    const { session } = this;
    session.output.untagged(`OK [CAPABILITY ${capabilityList(session)}] ${session.host} ready`);
    try {
      if (await this.isForeign()) return this.leave();
      while (session.phase !== 'logout') {
        session.notifications?.resume();
        const next = await session.listen(() => this.source.next());
        await session.notifications?.pause();
        // Put out while it waited: what has come meanwhile is not answered.
        if (session.ending === 'account-off' || session.ending === 'password-changed') return;
        if (!next) return session.hangUp('client-left');
        this.commands += 1;
        this.asked();
        if ('status' in next) this.refuse(next);
        else await this.perform(next);
        this.source.forget();
      }
    } finally {
      this.source.forget();
      session.release();
    }
  }

  private async isForeign(): Promise<boolean> {
    const { connection } = this.session;
    if (!(await connection.pause(FIRST_WORD))) return false;
    const first = await connection.readSome(16);
    if (first) connection.unread(first);
    return first !== undefined && FOREIGN.test(first.toString('latin1'));
  }

  private leave(): void {
    this.session.output.untagged('BYE This is IMAP');
    this.session.refused('', 'not-imap', '');
    this.session.hangUp('not-imap');
  }

  private refuse({ tag, verb, status, code, text }: BadCommand): void {
    this.answer(tag, verb ?? '', { status, code, text }, status === 'BAD');
  }

  private async perform(command: Command): Promise<void> {
    const { session } = this;
    const { tag, verb, uid } = command;
    const problem = outOfOrder(session.phase, verb);
    if (problem !== undefined) return this.answer(tag, verb, { status: 'BAD', text: problem }, true);
    if (session.uidOnly && needsUid(verb) && !uid) {
      return this.answer(tag, verb, { status: 'BAD', code: 'UIDREQUIRED', text: 'Only UIDs are in use' }, true);
    }
    let counts = false;
    let completion: Completion;
    try {
      if (!(await stillReadable(session))) throw new No('The mailbox is not shared with you any more', 'NOPERM');
      completion = await withProgress(session, command, () => HANDLERS.run(session, command, this.source));
    } catch (error) {
      completion = this.trouble(error, command);
      counts = completion.status === 'BAD' || error instanceof LoginRefused;
    }
    announce(session, mayExpunge(verb, uid));
    this.answer(tag, verb, completion, counts);
    // What is switched on by the answer begins behind it.
    await HANDLERS.after(session, command, completion);
    const room = session.output.room();
    if (room) await room;
  }

  /** The answer to what a handler threw. @throws what ends the connection. */
  private trouble(error: unknown, { verb }: Command): Completion {
    if (error instanceof ConnectionEnded) throw error;
    const create = verb === 'APPEND' || verb === 'COPY' || verb === 'MOVE' || verb === 'REPLACE';
    const known = completionOf(error, create);
    if (known) return known;
    this.session.trouble(error instanceof BrokenOff ? error.cause : error);
    if (error instanceof BrokenOff) {
      this.session.refused(verb, 'body-failed', '');
      this.session.hangUp('body-failed');
      throw new ConnectionEnded('gone');
    }
    return { status: 'NO', code: error instanceof TypeError || error instanceof RangeError ? 'SERVERBUG' : 'UNAVAILABLE', text: 'Trouble on our side, try again later' };
  }

  private answer(tag: string, verb: string, { status, code, text }: Completion, counts: boolean): void {
    const { session } = this;
    const line = `${tag} ${status} ${code === undefined ? '' : `[${code}] `}${text}`;
    session.output.line(line);
    if (status === 'OK') return;
    session.refused(verb, code ?? status, line.slice(tag.length + 1));
    // Who is put out for another reason has heard BYE already.
    if (session.ending === 'locked-out') return session.output.untagged('BYE Good bye');
    if (session.phase === 'logout') return;
    if (!counts) return;
    this.errors += 1;
    const { commandErrors } = session.settings;
    if (commandErrors === 0 || this.errors < commandErrors) return;
    session.output.untagged('BYE Too many errors');
    session.hangUp('errors');
  }
}
