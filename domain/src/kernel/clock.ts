/** The present, as a value that tests can fix. */
export interface Clock {
  /** Epoch ms. */
  now(): number;
}

/** Names for new things. All are unique across processes and machines and sort by the time they were made. */
export interface Ids {
  /** UUIDv7 (RFC 9562 §5.7), monotonic within a process. */
  uuid(): string;
  /** A message's name in replies, Received and stories: 15 characters of Crockford base 32, upper case. */
  queueId(): string;
}
