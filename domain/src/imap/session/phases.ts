import type { Verb } from '../grammar/commands.js';

/** RFC 9051 §3. `logout`: the connection is ending. */
export type Phase = 'not-authenticated' | 'authenticated' | 'selected' | 'logout';

const ANYTIME = ['CAPABILITY', 'NOOP', 'LOGOUT', 'ID'] as const satisfies readonly Verb[];

const LOGGED_IN = [
  ...ANYTIME,
  'ENABLE', 'COMPRESS', 'UNAUTHENTICATE', 'IDLE', 'NAMESPACE', 'NOTIFY',
  'SELECT', 'EXAMINE', 'CREATE', 'DELETE', 'RENAME', 'SUBSCRIBE', 'UNSUBSCRIBE', 'LIST', 'LSUB', 'STATUS', 'APPEND',
  'GETQUOTA', 'GETQUOTAROOT', 'SETQUOTA', 'GETACL', 'SETACL', 'DELETEACL', 'LISTRIGHTS', 'MYRIGHTS', 'GETMETADATA', 'SETMETADATA',
] as const satisfies readonly Verb[];

const SELECTED = [
  'CHECK', 'CLOSE', 'UNSELECT', 'EXPUNGE', 'FETCH', 'STORE', 'COPY', 'MOVE', 'REPLACE', 'SEARCH', 'SORT', 'THREAD',
] as const satisfies readonly Verb[];

/**
 * RFC 9051 §6 as a table: a verb missing from a row is out of order there. COMPRESS before login is allowed by RFC 4978, but a server
 * need not offer it there, and inflating for strangers helps nobody.
 */
const TABLE: Readonly<Record<Phase, ReadonlySet<Verb>>> = {
  'not-authenticated': new Set<Verb>([...ANYTIME, 'STARTTLS', 'AUTHENTICATE', 'LOGIN']),
  authenticated: new Set<Verb>(LOGGED_IN),
  selected: new Set<Verb>([...LOGGED_IN, ...SELECTED]),
  logout: new Set<Verb>(),
};

/** What is wrong with a command in this phase; undefined when it may go on. */
export function outOfOrder(phase: Phase, verb: Verb): string | undefined {
  if (TABLE[phase].has(verb)) return undefined;
  if (TABLE['not-authenticated'].has(verb)) return 'Already logged in';
  return phase === 'not-authenticated' ? 'Log in first' : 'Select a mailbox first';
}

/** Sequence numbers in their arguments or answers must stay what they were: no EXPUNGE during these (RFC 9051 §7.5.1, RFC 5256 §3). */
const NUMBERED: ReadonlySet<Verb> = new Set<Verb>(['FETCH', 'STORE', 'SEARCH', 'SORT', 'THREAD']);

/** May EXPUNGE or VANISHED be sent before the tagged response to this command? The UID forms are commands of their own. */
export const mayExpunge = (verb: Verb, uid: boolean): boolean => uid || !NUMBERED.has(verb);

/** Commands that name messages by sequence number unless they have the UID prefix: refused once UIDONLY is enabled (RFC 9586 §3). */
const COUNTING: ReadonlySet<Verb> = new Set<Verb>(['FETCH', 'STORE', 'SEARCH', 'SORT', 'THREAD', 'COPY', 'MOVE', 'REPLACE']);

export const needsUid = (verb: Verb): boolean => COUNTING.has(verb);
