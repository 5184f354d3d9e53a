import { type Completion, No, ok } from './refusal.js';
import type { Session } from './session.js';

/** Of these UIDs the last ones, as many as one command may work on, and how it ends then (RFC 9738 §3.1: the lowest UID that was processed). */
export function limited(session: Session, uids: Uint32Array, text: string): { readonly uids: Uint32Array; readonly completion: Completion } {
  const { imapMessageLimit: most } = session.settings;
  if (most === 0 || uids.length <= most) return { uids, completion: ok(text) };
  const some = uids.subarray(uids.length - most);
  return { uids: some, completion: ok('Not all: too many messages for one command', `MESSAGELIMIT ${most} ${some[0]}`) };
}

/** A tagged response has one code: where another is due, the limit is told before it (RFC 9738 §3.1). */
export function beside(session: Session, { code, text }: Completion, other: Completion): Completion {
  if (code !== undefined) session.output.untagged(`NO [${code}] ${text}`);
  return other;
}

/** For commands that are carried out whole or not at all. @throws No when there are more than one command may work on. */
export function within(session: Session, uids: Uint32Array): Uint32Array {
  const { imapMessageLimit: most } = session.settings;
  if (most > 0 && uids.length > most) throw new No('Too many messages for one command', `MESSAGELIMIT ${most}`);
  return uids;
}
