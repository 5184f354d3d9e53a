import { Refusal } from '../kernel/decider.js';
import type { EnvelopeRecipient } from '../mail/events.js';
import type { Command, Verb } from './grammar.js';
import type { MailParameters } from './parameters.js';
import { isReason, type Reason } from './replies.js';

/** An account that has proved who it is. */
export interface Login {
  readonly account: string;
  /** Canonical primary address. */
  readonly address: string;
}

/** Who says EHLO or HELO. */
export interface Client {
  readonly helo: string;
  readonly greeting: 'EHLO' | 'HELO';
  readonly login?: Login;
}

/** A transaction after MAIL. */
export interface Mail extends MailParameters {
  /** The queue id, taken at MAIL. */
  readonly id: string;
  /** Envelope sender; '' is the null sender. */
  readonly sender: string;
}

export interface Envelope {
  readonly client: Client;
  readonly mail: Mail;
  readonly recipients: readonly EnvelopeRecipient[];
}

/** Where a conversation stands. */
export type Session =
  /** Nothing known of the client: at the start and after STARTTLS (RFC 3207 §4.2). */
  | { readonly phase: 'connected' }
  | ({ readonly phase: 'greeted' } & Pick<Envelope, 'client'>)
  | ({ readonly phase: 'mail' } & Pick<Envelope, 'client' | 'mail'>)
  | ({ readonly phase: 'rcpt' } & Envelope)
  /** At least one BDAT without LAST was taken. */
  | ({ readonly phase: 'chunks' } & Envelope)
  /** 354 was said: what comes is no command until the end of data. */
  | ({ readonly phase: 'data' } & Envelope)
  | { readonly phase: 'closed' };

export type Phase = Session['phase'];
export type In<P extends Phase> = Extract<Session, { readonly phase: P }>;
export type Of<V extends Verb> = Extract<Command, { readonly verb: V }>;

/** What the server has to do, because it takes sockets, the store or the directory; it says the reply itself. */
export type Act = 'hello' | 'start-tls' | 'authenticate' | 'read-data' | 'read-chunk' | 'verify' | 'expand' | 'help' | 'close';

export interface Step {
  readonly session: Session;
  /** The reply, when it is known already; or what to do. */
  readonly next: { readonly say: Reason; readonly detail?: string } | { readonly act: Act };
}

/** What the decisions need to know of the outside. `sender` and `recipient` refuse by throwing a Refusal with a `Reason`. */
export interface Rules {
  readonly tls: 'active' | 'available' | 'unavailable';
  queueId(): string;
  sender(client: Client, command: Of<'MAIL'>): void | Promise<void>;
  recipient(session: Pick<Envelope, 'client' | 'mail' | 'recipients'>, command: Of<'RCPT'>): EnvelopeRecipient | Promise<EnvelopeRecipient>;
}

type Handler<P extends Phase, V extends Verb> = (session: In<P>, command: Of<V>, rules: Rules) => Step | Promise<Step>;
type Table = { readonly [P in Phase]: { readonly [V in Verb]?: Handler<P, V> } };

const say = (session: Session, reason: Reason): Step => ({ session, next: { say: reason } });
const act = (session: Session, what: Act): Step => ({ session, next: { act: what } });

const stay =
  (what: Reason | Act) =>
  (session: Session): Step =>
    isReason(what) ? say(session, what) : act(session, what);

/** RFC 5321 §4.1.4: EHLO also ends a transaction. The login outlives it. */
const greet = (session: Session, { verb, domain }: Of<'EHLO' | 'HELO'>): Step => {
  const login = 'client' in session ? session.client.login : undefined;
  return act({ phase: 'greeted', client: { helo: domain, greeting: verb, ...(login && { login }) } }, 'hello');
};
const abandon = ({ client }: Pick<Envelope, 'client'>): Step => say({ phase: 'greeted', client }, 'reset');
const quit = (): Step => act({ phase: 'closed' }, 'close');

const begin: Handler<'greeted', 'MAIL'> = ({ client }, command, rules) => {
  const go = (): Step => say({ phase: 'mail', client, mail: { id: rules.queueId(), sender: command.from.text, ...command.parameters } }, 'sender-ok');
  if (command.parameters.requireTls && rules.tls !== 'active') throw new Refusal<Reason>('unknown-parameter'); // RFC 8689 §2: not offered here
  if (command.from.utf8 && !command.parameters.smtputf8) throw new Refusal<Reason>('utf8-not-requested');
  const checked = rules.sender(client, command);
  return checked ? checked.then(go) : go();
};

const address = (session: In<'mail'> | In<'rcpt'>, command: Of<'RCPT'>, rules: Rules): Step | Promise<Step> => {
  const { client, mail } = session;
  const recipients = session.phase === 'rcpt' ? session.recipients : [];
  if (command.to.utf8 && !mail.smtputf8) throw new Refusal<Reason>('utf8-not-requested');
  const go = (recipient: EnvelopeRecipient): Step => say({ phase: 'rcpt', client, mail, recipients: [...recipients, recipient] }, 'recipient-ok');
  const checked = rules.recipient({ client, mail, recipients }, command);
  return checked instanceof Promise ? checked.then(go) : go(checked);
};

const data: Handler<'rcpt', 'DATA'> = (session) =>
  session.mail.body === 'BINARYMIME' ? say(session, 'binary-needs-bdat') : act({ ...session, phase: 'data' }, 'read-data'); // RFC 3030 §3
const chunk = (session: In<'rcpt'> | In<'chunks'>): Step => act({ ...session, phase: 'chunks' }, 'read-chunk');

const startTls = (session: Session, _: Of<'STARTTLS'>, { tls }: Rules): Step => {
  if (tls === 'available') return act({ phase: 'connected' }, 'start-tls');
  return say(session, tls === 'active' ? 'tls-active' : 'not-offered');
};
const authenticate = (session: In<'greeted'>): Step => (session.client.login ? say(session, 'authenticated-already') : act(session, 'authenticate'));

const anytime = { EHLO: greet, HELO: greet, NOOP: stay('nothing-done'), HELP: (s: Session) => act(s, 'help'), QUIT: quit };
const known = { ...anytime, VRFY: stay('verify'), EXPN: stay('expand') };

/**
 * RFC 5321 §4.1.4 as a table: a verb missing from a row is out of order there. STARTTLS and AUTH stand outside transactions
 * (RFC 3207 §4, RFC 4954 §4); DATA and BDAT do not mix, and after the first chunk the envelope is fixed (RFC 3030 §2).
 */
const TABLE: Table = {
  connected: { ...known, RSET: stay('reset'), STARTTLS: startTls },
  greeted: { ...known, RSET: stay('reset'), STARTTLS: startTls, AUTH: authenticate, MAIL: begin },
  mail: { ...known, RSET: abandon, RCPT: address },
  rcpt: { ...known, RSET: abandon, RCPT: address, DATA: data, BDAT: chunk },
  chunks: { ...known, RSET: abandon, BDAT: chunk },
  data: {},
  closed: {},
};

/** Verbs that have a cell in that row. For tests and for HELP. */
export const verbsIn = (phase: Phase): readonly string[] => Object.keys(TABLE[phase]);

/**
 * One command in, next session and reply out. Not a promise unless a rule had to ask somebody.
 * @throws whatever a rule throws that is no Refusal with a known reason: an outage, answered 451 4.3.0 by the caller; the session stays.
 */
export function step(session: Session, command: Command, rules: Rules): Step | Promise<Step> {
  // The table pairs phase and verb with their handler; the compiler cannot carry that pairing across a lookup.
  const handle = TABLE[session.phase][command.verb] as ((s: Session, c: Command, r: Rules) => Step | Promise<Step>) | undefined;
  if (!handle) return say(session, 'out-of-order');
  const refuse = (no: unknown): Step => {
    const refusal = refusalOf(no);
    if (!refusal) throw no;
    const { reason, detail } = refusal;
    return { session, next: { say: reason, ...(detail !== undefined && { detail }) } };
  };
  try {
    const next = handle(session, command, rules);
    return next instanceof Promise ? next.catch(refuse) : next;
  } catch (no) {
    return refuse(no);
  }
}

/** The refusal that an error is, if it has one of our reasons; anything else is an outage or a bug. */
export function refusalOf(error: unknown): Refusal<Reason> | undefined {
  return error instanceof Refusal && isReason((error as Refusal).reason) ? (error as Refusal<Reason>) : undefined;
}

/** The transaction under way, if any. */
export const transactionOf = (session: Session): { readonly mail: Mail; readonly recipients: readonly EnvelopeRecipient[] } | undefined => {
  switch (session.phase) {
    case 'connected':
    case 'greeted':
    case 'closed':
      return undefined;
    case 'mail':
      return { mail: session.mail, recipients: [] };
    case 'rcpt':
    case 'chunks':
    case 'data':
      return session;
  }
};
