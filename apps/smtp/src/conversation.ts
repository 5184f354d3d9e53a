import { extensions } from '@kiroku/domain/smtp/ehlo.js';
import { type Command, type Fault, LONGEST_LINE, parse } from '@kiroku/domain/smtp/grammar.js';
import { isRefusal, multiline, type Reason, reply } from '@kiroku/domain/smtp/replies.js';
import { type Act, type Envelope, type In, type Of, type Session, type Step, step, transactionOf } from '@kiroku/domain/smtp/session.js';
import { LineTooLong } from '@kiroku/infra/net/connection.js';
import { authenticate, mechanismsFor } from './authentication.js';
import type { Dialogue } from './dialogue.js';
import { IncomingBody } from './incoming-body.js';
import { SessionRules } from './rules.js';
import { receiveChunk, receiveData, swallow, type Transfer } from './transfer.js';
import { verify } from './verify.js';

const HELP = 'EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY EXPN HELP QUIT STARTTLS AUTH';

/** The commands of one connection, after the greeting. */
export class Conversation {
  /** Lines read as commands. */
  commands = 0;

  private session: Session = { phase: 'connected' };
  private readonly rules: SessionRules;
  /** The message under way, between BDAT chunks too. */
  private body: IncomingBody | undefined;

  constructor(private readonly dialogue: Dialogue) {
    this.rules = new SessionRules(dialogue);
  }

  /**
   * Runs until the client or the server ends it; `dialogue.over` then says why.
   * @throws ConnectionEnded, and what is a bug. The transaction under way is written down as given up in any case.
   */
  async run(): Promise<void> {
    const { dialogue } = this;
    try {
      if (!dialogue.connection.tls) await this.refuseTlsHello();
      while (dialogue.over === undefined) {
        let line: Buffer | Fault | undefined;
        try {
          const read = dialogue.connection.readLine(LONGEST_LINE - 2);
          line = read instanceof Promise ? await read : read;
        } catch (error) {
          if (!(error instanceof LineTooLong)) throw error;
          line = TOO_LONG;
        }
        if (line === undefined) dialogue.over = 'gone';
        else {
          const command = line instanceof Uint8Array ? parse(line) : line;
          this.commands++;
          if ('fault' in command) this.fault(command);
          else await this.obey(command);
        }
      }
    } finally {
      this.abandon('disconnect');
    }
  }

  /** A client that starts TLS on a plain port would otherwise wait for us to answer, and we for its end of line. */
  private async refuseTlsHello(): Promise<void> {
    const { dialogue } = this;
    const { connection } = dialogue;
    // Whoever waits for our greeting gets it now; who says nothing for so long is waited for by the next read.
    if (connection.waiting === 0 && !(await connection.pause(HELLO_TIME))) return;
    const first = await connection.readSome(LONGEST_LINE);
    if (first === undefined) dialogue.over = 'gone';
    else if (first[0] === TLS_HANDSHAKE) {
      dialogue.over = 'not-smtp'; // no reply: it would not understand words
      dialogue.noteRefused('?', 'not-smtp', '');
    } else connection.unread(first);
  }

  private fault({ fault, verb }: Fault): void {
    const { dialogue } = this;
    dialogue.noteRefused(verb, fault, fault === 'not-smtp' ? dialogue.close('not-smtp') : dialogue.refuse(fault));
  }

  private async obey(command: Command): Promise<void> {
    let found: Step;
    try {
      const next = step(this.session, command, this.rules);
      found = next instanceof Promise ? await next : next;
    } catch (error) {
      // An outage behind a rule. Never 5xx: nobody has said no.
      this.dialogue.trouble(error);
      return this.refuse(command, 'temporary-failure');
    }
    const { session, next } = found;
    if ('say' in next && isRefusal(reply(next.say))) return this.refuse(command, next.say, next.detail);
    if (transactionOf(this.session) && !transactionOf(session)) this.abandon(command.verb);
    this.session = session;
    if ('say' in next) this.dialogue.say(next.say);
    else this.session = await this.act(next.act, session, command);
  }

  /** Says no and writes down which rule said it: with the message, if the command belonged to one, else with the session. */
  private async refuse(command: Command, reason: Reason, detail?: string): Promise<void> {
    const { dialogue } = this;
    if (command.verb === 'BDAT' && !(await swallow(dialogue, command.size))) dialogue.over = 'gone';
    if (dialogue.over !== undefined) return;
    const why = { rule: reason, reply: dialogue.refuse(reason), detail };
    const transaction = transactionOf(this.session);
    if (command.verb === 'MAIL' && reason !== 'out-of-order') {
      const login = 'client' in this.session ? this.session.client.login : undefined;
      dialogue.messageRefused({ id: this.rules.queueId(), sender: command.from.text, recipients: [], login }, 'MAIL', why);
    } else if (command.verb === 'RCPT' && transaction) dialogue.recipientRefused(transaction.mail.id, command.to.text, why);
    else dialogue.noteRefused(command.verb, reason, why.reply);
  }

  /** Does what the session table asks for. @returns the session after it. */
  private async act(what: Act, session: Session, command: Command): Promise<Session> {
    const { dialogue } = this;
    // The table pairs each act with the verb and the phase it stands for; the compiler cannot see that.
    switch (what) {
      case 'hello':
        this.hello(command as Of<'EHLO' | 'HELO'>);
        return session;
      case 'start-tls':
        await this.startTls();
        return session;
      case 'authenticate': {
        const login = await authenticate(dialogue, command as Of<'AUTH'>);
        const { client } = session as In<'greeted'>;
        return login ? { phase: 'greeted', client: { ...client, login } } : session;
      }
      case 'read-data': {
        this.body = new IncomingBody(dialogue.on.bodies, 'dot-stuffed', dialogue.settings.messageSize);
        return this.transferred(await receiveData(dialogue, session as In<'data'>, this.body), session as In<'data'>);
      }
      case 'read-chunk': {
        const envelope = session as In<'chunks'>;
        this.body ??= new IncomingBody(dialogue.on.bodies, envelope.mail.body === 'BINARYMIME' ? 'binary' : 'plain', dialogue.settings.messageSize);
        return this.transferred(await receiveChunk(dialogue, envelope, this.body, command as Of<'BDAT'>), envelope);
      }
      case 'verify':
      case 'expand':
        await verify(dialogue, command as Of<'VRFY' | 'EXPN'>, 'client' in session ? session.client.login : undefined);
        return session;
      case 'help':
        dialogue.say('help', { text: HELP });
        return session;
      case 'close':
        dialogue.close('bye', 'quit');
        return session;
    }
  }

  private transferred(how: Transfer, envelope: In<'data'> | In<'chunks'>): Session {
    if (how === 'gone') this.dialogue.over = 'gone';
    if (how !== 'ended') return envelope;
    this.body = undefined;
    return { phase: 'greeted', client: envelope.client };
  }

  private hello({ verb, domain }: Of<'EHLO' | 'HELO'>): void {
    const { dialogue } = this;
    dialogue.helo = domain;
    if (verb === 'HELO') {
      dialogue.say('hello');
      return;
    }
    const { messageSize, recipientsPerMessage } = dialogue.settings;
    const offer = { tls: this.rules.tls, messageSize, recipientsPerMessage, mechanisms: mechanismsFor(dialogue) };
    dialogue.connection.write(`${multiline('250', [dialogue.host, ...extensions(offer)])}\r\n`);
  }

  private async startTls(): Promise<void> {
    const { dialogue } = this;
    dialogue.say('tls-ready');
    // What came in the clear behind STARTTLS could be anyone's (RFC 3207 §4.2, CVE-2011-0411).
    dialogue.connection.discardWaiting();
    const tls = await dialogue.connection.startTls();
    dialogue.helo = undefined;
    dialogue.note({ type: 'TlsStarted', data: tls });
  }

  /** The client ended the transaction under way, if there is one: nothing of it is kept. */
  private abandon(phase: string): void {
    const transaction: Pick<Envelope, 'mail' | 'recipients'> | undefined = transactionOf(this.session);
    const size = this.body?.taken ?? 0;
    this.body?.abort();
    this.body = undefined;
    if (!transaction) return;
    const { mail, recipients } = transaction;
    const login = 'client' in this.session ? this.session.client.login : undefined;
    this.dialogue.messageRefused({ ...mail, recipients, login, size }, phase, { rule: 'client-gave-up', reply: '' });
  }
}

const TOO_LONG: Fault = { fault: 'line-too-long', verb: '?' };
/** First byte of a TLS record that holds a ClientHello (RFC 8446 §5.1). */
const TLS_HANDSHAKE = 0x16;
/** ms within which a TLS client has sent its hello. */
const HELLO_TIME = 10_000;
