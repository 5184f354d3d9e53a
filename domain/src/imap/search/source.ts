/** A header field holds a text, after decoding (RFC 2047) and folding. `needle` folded; '' is in every message that has the field. */
export interface HeaderTest {
  readonly by: 'header';
  /** Lower case. */
  readonly field: string;
  readonly needle: string;
}

/** The Date field's own day, whatever its time and zone: days from 1970-01-01, `from` included, `before` not. No message without Date. */
export interface SentTest {
  readonly by: 'sent';
  readonly from: number;
  readonly before: number;
}

/** A stored number lies in a range: `from` included, `before` not. Epoch ms or octets. */
export interface ColumnTest {
  readonly by: 'receivedAt' | 'savedAt' | 'size';
  readonly from: number;
  readonly before: number;
}

export interface EmailIdTest {
  readonly by: 'emailId';
  readonly id: string;
}

/** The decoded text parts hold a text; `all` with the header. `needle` folded, not ''. */
export interface TextTest {
  readonly by: 'text';
  readonly in: 'body' | 'all';
  readonly needle: string;
}

/** What the flags of a mailbox do not answer. */
export type SourceTest = ColumnTest | EmailIdTest | SentTest | HeaderTest | TextTest;

/** What a search asks for beyond flags and UIDs. Bound to one mailbox. */
export interface SearchSource {
  /**
   * Those of `uids` that pass all tests, exactly as if each message were read; both ascending. All tests of one call cost about the
   * same. What is no longer in the mailbox passes none.
   */
  matching(uids: Uint32Array, tests: readonly SourceTest[]): Promise<Uint32Array>;
}
