import type { Entry } from '@kiroku/domain/kernel/event-log.js';
import { record } from '@kiroku/domain/kernel/execute.js';
import type { MailFact, Peer, SessionFact } from '@kiroku/domain/mail/events.js';
import { ipMatcher } from '@kiroku/domain/mail/ip.js';
import type { Settings } from '@kiroku/domain/policy/settings-schema.js';
import { isCommandError, type Reason, reply as replyOf } from '@kiroku/domain/smtp/replies.js';
import type { Envelope, Login } from '@kiroku/domain/smtp/session.js';
import type { Connection } from '@kiroku/infra/net/connection.js';
import type { SmtpDependencies } from './dependencies.js';
import type { FactTrail } from './fact-trail.js';

/** Why something was refused, as the record shows it. */
export interface Why {
  /** The reason's literal. */
  readonly rule: string;
  /** The exact reply. */
  readonly reply: string;
  readonly detail?: string | undefined;
}

/** What there was of a message that was not taken. */
export interface Refused extends Pick<Envelope, 'recipients'> {
  readonly id: string;
  readonly sender: string;
  readonly login?: Login | undefined;
  readonly size?: number;
}

/** One connection with all that its parts share: what to say, what to write down. */
export class Dialogue {
  /** As the client introduced itself, for the record. */
  helo: string | undefined;
  /** Recipients refused in the transaction under way, still to be written down with its end, so that a message's facts keep their order. */
  refused: Entry[] = [];
  /** Command errors so far. */
  errors = 0;
  /** Why the conversation is over; undefined while it goes on. */
  over: string | undefined;
  /** Name of this server. */
  readonly host: string;

  private isTrusted: boolean | undefined;

  constructor(
    readonly connection: Connection,
    readonly on: SmtpDependencies,
    readonly settings: Settings,
    private readonly trail: FactTrail,
    /** See Admission. */
    readonly digests = true,
  ) {
    this.host = settings.hostname === '' ? on.hostname : settings.hostname;
  }

  get peer(): Peer {
    const { ip, port } = this.connection.peer;
    return this.helo === undefined ? { ip, port } : { ip, port, helo: this.helo };
  }

  /** The client's address may relay without login. */
  get trusted(): boolean {
    this.isTrusted ??= ipMatcher(this.settings.trustedIps)(this.connection.peer.ip);
    return this.isTrusted;
  }

  /** Queues a reply. @returns it, without CRLF. */
  say(reason: Reason, values: Readonly<Record<string, string | number>> = {}): string {
    const text = replyOf(reason, { host: this.host, ...values });
    this.connection.write(`${text}\r\n`);
    return text;
  }

  /** The last thing said. */
  close(reason: Reason, why: string = reason): string {
    this.over ??= why;
    return this.say(reason);
  }

  /** A refusal; the one that uses up the client's errors is said as 421 instead, and is the last. @returns the exact reply. */
  refuse(reason: Reason): string {
    const { commandErrors } = this.settings;
    if (isCommandError(replyOf(reason)) && ++this.errors >= commandErrors && commandErrors > 0) return this.close('too-many-errors');
    return this.say(reason);
  }

  /** Something behind us failed; the client hears 4xx and no more. */
  trouble(error: unknown): void {
    this.on.trouble(error);
  }

  note(fact: SessionFact): void {
    this.on.sessions.note(this.connection.id, fact);
  }

  noteRefused(verb: string, rule: string, text: string): void {
    this.note({ type: 'CommandRefused', data: { protocol: 'smtp', peer: this.peer, verb, rule, reply: text } });
  }

  /** A fact about the message `id`, ready for the log. */
  entry(id: string, fact: MailFact): Entry {
    const [event] = record([fact], this.on, { actor: `session:${this.connection.id}`, correlation: id }, NO_UPGRADES);
    if (!event) throw new RangeError('one fact makes one event');
    return { topic: 'mail', key: id, event };
  }

  recipientRefused(id: string, address: string, { rule, reply, detail }: Why): void {
    const data = { messageId: id, session: this.connection.id, address, rule, reply, ...(detail !== undefined && { detail }) };
    this.refused.push(this.entry(id, { type: 'RecipientRefused', data }));
  }

  /** Writes down, without waiting, that a transaction ended without acceptance, and the recipients refused in it. */
  messageRefused(message: Refused, phase: string, { rule, reply, detail }: Why): void {
    const { tls, id: session, listener } = this.connection;
    const { id, sender, login, recipients, size = 0 } = message;
    const fact: MailFact = {
      type: 'MessageRefused',
      data: {
        messageId: id,
        session,
        listener,
        peer: this.peer,
        ...(tls && { tls }),
        ...(login && { login: login.address }),
        sender,
        recipients: recipients.map(({ address }) => address),
        size,
        phase,
        rule,
        reply,
        ...(detail !== undefined && { detail }),
      },
    };
    this.trail.add([...this.refused, this.entry(id, fact)]);
    this.refused = [];
  }
}

/** The mail facts have had one shape so far. */
const NO_UPGRADES = {};
