import type { QueuedMessage } from './queue-events.js';

/** A message on its way to the next server on behalf of somebody here: an alias leads out, or a gateway takes what was received. */
export interface Departing {
  /** Queue id. */
  readonly messageId: string;
  readonly message: QueuedMessage;
  /** Envelope sender that the next server is told; '' = null sender. */
  readonly sender: string;
  /** The alias here that sends it on; undefined for mail that a gateway takes to where it was addressed. */
  readonly forwarder: string | undefined;
  /** All bytes as they will leave, this server's trace included, anew at each call. May be large: to be read in pieces. */
  content(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Vouches for forwarded mail, as ARC does (RFC 8617): what it says stands before everything else, so that the next server can see who
 * changed what. It is asked for each copy that departs, after all changes to the content.
 */
export interface Sealer {
  /**
   * @returns header fields, each with its name, folded as need be and ended by CRLF; '' to let it go as it is.
   * @throws anything: this server's own trouble. The message waits, is not counted as tried, and is sealed at the next try.
   */
  seal(departing: Departing): Promise<string>;
}

/**
 * Whether somebody else's message leaves again: through an alias, or as it came from outside, without a login. What users here send and
 * what this server writes itself (null sender) needs no seal.
 */
export const isForwarded = ({ sender, login }: Pick<QueuedMessage, 'sender' | 'login'>, forwarder: string | undefined): boolean =>
  forwarder !== undefined || (login === undefined && sender !== '');
