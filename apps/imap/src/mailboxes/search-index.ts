import type { SearchSource } from '@kiroku/domain/imap/search/source.js';
import type { ThreadHeader } from '@kiroku/domain/imap/search/thread.js';

/** What SEARCH, SORT and THREAD ask of messages beyond flags and numbers. */
export interface SearchIndex {
  /** @param looked is told of each so many messages that have been looked at. */
  search(mailbox: string, looked?: (messages: number) => void): SearchSource;
  /**
   * Columns of equal length, of those messages that are still there, ascending by UID.
   * @param headers false when no header is looked at: the column is empty then.
   */
  columns(mailbox: string, uids: Uint32Array, headers: boolean): Promise<{
    readonly uids: Uint32Array;
    readonly receivedAt: Float64Array;
    readonly sizes: Float64Array;
    readonly headers: readonly ThreadHeader[];
  }>;
}
