import type { SequenceSet } from './sequence-set.js';

/**
 * What SEARCH, SORT and THREAD look for (RFC 9051 §6.4.4, RFC 5032, 7162, 8474, 8514), as a tree. Text is already decoded from the
 * command's CHARSET and otherwise as the client sent it: case folding is the evaluation's. Depth and number of keys are bounded
 * by `SEARCH_LIMITS`. Shorthands are gone: UNSEEN is `not` of a FLAG, NEW is `and`, OLD is `not`.
 */
export type SearchKey =
  | { readonly key: 'and'; readonly of: readonly SearchKey[] }
  | { readonly key: 'or'; readonly of: readonly SearchKey[] }
  | { readonly key: 'not'; readonly of: SearchKey }
  | SearchLeaf;

export type SearchLeaf =
  | { readonly key: 'ALL' }
  /** `\Seen`, `\Recent` … spelled so, or a keyword as sent; flags compare without case. */
  | { readonly key: 'FLAG'; readonly flag: string }
  /** The envelope's field contains the text; '' is in every message that has the field. */
  | { readonly key: 'ENVELOPE'; readonly field: EnvelopeField; readonly text: string }
  /** `field` in lower case. '' is in every message that has the field (RFC 9051 §6.4.4 HEADER). */
  | { readonly key: 'HEADER'; readonly field: string; readonly text: string }
  | { readonly key: 'BODY'; readonly text: string }
  | { readonly key: 'TEXT'; readonly text: string }
  /**
   * `internal`: BEFORE, ON, SINCE; `sent`: SENTBEFORE …, by the Date field; `saved`: SAVEDBEFORE … (RFC 8514). `day` counts days from
   * 1970-01-01; time of day and zone are to be ignored on both sides. `since` includes the day.
   */
  | { readonly key: 'DAY'; readonly of: 'internal' | 'sent' | 'saved'; readonly when: 'before' | 'on' | 'since'; readonly day: number }
  /** RFC 8514: every message, where the mailbox keeps save dates. */
  | { readonly key: 'SAVEDATESUPPORTED' }
  /** RFC 5032: `older`: INTERNALDATE at least so many seconds ago; else within the last so many seconds. */
  | { readonly key: 'AGE'; readonly than: 'older' | 'younger'; readonly seconds: number }
  /** RFC822.SIZE in octets, exclusive. */
  | { readonly key: 'SIZE'; readonly than: 'larger' | 'smaller'; readonly octets: number }
  | { readonly key: 'UID'; readonly set: SequenceSet }
  | { readonly key: 'SEQUENCE'; readonly set: SequenceSet }
  /** RFC 7162 §3.1.5: MODSEQ at least this. `flag`: the entry named, `/flags/\Seen` as `\Seen`; servers without per-flag values ignore it. */
  | { readonly key: 'MODSEQ'; readonly modSeq: number; readonly flag?: string }
  /** RFC 8474 object ids, case-sensitive. */
  | { readonly key: 'EMAILID'; readonly id: string }
  | { readonly key: 'THREADID'; readonly id: string };

export type EnvelopeField = 'from' | 'to' | 'cc' | 'bcc' | 'subject';

/** `keys`: leaves and nodes in all; `depth`: NOT, OR and parentheses inside each other. */
export const SEARCH_LIMITS = { keys: 1_000, depth: 50 } as const;
