/** What the directory answers for one address; see `Directory.lookup`. */
export type Resolved =
  | { readonly kind: 'account'; readonly account: AccountFacts }
  /**
   * Targets in order; a target may itself be an alias, local or remote. `rewrite`: the envelope recipient becomes the target.
   * `reversed`: this server made the address itself, for a sender whose mail it sent on (SRS). It is there for reports: mail from any
   * other than the null sender is for an unknown address.
   */
  | {
      readonly kind: 'alias';
      readonly alias: string;
      readonly targets: readonly { readonly address: string; readonly rewrite: boolean }[];
      readonly reversed?: true;
    }
  /** The domain is ours and enabled; nobody has this address. */
  | { readonly kind: 'unknown' }
  /** The domain is ours but switched off. */
  | { readonly kind: 'domain-disabled' }
  /** Not one of our domains. `relay`: mail for it is taken all the same, for its gateway (relay domains). */
  | { readonly kind: 'remote'; readonly relay?: true };

/** An account as the protocol servers need it. */
export interface AccountFacts {
  /** UUID; never changes, also not on rename. */
  readonly id: string;
  /** Canonical primary address. */
  readonly address: string;
  readonly enabled: boolean;
  readonly smtp: boolean;
  readonly pop3: boolean;
  readonly imap: boolean;
  /** Bytes; 0 = no limit. */
  readonly quota: number;
  /** Bytes in all its mailboxes. */
  readonly used: number;
  /** The INBOX. */
  readonly inbox: string;
}

/**
 * The directory as the protocol servers and delivery see it. Answers reflect every append that has returned (promise 3).
 * Calls that wait at the same time share one query.
 */
export interface Directory {
  /**
   * What each address means, in the order asked. Addresses as sent by clients (any case, U-labels or A-labels, plus-tags).
   * An exact match wins over the address without its `+tag`, that over the longest wildcard alias.
   * @throws any error when the views cannot be read: temporary, answer 451 4.3.0.
   */
  lookup(addresses: readonly string[]): Promise<readonly Resolved[]>;
}
