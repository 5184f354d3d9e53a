/** `<origin.count>` of a request: octets from `from` on, at most `count` (at least 1). */
export interface OctetRange {
  readonly from: number;
  readonly count: number;
}

/** What of a part (RFC 9051 §6.4.5.1). `all`: the whole part or message; `MIME` only with a part number. */
export type SectionText = 'all' | 'HEADER' | 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT' | 'TEXT' | 'MIME';

/** `BODY[1.2.HEADER.FIELDS (From To)]`: part [1, 2]; [] is the message itself. */
export interface Section {
  readonly part: readonly number[];
  readonly text: SectionText;
  /** As the client wrote them: the response repeats them. Compare without case. */
  readonly fields: readonly string[];
}

/** Macros (ALL, FAST, FULL) are already replaced by their items. No item occurs twice. */
export type FetchItem =
  | { readonly item: FetchName }
  /** RFC 8970; `lazy`: only if it costs nothing. */
  | { readonly item: 'PREVIEW'; readonly lazy: boolean }
  /** BODY[…] and BODY.PEEK[…]. Without `peek` it sets \Seen. */
  | { readonly item: 'BODY[]'; readonly peek: boolean; readonly section: Section; readonly partial?: OctetRange }
  /** RFC 3516: the part decoded. Without `peek` it sets \Seen. */
  | { readonly item: 'BINARY[]'; readonly peek: boolean; readonly part: readonly number[]; readonly partial?: OctetRange }
  | { readonly item: 'BINARY.SIZE'; readonly part: readonly number[] };

/** `BODY` is the structure without extension data; RFC822 and RFC822.TEXT set \Seen. */
export type FetchName =
  | 'BODY'
  | 'BODYSTRUCTURE'
  | 'EMAILID'
  | 'ENVELOPE'
  | 'FLAGS'
  | 'INTERNALDATE'
  | 'MODSEQ'
  | 'RFC822'
  | 'RFC822.HEADER'
  | 'RFC822.SIZE'
  | 'RFC822.TEXT'
  | 'SAVEDATE'
  | 'THREADID'
  | 'UID';

/** Items in one FETCH; header fields in one section; part numbers inside each other. */
export const FETCH_LIMITS = { items: 200, fields: 200, parts: 50 } as const;
