import type { Binary } from './binary.js';

/** Levels of nesting, the message itself being the first. Deeper multiparts and messages are kept as parts without parts of their own. */
export const MOST_DEPTH = 50;
/** Parts of a message, in all its levels. From there on boundaries are content of the last part. */
export const MOST_PARTS = 1_000;
/** Bytes of one header that are read for fields. */
export const HEADER_LIMIT = 262_144;
/** Bytes of all headers of one message that are read for fields. Later headers still have exact offsets, but count as empty. */
export const HEADERS_LIMIT = 1_048_576;

/** Names in lower case, values as written; continuations of RFC 2231 §3 joined, its charsets and percent signs still in place. */
export type Parameters = readonly (readonly [name: string, value: Binary])[];

/**
 * RFC 9051 §7.5.2. A group begins with an address that has only a mailbox, the group's name, and ends with one that has nothing.
 * Of any other address mailbox and host are both there, '' if the sender left them out.
 */
export interface Address {
  readonly name?: Binary;
  /** Source route (RFC 5322 §4.4), as written. */
  readonly route?: Binary;
  readonly mailbox?: Binary;
  readonly host?: Binary;
}

/** Fields as written, without folding; absent fields are absent here (the sender is not filled in from From). */
export interface Envelope {
  readonly date?: Binary;
  readonly subject?: Binary;
  readonly from: readonly Address[];
  readonly sender: readonly Address[];
  readonly replyTo: readonly Address[];
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly bcc: readonly Address[];
  readonly inReplyTo?: Binary;
  readonly messageId?: Binary;
}

/** What the fields of a part's header say of its body (RFC 2045, 2183, 3282, 2557, 1864). */
export interface Content {
  /** Lower case, like the subtype; 'text' and 'plain' where nothing readable is said. */
  readonly type: string;
  readonly subtype: string;
  readonly parameters: Parameters;
  /** Lower case; '7bit' where nothing is said. */
  readonly encoding: string;
  readonly id?: Binary;
  readonly description?: Binary;
  readonly md5?: Binary;
  readonly disposition?: { readonly type: string; readonly parameters: Parameters };
  readonly languages?: readonly Binary[];
  readonly location?: Binary;
}

/** A part at its place. Offsets are bytes from the start of the message; ends are exclusive. */
export interface Part extends Content {
  readonly headerStart: number;
  /** After the empty line that ends the header. */
  readonly bodyStart: number;
  /** Before the line end that belongs to the boundary. */
  readonly bodyEnd: number;
  /** Line ends (LF) in the header with its empty line, and in the body. */
  readonly headerLines: number;
  readonly bodyLines: number;
  /** Of a multipart; may be empty. */
  readonly parts: readonly Part[];
  /** Of message/rfc822 and message/global, unless encoded (RFC 6532 §3.5) or nested too deep. */
  readonly message?: Message;
}

export interface Message {
  readonly envelope: Envelope;
  /** The message's own header and body. */
  readonly root: Part;
}

/** All that is known of a message without reading it again. */
export interface Structure extends Message {
  /** Bytes. */
  readonly size: number;
  /** Ids of the References field, oldest first, without angle brackets (RFC 5256 §2.2). */
  readonly references: readonly Binary[];
  /** RFC 8970: at most 200 characters of the text, '' if there is none. */
  readonly preview: string;
}
