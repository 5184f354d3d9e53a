import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import type { SessionFact } from '@kiroku/domain/mail/events.js';
import type { Settings } from '@kiroku/domain/policy/settings-schema.js';
import { COMMAND_LIMIT, type Command, type Garbage, isTlsHello, parse } from '@kiroku/domain/pop3/grammar.js';
import type { Maildrop } from '@kiroku/domain/pop3/maildrop.js';
import { type Argument, isRefusal, render, type ReplyName } from '@kiroku/domain/pop3/replies.js';
import { BEGIN, close, enter, finish, type Offer, type Outcome, secured, type Session, step } from '@kiroku/domain/pop3/session.js';
import { MECHANISMS, sendsPassword } from '@kiroku/infra/auth/sasl.js';
import { type Connection, ConnectionEnded, LineTooLong } from '@kiroku/infra/net/connection.js';
import { attempt, type LoginOutcome } from './login.js';
import { BrokenOff, NotSent, sendMessage } from './message.js';
import { Output } from './output.js';
import type { Pop3Listener, Pop3Options, Pop3Ports } from './ports.js';

/** Refusals that are not the client's mistakes: they do not count towards the limit of command errors. */
const NOT_ITS_FAULT: ReadonlySet<ReplyName> = new Set(['in-use', 'gone', 'damaged', 'unavailable', 'needs-utf8', 'trouble']);

/** ms to look out for a TLS client. */
const FIRST_WORD = 60_000;

/** How a conversation ended. */
export type Ending = 'quit' | 'client-left' | 'errors' | 'locked-out' | 'not-pop3' | 'body-failed';

/** One client's session from the banner to the end: reads, asks the table, does what it says. */
export class Conversation {
  commands = 0;
  private session: Session = BEGIN;
  private errors = 0;
  private ending: Ending = 'quit';
  private drop: Maildrop | undefined;
  private account: AccountFacts | undefined;
  private readonly output: Output;
  private readonly listener: Pop3Listener;
  private readonly host: string;

  constructor(
    private readonly connection: Connection,
    private readonly ports: Pop3Ports,
    private readonly options: Pop3Options,
    private readonly settings: Settings,
    /** See Admission. */
    private readonly digests = true,
  ) {
    this.output = new Output(connection);
    this.listener = options.listeners?.[connection.listener] ?? {};
    this.host = settings.hostname || options.host;
  }

  /** @param unique left part of the timestamp. @throws ConnectionEnded. The maildrop is given back in any case. */
  async run(unique: string): Promise<Ending> {
    const timestamp = `<${unique}@${this.host}>`;
    this.output.line(render('greeting', 'en', [this.host, timestamp]));
    try {
      if (await this.isForeign()) this.end('not-pop3', 'not-pop3', '');
      while (this.session.phase !== 'closed') {
        const command = await this.read();
        if (!command) return 'client-left';
        await this.answer(command, timestamp);
      }
      return this.ending;
    } finally {
      await this.release();
    }
  }

  /** A TLS client's hello may hold no line end to wait for. (`pause` rather than a read: it does not hold up a shutdown.) */
  private async isForeign(): Promise<boolean> {
    if (!(await this.connection.pause(FIRST_WORD))) return false;
    const first = await this.connection.readSome(2);
    if (first) this.connection.unread(first);
    return first !== undefined && isTlsHello(first);
  }

  private async read(): Promise<Command | Garbage | 'line-too-long' | undefined> {
    try {
      const next = this.connection.readLine(COMMAND_LIMIT);
      const line = next instanceof Promise ? await next : next;
      if (!line) return undefined;
      this.commands += 1;
      return parse(line);
    } catch (error) {
      if (error instanceof LineTooLong) return 'line-too-long';
      throw error;
    }
  }

  private async answer(command: Command | Garbage | 'line-too-long', timestamp: string): Promise<void> {
    if (command === 'line-too-long') return this.say('line-too-long', [], '');
    const [session, outcome] = step(this.session, command, this.offer());
    this.session = session;
    switch (outcome.do) {
      case 'reply':
        if (outcome.reply === 'not-pop3') this.ending = 'not-pop3';
        // A client that reads +OK may come back at once: the lock must be free by then.
        if (session.phase === 'closed') await this.release();
        return this.say(outcome.reply, outcome.args, command.verb);
      case 'lines':
        return this.output.lines(render(outcome.reply, session.language, outcome.args), outcome.lines);
      case 'start-tls':
        return this.startTls();
      case 'send':
        return this.send(outcome, command.verb);
      case 'remove':
        return this.remove(outcome.uids);
      case 'login':
      case 'apop':
      case 'sasl':
        return this.login(outcome, timestamp, command.verb);
    }
  }

  private offer(): Offer {
    const { stls = true, apopOnly = false } = this.listener;
    const tls = this.connection.tls !== undefined;
    const passwords = apopOnly ? 'no' : tls || this.settings.plainAuthWithoutTls ? 'yes' : stls ? 'after-tls' : 'no';
    const possible = apopOnly ? [] : MECHANISMS.filter((mechanism) => this.digests || mechanism !== 'CRAM-MD5');
    const may = (when: Offer['passwords']) => possible.filter((mechanism) => !sendsPassword(mechanism) || passwords === when);
    return {
      stls: tls ? 'active' : stls ? 'available' : 'unavailable',
      passwords,
      mechanisms: may('yes'),
      mechanismsAfterTls: may('after-tls'),
      implementation: this.settings.showVersion ? this.options.product.replaceAll(' ', '-') : undefined,
    };
  }

  private async startTls(): Promise<void> {
    this.output.line(render('begin-tls', this.session.language));
    const tls = await this.connection.startTls();
    this.session = secured();
    this.note({ type: 'TlsStarted', data: tls });
  }

  private async login(outcome: LoginOutcome, timestamp: string, verb: string): Promise<void> {
    const { connection, host, ports } = this;
    const defaultDomain = this.listener.defaultDomain ?? (this.settings.defaultDomain || undefined);
    try {
      const tried = await attempt(outcome, { authenticator: ports.authenticator, connection, host, timestamp, defaultDomain });
      if ('reply' in tried) return this.say(tried.reply, [], verb);
      const { mechanism, login, result } = tried;
      const who = { protocol: 'pop3', peer: connection.peer, mechanism };
      if (!result.ok) {
        this.note({ type: 'LoginFailed', data: { ...who, login: login.slice(0, 320), rule: result.reason } });
        return await this.loginFailed();
      }
      this.note({ type: 'LoginSucceeded', data: { ...who, login: result.login, account: result.account.id } });
      await this.open(result.account, verb);
    } catch (error) {
      if (error instanceof ConnectionEnded) throw error;
      this.ports.trouble(error, connection.id);
      this.say('trouble', [], verb);
    }
  }

  /** The failure counts before the client hears of it: hanging up early does not spare it the lockout. */
  private async loginFailed(): Promise<void> {
    const { id, peer } = this.connection;
    this.count();
    await this.ports.admission.failed('pop3', peer.ip, id);
    const { refused } = await this.ports.admission.admit('pop3', peer.ip);
    if (refused) this.hangUp('locked-out');
    this.output.line(render('login-failed', this.session.language));
  }

  private async open(account: AccountFacts, verb: string): Promise<void> {
    const drop = await this.ports.maildrops.open(account);
    if (drop === 'in-use') return this.say('in-use', [], verb);
    this.drop = drop;
    this.account = account;
    const [session, outcome] = enter(this.session, drop.uidValidity, drop.snapshot);
    this.session = session;
    if (outcome.do === 'reply') this.say(outcome.reply, outcome.args, verb);
  }

  private async send({ uid, size, lines }: Extract<Outcome, { do: 'send' }>, verb: string): Promise<void> {
    const { language, utf8 } = this.session;
    const reply = lines === undefined ? render('message', language, [size]) : render('top', language);
    try {
      if (this.drop) await sendMessage(this.drop, this.ports.bodies, { uid, lines, reply, utf8 }, this.output);
    } catch (error) {
      if (error instanceof NotSent) {
        if (error.cause !== undefined) this.ports.trouble(error.cause, this.connection.id);
        return this.say(error.reply, [], verb);
      }
      if (!(error instanceof BrokenOff)) throw error;
      this.ports.trouble(error.cause, this.connection.id);
      this.refused(verb, 'body-failed', '');
      this.hangUp('body-failed');
    }
  }

  private async remove(uids: readonly number[]): Promise<void> {
    const { connection, account, drop } = this;
    let removed = true;
    try {
      await drop?.expunge(uids, { actor: account ? `account:${account.id}` : `session:${connection.id}`, correlation: connection.id });
    } catch (error) {
      removed = false;
      this.ports.trouble(error, connection.id);
    }
    await this.release();
    const [session, outcome] = finish(this.session, removed);
    this.session = session;
    if (outcome.do === 'reply') this.say(outcome.reply, outcome.args, 'QUIT');
  }

  private async release(): Promise<void> {
    const drop = this.drop;
    this.drop = undefined;
    try {
      await drop?.close();
    } catch (error) {
      this.ports.trouble(error, this.connection.id);
    }
  }

  private say(reply: ReplyName, args: readonly Argument[], verb: string): void {
    if (!isRefusal(reply)) return this.output.line(render(reply, this.session.language, args));
    const last = !NOT_ITS_FAULT.has(reply) && this.count();
    const line = render(last ? 'too-many-errors' : reply, this.session.language, args);
    this.refused(verb, reply, line);
    this.output.line(line);
  }

  /** @returns whether it was one too many. Nothing marked is removed then. */
  private count(): boolean {
    this.errors += 1;
    const { commandErrors } = this.settings;
    if (commandErrors === 0 || this.errors < commandErrors || this.session.phase === 'closed') return false;
    this.hangUp('errors');
    return true;
  }

  private end(ending: Ending, reply: ReplyName, verb: string): void {
    this.hangUp(ending);
    this.say(reply, [], verb);
  }

  private hangUp(ending: Ending): void {
    this.ending = ending;
    this.session = close(this.session);
  }

  private refused(verb: string, rule: string, reply: string): void {
    this.note({ type: 'CommandRefused', data: { protocol: 'pop3', peer: this.connection.peer, verb, rule, reply } });
  }

  private note(fact: SessionFact): void {
    this.ports.log.note(this.connection.id, fact);
  }
}
