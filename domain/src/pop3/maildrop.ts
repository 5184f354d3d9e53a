import type { Origin } from '../kernel/event.js';
import type { BodyRef } from '../kernel/object-store.js';
import type { AccountFacts } from '../mail/directory-port.js';

/** The messages of a maildrop at login, oldest UID first: message n of POP3 is index n - 1. Typed arrays: 12 bytes a message. */
export interface Snapshot {
  readonly uids: Uint32Array;
  /** `MailboxEntry.size`: octets of prefix and body. */
  readonly sizes: Float64Array;
}

/** @param rows in UID order. */
export function snapshotOf(rows: readonly { readonly uid: number; readonly size: number }[]): Snapshot {
  const uids = new Uint32Array(rows.length);
  const sizes = new Float64Array(rows.length);
  rows.forEach(({ uid, size }, index) => {
    uids[index] = uid;
    sizes[index] = size;
  });
  return { uids, sizes };
}

/** Where a message lies. */
export interface Located {
  /** Return-Path, Delivered-To, Received: CRLF-ended lines before the body. */
  readonly prefix: string;
  readonly body: BodyRef;
  /** It was accepted with SMTPUTF8: where its header is not ASCII, only a client in UTF-8 mode may have it (RFC 6856 §2). */
  readonly smtputf8?: boolean;
}

/** One account's INBOX, held by one POP3 session. */
export interface Maildrop {
  readonly uidValidity: number;
  readonly snapshot: Snapshot;
  /** Undefined when the message has been removed by someone else since login. */
  locate(uid: number): Promise<Located | undefined>;
  /**
   * Removes those of `uids` that are still there, for good; the others are no error.
   * @throws when not all could be removed; some may be gone then.
   */
  expunge(uids: readonly number[], origin: Origin): Promise<void>;
  /** Gives the lock back. Always called, once, also after failures. */
  close(): Promise<void>;
}

export interface Maildrops {
  /**
   * Takes the exclusive lock of RFC 1939 §4 (against other POP3 sessions, on any node) and a snapshot.
   * @throws any error when the views cannot be read: temporary.
   */
  open(account: AccountFacts): Promise<Maildrop | 'in-use'>;
}
