import type { FetchItem } from './fetch-item.js';
import type { SearchKey } from './search-key.js';
import type { Ranges, SequenceSet } from './sequence-set.js';

/**
 * A command with sound syntax. Mailbox names are UTF-8 strings in NFC (modified UTF-7 is undone), `INBOX` in capitals; the hierarchy
 * separator is `/`. Flags are spelled `\Seen` …, keywords as sent. Instants are epoch ms.
 */
export type Command = { readonly tag: string; /** The UID prefix was there. */ readonly uid: boolean } & Arguments;
export type Verb = Arguments['verb'];
/** The command of one verb: `Of<'FETCH'>`. */
export type Of<V extends Verb> = Command & { readonly verb: V };

/** One member per verb, so that a table keyed by verb can name each one's type. */
type Each<V extends string, Args = unknown> = V extends V ? { readonly verb: V } & Args : never;

export type Arguments =
  | Each<
      | 'CAPABILITY' | 'NOOP' | 'LOGOUT' | 'STARTTLS' | 'CHECK' | 'CLOSE' | 'UNSELECT' | 'IDLE' | 'NAMESPACE' | 'UNAUTHENTICATE'
    >
  | Login
  | Naming
  | Messages
  | Administration;

type Login =
  | { readonly verb: 'LOGIN'; readonly user: string; readonly password: string }
  /** `mechanism` in capitals. `initial`: base64 as sent, '' for `=` (RFC 4959). */
  | { readonly verb: 'AUTHENTICATE'; readonly mechanism: string; readonly initial?: string }
  /** RFC 2971; null: `ID NIL`. */
  | { readonly verb: 'ID'; readonly fields: readonly (readonly [name: string, value: string | null])[] | null }
  /** In capitals. */
  | { readonly verb: 'ENABLE'; readonly capabilities: readonly string[] }
  /** In capitals: `DEFLATE`. */
  | { readonly verb: 'COMPRESS'; readonly mechanism: string };

type Naming =
  | Each<'SELECT' | 'EXAMINE', { readonly mailbox: string; readonly condstore: boolean; readonly qresync?: Qresync }>
  /** A separator at the end of the name is taken off. `specialUse`: as `\Sent`. */
  | { readonly verb: 'CREATE'; readonly mailbox: string; readonly specialUse: readonly string[] }
  | Each<'DELETE' | 'SUBSCRIBE' | 'UNSUBSCRIBE', { readonly mailbox: string }>
  | { readonly verb: 'RENAME'; readonly from: string; readonly to: string }
  | List
  | { readonly verb: 'LSUB'; readonly reference: string; readonly pattern: string }
  | { readonly verb: 'STATUS'; readonly mailbox: string; readonly items: readonly StatusItem[] };

/** RFC 7162 §3.2.5. `uids`: what the client knows; `match`: message numbers and their UIDs, pair by pair. */
export interface Qresync {
  readonly uidValidity: number;
  readonly modSeq: number;
  readonly uids?: Ranges;
  readonly match?: { readonly numbers: Ranges; readonly uids: Ranges };
}

/** RFC 5258, 5819, 6154, 8440. `extended`: anything beyond the basic syntax was used. */
export interface List {
  readonly verb: 'LIST';
  readonly reference: string;
  /** At least one. A single '' asks for the separator (RFC 9051 §6.3.9). */
  readonly patterns: readonly string[];
  readonly extended: boolean;
  readonly select: { readonly subscribed: boolean; readonly remote: boolean; readonly recursiveMatch: boolean; readonly specialUse: boolean };
  readonly returns: {
    readonly subscribed: boolean;
    readonly children: boolean;
    readonly specialUse: boolean;
    readonly myRights: boolean;
    readonly status?: readonly StatusItem[];
  };
}

export const STATUS_ITEMS = [
  'MESSAGES', 'RECENT', 'UIDNEXT', 'UIDVALIDITY', 'UNSEEN', 'DELETED', 'SIZE', 'HIGHESTMODSEQ', 'APPENDLIMIT', 'MAILBOXID', 'DELETED-STORAGE',
] as const;
export type StatusItem = (typeof STATUS_ITEMS)[number];

type Messages =
  | { readonly verb: 'APPEND'; readonly mailbox: string; readonly messages: readonly AppendMessage[] }
  /** RFC 8508. `message`: a message number, with `uid` a UID; 0 is `*`. */
  | { readonly verb: 'REPLACE'; readonly message: number; readonly mailbox: string; readonly replacement: AppendMessage }
  /** `set` only (and always) with `uid` (RFC 4315). */
  | { readonly verb: 'EXPUNGE'; readonly set?: SequenceSet }
  | {
      readonly verb: 'FETCH';
      readonly set: SequenceSet;
      /** With `uid` always UID among them. */
      readonly items: readonly FetchItem[];
      /** Only with `uid`: the client has written UID among its items. */
      readonly namesUid?: true;
      readonly changedSince?: number;
      /** Only with `changedSince` and `uid` (RFC 7162 §3.2.6). */
      readonly vanished: boolean;
      readonly partial?: PartialRange;
    }
  | {
      readonly verb: 'STORE';
      readonly set: SequenceSet;
      readonly operation: 'replace' | 'add' | 'remove';
      readonly silent: boolean;
      readonly flags: readonly string[];
      readonly unchangedSince?: number;
    }
  | Each<'COPY' | 'MOVE', { readonly set: SequenceSet; readonly mailbox: string }>
  | { readonly verb: 'SEARCH'; readonly search: SearchKey; readonly returns?: ReturnOptions }
  | { readonly verb: 'SORT'; readonly search: SearchKey; readonly order: readonly SortCriterion[]; readonly returns?: ReturnOptions }
  | { readonly verb: 'THREAD'; readonly search: SearchKey; readonly algorithm: 'REFERENCES' | 'ORDEREDSUBJECT' };

/** One message of APPEND or REPLACE. */
export interface AppendMessage {
  readonly flags: readonly string[];
  readonly receivedAt?: number;
  /** `UTF8 (~{…}` of RFC 6855. */
  readonly utf8: boolean;
  /** With CATENATE (RFC 4469) the message is its parts one after the other; otherwise there is one part, a literal. */
  readonly catenate: boolean;
  readonly parts: readonly AppendPart[];
}

/**
 * `literal` counts the command's streamed literals from 0: the octets themselves went wherever the server led them. `binary`: literal8,
 * may hold NUL (RFC 3516). `url`: as sent, see `parseImapUrl`.
 */
export type AppendPart =
  | { readonly part: 'text'; readonly literal: number; readonly size: number; readonly binary: boolean }
  | { readonly part: 'url'; readonly url: string };

/** RFC 9394: 1:100 counts from the first, -1:-100 from the last. Ascending by magnitude, both of one sign. */
export interface PartialRange {
  readonly first: number;
  readonly last: number;
}

/** RFC 4731, 5182, 9394. `RETURN ()` is already `all`. Absent altogether: the untagged SEARCH or SORT of RFC 3501. */
export interface ReturnOptions {
  readonly min: boolean;
  readonly max: boolean;
  readonly all: boolean;
  readonly count: boolean;
  readonly save: boolean;
  readonly partial?: PartialRange;
}

export const SORT_KEYS = ['ARRIVAL', 'CC', 'DATE', 'FROM', 'SIZE', 'SUBJECT', 'TO', 'DISPLAYFROM', 'DISPLAYTO'] as const;
export interface SortCriterion {
  readonly key: (typeof SORT_KEYS)[number];
  readonly reverse: boolean;
}

type Administration =
  | { readonly verb: 'GETQUOTA'; readonly root: string }
  | { readonly verb: 'GETQUOTAROOT'; readonly mailbox: string }
  /** Resource names in capitals. */
  | { readonly verb: 'SETQUOTA'; readonly root: string; readonly limits: readonly (readonly [resource: string, limit: number])[] }
  | Each<'GETACL' | 'MYRIGHTS', { readonly mailbox: string }>
  /** `rights`: letters of RFC 4314 §2.1, each once; the obsolete c and d are already replaced. */
  | { readonly verb: 'SETACL'; readonly mailbox: string; readonly identifier: string; readonly operation: 'replace' | 'add' | 'remove'; readonly rights: string }
  | Each<'DELETEACL' | 'LISTRIGHTS', { readonly mailbox: string; readonly identifier: string }>
  /** RFC 5464; `mailbox` '' is the server. Entry names in lower case. `maxSize` in octets. */
  | {
      readonly verb: 'GETMETADATA';
      readonly mailbox: string;
      readonly entries: readonly string[];
      readonly maxSize?: number;
      readonly depth: 0 | 1 | 'infinity';
    }
  | { readonly verb: 'SETMETADATA'; readonly mailbox: string; readonly entries: readonly (readonly [entry: string, value: string | null])[] }
  /** RFC 5465; null: `NOTIFY NONE`. `status`: STATUS responses for all mailboxes named, at once. */
  | { readonly verb: 'NOTIFY'; readonly set: { readonly status: boolean; readonly groups: readonly NotifyGroup[] } | null };

export interface NotifyGroup {
  readonly mailboxes: NotifyMailboxes;
  /** [] for NONE. */
  readonly events: readonly NotifyEvent[];
}

export type NotifyMailboxes =
  | { readonly filter: 'selected' | 'selected-delayed' | 'inboxes' | 'personal' | 'subscribed' }
  | { readonly filter: 'subtree' | 'mailboxes'; readonly names: readonly string[] };

export type NotifyEvent =
  /** What to FETCH of each new message in the selected mailbox. */
  | { readonly event: 'MessageNew'; readonly items: readonly FetchItem[] }
  | { readonly event: 'MessageExpunge' | 'FlagChange' | 'MailboxName' | 'SubscriptionChange' | 'MailboxMetadataChange' | 'ServerMetadataChange' };

/**
 * A command that is none, or that must not be carried out. `tag` is `*` where none could be read. `status` and `code` are for the
 * tagged response; `text` names what is wrong and repeats nothing the client sent.
 */
export interface BadCommand {
  readonly tag: string;
  /** Set where the verb is known. */
  readonly verb?: Verb;
  readonly status: 'BAD' | 'NO';
  /** With its arguments, without brackets: `BADCHARSET (…)`, `TOOBIG`. */
  readonly code?: string;
  readonly text: string;
  /** The line is of another protocol: hang up. */
  readonly foreign?: true;
}
