import type { Command, Garbage, Verb } from './grammar.js';
import { Listing } from './listing.js';
import type { Snapshot } from './maildrop.js';
import { type Argument, type Language, languageFor, LANGUAGES, type ReplyName } from './replies.js';

interface Mode {
  readonly language: Language;
  /** UTF-8 mode of RFC 6856 §2. */
  readonly utf8: boolean;
}

/** RFC 1939 §3. `named`: USER was said, PASS is due. `update`: QUIT was said, the marked messages are being removed. */
export type Session =
  | ({ readonly phase: 'authorization' } & Mode)
  | ({ readonly phase: 'named'; readonly user: string } & Mode)
  | ({ readonly phase: 'transaction'; readonly listing: Listing } & Mode)
  | ({ readonly phase: 'update' } & Mode)
  | ({ readonly phase: 'closed' } & Mode);

export type Phase = Session['phase'];

/** What this connection may use at this moment. */
export interface Offer {
  readonly stls: 'available' | 'active' | 'unavailable';
  /** USER and PASS, and with them SASL PLAIN and LOGIN. */
  readonly passwords: 'yes' | 'after-tls' | 'no';
  /** SASL mechanisms that may be used now. */
  readonly mechanisms: readonly string[];
  /** Mechanisms that may be used once TLS is on. */
  readonly mechanismsAfterTls: readonly string[];
  /** Product and version for IMPLEMENTATION; undefined hides it. */
  readonly implementation: string | undefined;
}

/** A step's answer, or what the server has to do to find the answer. */
export type Outcome =
  | { readonly do: 'reply'; readonly reply: ReplyName; readonly args: readonly Argument[] }
  /** The reply, these lines, and the line with the dot. No line begins with a dot. */
  | { readonly do: 'lines'; readonly reply: ReplyName; readonly args: readonly Argument[]; readonly lines: Iterable<string> }
  | { readonly do: 'start-tls' }
  | { readonly do: 'login'; readonly user: string; readonly password: string }
  | { readonly do: 'apop'; readonly user: string; readonly digest: string }
  | { readonly do: 'sasl'; readonly mechanism: string; readonly initial: string | undefined }
  /** `lines`: of the body, for TOP; undefined: the whole message. */
  | { readonly do: 'send'; readonly uid: number; readonly size: number; readonly lines: number | undefined }
  | { readonly do: 'remove'; readonly uids: readonly number[] };

type In<P extends Phase> = Extract<Session, { readonly phase: P }>;
type Of<V extends Verb> = Extract<Command, { readonly verb: V }>;
type Step = readonly [Session, Outcome];
type Handler<P extends Phase, V extends Verb> = (session: In<P>, command: Of<V>, offer: Offer) => Step;
type Table = { readonly [P in Phase]: { readonly [V in Verb]?: Handler<P, V> } };

export const BEGIN: Session = { phase: 'authorization', language: 'en', utf8: false };

const reply = (session: Session, name: ReplyName, ...args: Argument[]): Step => [session, { do: 'reply', reply: name, args }];
const lines = (session: Session, name: ReplyName, all: Iterable<string>, ...args: Argument[]): Step => [
  session,
  { do: 'lines', reply: name, args, lines: all },
];

const mode = ({ language, utf8 }: Session): Mode => ({ language, utf8 });
const unnamed = (session: Session): Session => ({ phase: 'authorization', ...mode(session) });

const name = (session: In<'authorization' | 'named'>, { user }: Of<'USER'>, { passwords }: Offer): Step => {
  if (passwords === 'yes') return reply({ phase: 'named', user, ...mode(session) }, 'send-password');
  return reply(unnamed(session), passwords === 'no' ? 'method-off' : 'tls-required');
};

/** RFC 1939 §7: after PASS has failed the client begins again at USER. */
const login = (session: In<'named'>, { password }: Of<'PASS'>): Step => [unnamed(session), { do: 'login', user: session.user, password }];

const apop = (session: Session, { user, digest }: Of<'APOP'>): Step => [session, { do: 'apop', user, digest }];

const authenticate = (session: Session, { mechanism, initial }: Of<'AUTH'>, offer: Offer): Step => {
  if (mechanism === undefined) return lines(session, 'mechanisms', offer.mechanisms);
  if (offer.mechanisms.includes(mechanism)) return [session, { do: 'sasl', mechanism, initial }];
  return reply(session, offer.mechanismsAfterTls.includes(mechanism) ? 'tls-required' : 'method-off');
};

const startTls = (session: Session, _: Of<'STLS'>, { stls }: Offer): Step => {
  if (stls === 'available') return [session, { do: 'start-tls' }];
  return reply(session, stls === 'active' ? 'tls-active' : 'tls-unavailable');
};

const capabilities = (session: Session, _: Of<'CAPA'>, offer: Offer): Step => {
  const before = session.phase !== 'transaction';
  const all = ['TOP', 'UIDL', 'RESP-CODES', 'AUTH-RESP-CODE', 'PIPELINING', 'EXPIRE NEVER', 'UTF8 USER', 'LANG'];
  if (offer.passwords === 'yes') all.push('USER');
  if (offer.mechanisms.length > 0) all.push(`SASL ${offer.mechanisms.join(' ')}`);
  if (before && offer.stls === 'available') all.push('STLS');
  if (offer.implementation !== undefined) all.push(`IMPLEMENTATION ${offer.implementation}`);
  return lines(session, 'capabilities', all);
};

const language = (session: Session, { range }: Of<'LANG'>): Step => {
  if (range === undefined) return lines(session, 'languages', Object.entries(LANGUAGES).map(([tag, itself]) => `${tag} ${itself}`));
  const found = languageFor(range);
  return found ? reply({ ...session, language: found }, 'language', found) : reply(session, 'unknown-language');
};

const one = (session: In<'transaction'>, message: number, value: (at: { uid: number; size: number }) => Argument): Step => {
  const at = session.listing.at(message);
  return typeof at === 'string' ? reply(session, at) : reply(session, 'one', message, value(at));
};

const list = (session: In<'transaction'>, { message }: Of<'LIST'>): Step => {
  const { listing } = session;
  if (message !== undefined) return one(session, message, ({ size }) => size);
  return lines(session, 'listing', listing.scan(), listing.count, listing.octets);
};

const uidl = (session: In<'transaction'>, { message }: Of<'UIDL'>): Step => {
  const { listing } = session;
  if (message !== undefined) return one(session, message, ({ uid }) => listing.uidl(uid));
  return lines(session, 'uidls', listing.uidls());
};

const send = (session: In<'transaction'>, command: Of<'RETR'> | Of<'TOP'>): Step => {
  const at = session.listing.at(command.message);
  if (typeof at === 'string') return reply(session, at);
  return [session, { do: 'send', ...at, lines: command.verb === 'TOP' ? command.lines : undefined }];
};

const mark = (session: In<'transaction'>, { message }: Of<'DELE'>): Step => {
  const at = session.listing.at(message);
  if (typeof at === 'string') return reply(session, at);
  session.listing.mark(message);
  return reply(session, 'deleted', message);
};

const reset = (session: In<'transaction'>): Step => {
  session.listing.reset();
  return reply(session, 'reset', session.listing.count, session.listing.octets);
};

const update = (session: In<'transaction'>): Step => {
  const uids = session.listing.marked();
  return uids.length === 0 ? leave(session) : [{ phase: 'update', ...mode(session) }, { do: 'remove', uids }];
};

const leave = (session: Session): Step => reply({ phase: 'closed', ...mode(session) }, 'bye');

const anytime = { CAPA: capabilities, LANG: language };

/** RFC 1939 §§4-6 as a table: a verb missing from a row gets -ERR there. */
const TABLE: Table = {
  authorization: {
    ...anytime,
    USER: name,
    APOP: apop,
    AUTH: authenticate,
    STLS: startTls,
    UTF8: (session) => reply({ ...session, utf8: true }, 'utf8-mode'),
    QUIT: leave,
  },
  named: { ...anytime, USER: name, PASS: login, QUIT: leave },
  transaction: {
    ...anytime,
    STAT: (session) => reply(session, 'stat', session.listing.count, session.listing.octets),
    LIST: list,
    UIDL: uidl,
    RETR: send,
    TOP: send,
    DELE: mark,
    RSET: reset,
    NOOP: (session) => reply(session, 'nothing'),
    QUIT: update,
  },
  update: {},
  closed: {},
};

/** One line's command in, next session and what to do out. */
export function step(session: Session, command: Command | Garbage, offer: Offer): Step {
  if ('problem' in command) return reply(command.problem === 'not-pop3' ? close(session) : session, command.problem);
  // The table pairs phase and verb with their handler; the compiler cannot carry that pairing across a lookup.
  const handle = TABLE[session.phase][command.verb] as ((s: Session, c: Command, o: Offer) => Step) | undefined;
  return handle ? handle(session, command, offer) : reply(session, 'out-of-order');
}

/** After a login whose maildrop is open and locked. */
export function enter(session: Session, uidValidity: number, snapshot: Snapshot): Step {
  const listing = new Listing(uidValidity, snapshot);
  return reply({ phase: 'transaction', listing, ...mode(session) }, 'logged-in', listing.count, listing.octets);
}

/** After QUIT's removals. */
export const finish = (session: Session, removed: boolean): Step => reply(close(session), removed ? 'bye' : 'not-removed');

export const close = (session: Session): Session => ({ phase: 'closed', ...mode(session) });

/** RFC 2595 §4: nothing that was said before TLS counts after it. */
export const secured = (): Session => BEGIN;
