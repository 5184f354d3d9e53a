import type { Origin } from '../kernel/event.js';
import type { BodyRef } from '../kernel/object-store.js';

/** What is in the way; the protocol says it in its own words (RFC 9051 §7.1, RFC 5530). */
export type MailboxTrouble =
  | 'nonexistent'
  | 'already-exists'
  | 'bad-name'
  | 'no-permission'
  | 'has-children'
  | 'inbox'
  | 'over-quota'
  | 'too-many'
  | 'too-big'
  | 'in-use'
  | 'read-only';

/** A mailbox command that cannot be done; the mailbox is as it was. */
export class MailboxRefusal extends Error {
  constructor(
    readonly trouble: MailboxTrouble,
    readonly mailbox = '',
  ) {
    super(`${trouble}: ${mailbox}`);
  }
}

/** Letters of RFC 4314 §2.1: l r s w i p k x t e a. The owner has all. */
export type Rights = string;

/** RFC 6154, with the backslash, as written there: `\Sent`. */
export type SpecialUse = '\\All' | '\\Archive' | '\\Drafts' | '\\Flagged' | '\\Junk' | '\\Sent' | '\\Trash' | '\\Important';

/** A mailbox as one account sees it. */
export interface Folder {
  readonly id: string;
  /** The owner's account id and address. */
  readonly accountId: string;
  readonly owner: string;
  /** Its name in the owner's tree: UTF-8, NFC, `/` between levels, `INBOX` in capitals. */
  readonly path: string;
  /** The name by which the asking account knows it: the same, or `#Shared/<owner's address>/<path>`. */
  readonly name: string;
  readonly rights: Rights;
  readonly subscribed: boolean;
  readonly specialUse: readonly SpecialUse[];
}

/** STATUS, without the counts that need the flags. */
export interface MailboxStatus {
  readonly id: string;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly highestModSeq: number;
  readonly messages: number;
  /** Octets (STATUS=SIZE). */
  readonly bytes: number;
}

/**
 * What a session keeps of a mailbox: three columns, ordered by UID, of equal length. `flags[i]` is an index into `flagSets`; a set is a
 * sorted list of flags (system flags as `\Seen`, keywords as stored first). 16 bytes a message: a mailbox of a million fits. Sessions of a
 * process share the columns: nobody writes into them.
 */
export interface Snapshot {
  readonly status: MailboxStatus;
  readonly uids: Uint32Array;
  readonly modSeqs: Float64Array;
  readonly flags: Uint32Array;
  readonly flagSets: readonly (readonly string[])[];
}

export interface FlagChange {
  readonly uid: number;
  readonly modSeq: number;
  readonly flags: readonly string[];
}

/** Messages whose UIDs follow each other, first and last included, that all have this: what is marked in bulk is one run. */
export interface FlagRun {
  readonly first: number;
  readonly last: number;
  readonly modSeq: number;
  readonly flags: readonly string[];
}

/** All that happened after a MODSEQ, in order of UID. A message that came and went in between is not in it. */
export interface Changes {
  readonly status: MailboxStatus;
  readonly appended: readonly FlagChange[];
  readonly flagged: readonly FlagRun[];
  /** Ascending. */
  readonly vanished: readonly number[];
}

/** What FETCH needs of a message besides its flags. */
export interface StoredMessage {
  readonly uid: number;
  /** RFC822.SIZE. */
  readonly size: number;
  /** INTERNALDATE and SAVEDATE, epoch ms; for mail delivered within a minute the same. */
  readonly receivedAt: number;
  readonly savedAt: number;
  /** EMAILID (RFC 8474): the same for equal content. THREADID is not kept. */
  readonly emailId: string;
  /** Queue id; '' for a message that a client put there. */
  readonly messageId: string;
  /** What stands before the body for this recipient; latin1 or UTF-8 text, CRLF-ended lines; may be ''. */
  readonly prefix: string;
  readonly body: BodyRef;
}

export type FlagOperation = 'replace' | 'add' | 'remove';

export interface StoreFlags {
  readonly uids: readonly number[] | Uint32Array;
  readonly operation: FlagOperation;
  readonly flags: readonly string[];
  /** RFC 7162 §3.1.3: messages changed after this are left alone and named in `modified`. */
  readonly unchangedSince?: number;
}

export interface StoredFlags {
  /** Every message of the request that exists and was not left alone, with its flags now, ascending; unchanged ones keep their MODSEQ. */
  readonly changed: readonly FlagRun[];
  readonly modified: readonly number[];
  readonly status: MailboxStatus;
  /** The mailbox's MODSEQ before this change: who knew all up to there knows all with `changed`. Absent: ask for changes. */
  readonly before?: number;
}

/** A message on its way in by APPEND; its body is durable in the object store. */
export interface NewMessage {
  readonly body: BodyRef;
  readonly flags: readonly string[];
  /** Epoch ms; default: now. */
  readonly receivedAt?: number;
  readonly smtputf8?: boolean;
}

export interface Appended {
  readonly uidValidity: number;
  /** In the order of the messages. */
  readonly uids: readonly number[];
}

export interface Copied {
  readonly uidValidity: number;
  /** Those that existed, ascending, and what they are in the target: equal length. */
  readonly from: readonly number[];
  readonly to: readonly number[];
}

export interface Quota {
  /** Bytes; 0 = no limit. */
  readonly limit: number;
  readonly used: number;
  readonly messages: number;
}

/**
 * The mailboxes of all accounts, for IMAP and the admin API. Every command is decided against the mailbox's stream and is seen by the
 * next command on any connection when it resolves (promise 3 of the design). Rights are checked here, nowhere else.
 * `account` is the id of the account that asks.
 * @throws MailboxRefusal
 */
export interface MailboxStore {
  /** Own mailboxes, then shared ones with right `l`, each ordered by name. */
  folders(account: string): Promise<readonly Folder[]>;
  folder(account: string, name: string): Promise<Folder | undefined>;
  /** Names that are subscribed to, whether the mailbox exists or not. */
  subscriptions(account: string): Promise<readonly string[]>;
  subscribe(account: string, name: string, on: boolean, origin: Origin): Promise<void>;
  /** Superior names are made as needed. @throws already-exists, bad-name, no-permission, too-many */
  create(account: string, name: string, specialUse: readonly SpecialUse[], origin: Origin): Promise<Folder>;
  /** With inferiors the messages go and the name stays as one that cannot be selected. @throws inbox, nonexistent, no-permission */
  delete(account: string, name: string, origin: Origin): Promise<void>;
  /** Inferiors move along; INBOX's messages move to a new mailbox and INBOX stays (RFC 9051 §6.3.6). */
  rename(account: string, from: string, to: string, origin: Origin): Promise<void>;

  status(mailboxes: readonly string[]): Promise<readonly MailboxStatus[]>;
  /** How many have, and how many lack, a flag. For STATUS UNSEEN and DELETED without a snapshot. */
  count(mailbox: string, flag: string): Promise<number>;
  snapshot(mailbox: string): Promise<Snapshot | undefined>;
  /**
   * Undefined when the mailbox is gone.
   * @param uidNext as it was at that MODSEQ, where the caller knows it. Without it `vanished` may name messages that came later, too.
   * @param hinted what was known when `watch` called back is enough: nobody waits for the answer.
   */
  changes(mailbox: string, sinceModSeq: number, uidNext?: number, hinted?: boolean): Promise<Changes | undefined>;
  /**
   * Calls back soon (aim: 20 ms) after something happened in the mailbox, in whichever process; a hint, possibly for nothing.
   * @returns an end to it.
   */
  watch(mailbox: string, hint: () => void): () => void;
  /** The same for an account's list of folders, subscriptions, rights and metadata. */
  watchFolders(account: string, hint: () => void): () => void;

  /** Those of `uids` that exist, ascending; at most 1,000 at once. */
  messages(mailbox: string, uids: readonly number[]): Promise<readonly StoredMessage[]>;
  /** @param ahead told what the answer will be once it is written, while that is under way; told again when it comes to another. The answer is the same object. */
  storeFlags(account: string, mailbox: string, change: StoreFlags, origin: Origin, ahead?: (decided: StoredFlags) => void): Promise<StoredFlags>;
  /** All or none. @throws over-quota, nonexistent, no-permission */
  append(account: string, mailbox: string, messages: readonly NewMessage[], origin: Origin): Promise<Appended>;
  /** All or none; flags, INTERNALDATE and the prefix go along. */
  copy(account: string, from: string, uids: readonly number[], to: string, origin: Origin): Promise<Copied>;
  /** Copy and expunge in one decision (RFC 6851). */
  move(account: string, from: string, uids: readonly number[], to: string, origin: Origin): Promise<Copied & { readonly highestModSeq: number }>;
  /** `uids` that have `\Deleted`; undefined: all that have. @returns those expunged, ascending, and where the mailbox stands. */
  expunge(account: string, mailbox: string, uids: readonly number[] | undefined, origin: Origin): Promise<{ readonly uids: readonly number[]; readonly highestModSeq: number }>;
  /** RFC 8508: append to `to` and expunge `uid` from `from`, in one decision. */
  replace(account: string, from: string, uid: number, to: string, message: NewMessage, origin: Origin): Promise<Appended & { readonly highestModSeq: number }>;

  quota(account: string): Promise<Quota>;
  /** Bytes that may still be added to a mailbox that the account knows, as far as its owner's quota goes. A hint: `append` decides. */
  room(account: string, mailbox: string): Promise<number>;
  /** Identifier → rights, the owner first. @throws no-permission without right `a` */
  acl(account: string, name: string): Promise<readonly { readonly identifier: string; readonly rights: Rights }[]>;
  /** `identifier`: an account's address, `anyone`, `group:` and a group's name; with `-` before it: negative rights. `rights` '' removes the entry. */
  setAcl(account: string, name: string, identifier: string, rights: Rights, origin: Origin): Promise<void>;
  /** RFC 5464 entries of a mailbox (or `''`: of the account): name in lower case → value. */
  metadata(account: string, name: string): Promise<ReadonlyMap<string, string>>;
  /** A null value removes. @throws too-many, too-big */
  setMetadata(account: string, name: string, entries: readonly (readonly [entry: string, value: string | null])[], origin: Origin): Promise<void>;
}
