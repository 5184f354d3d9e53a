import { LoginUnavailable } from '@kiroku/domain/smtp-client/types.js';
import { words } from '@kiroku/domain/smtp-client/words.js';
import { LRUCache } from 'lru-cache';
import { openOAuthSecrets } from '../auth/gateway-secret.js';
import { SealBroken } from '../auth/seal.js';
import { atMost } from '../cache/bound.js';
import { type RefreshParts, RefreshTokens, type TokenSubject } from './refresh-tokens.js';
import { type Issued, NoToken, requestToken, type TokenEndpointOptions } from './token-endpoint.js';

/** A token lives in memory only: never in an event, a row, a log line or an error. */
export interface AccessToken {
  readonly value: string;
  /** Epoch ms. */
  readonly fetchedAt: number;
  /** Epoch ms; absent when the server did not say. */
  readonly expiresAt?: number;
}

/** `reply` is what mail waits with; `detail` what administrators are told. No secrets in either. */
export class NoAccessToken extends LoginUnavailable {
  constructor(
    brief: string,
    readonly detail: string,
  ) {
    super(words('no-access-token', brief));
  }
}

/** What keeps mail waiting, for the list of warnings. */
export interface TokenWarning {
  readonly name: string;
  readonly detail: string;
}

interface Slot {
  /** Tokens of another client, or of other secrets, are no more used. */
  readonly of: string;
  token?: AccessToken & { readonly until: number };
  failure?: { readonly error: NoAccessToken; readonly sealed: string; readonly at: number; readonly until: number; readonly wait: number };
  flight?: Promise<AccessToken>;
}

/** ms before its end from which a token is no more used: a conversation may begin with it. */
const EARLY = 60_000;
/** ms for which a token is kept where the server does not say, and at most. */
const UNTOLD = 5 * 60_000;
const LONGEST = 24 * 60 * 60_000;
/** ms between two requests that were caused by a gateway that refuses tokens: new ones do not help, then. */
const YOUNG = 60_000;
/** ms until an endpoint is asked again: when it did not answer, when it said no, and at most. */
const AFTER_SILENCE = 10_000;
const AFTER_NO = 60_000;
const LONGEST_WAIT = 10 * 60_000;
/** ms after which nobody seems to need them any more. */
const FORGOTTEN = 30 * 60_000;
const MOST = 1_000;

/** Access tokens for gateways, fetched when needed and kept until a minute before they expire; one request at a time for each credentials object. */
export class AccessTokens {
  readonly #slots = new LRUCache<string, Slot>(atMost(MOST));
  readonly #refresh: RefreshTokens;

  constructor(
    private readonly parts: RefreshParts,
    private readonly options: TokenEndpointOptions = {},
  ) {
    this.#refresh = new RefreshTokens(parts);
  }

  /** @throws NoAccessToken; the endpoint is not asked again for a while after it has failed. */
  async of(subject: TokenSubject): Promise<AccessToken> {
    const slot = this.#slot(subject);
    const now = this.#now;
    const { token, failure } = slot;
    // A clock that was set back must keep neither.
    if (token && now >= token.fetchedAt && now < token.until) return token;
    if (failure && failure.sealed === subject.sealed && now >= failure.at && now < failure.until) throw failure.error;
    return (slot.flight ??= this.#fetch(subject, slot).finally(() => delete slot.flight));
  }

  /** Instead of one that a gateway has refused. @returns undefined when there is none, or none that could be better. Never rejects. */
  async instead(subject: TokenSubject, refused: string): Promise<AccessToken | undefined> {
    const slot = this.#slot(subject);
    if (slot.token?.value === refused) {
      const age = this.#now - slot.token.fetchedAt;
      if (age >= 0 && age < YOUNG) return undefined;
      delete slot.token;
    }
    const other = await this.of(subject).catch(() => undefined);
    return other?.value === refused ? undefined : other;
  }

  /** A new one, whatever is kept and however lately the endpoint was asked: for a test by hand. @throws NoAccessToken */
  fresh(subject: TokenSubject): Promise<AccessToken> {
    const slot = this.#slot(subject);
    return (slot.flight ??= this.#fetch(subject, slot).finally(() => delete slot.flight));
  }

  /** Credentials for which there is no token at the moment. */
  get warnings(): readonly TokenWarning[] {
    const now = this.#now;
    return [...this.#slots.entries()].flatMap(([name, { failure }]) => (failure && now - failure.at < FORGOTTEN ? [{ name, detail: failure.error.detail }] : []));
  }

  get #now(): number {
    return this.parts.engine.clock.now();
  }

  #slot({ name, createdAt, oauth }: TokenSubject): Slot {
    const of = `${createdAt} ${oauth.setAt}`;
    const known = this.#slots.get(name);
    if (known?.of === of) return known;
    const slot: Slot = { of };
    this.#slots.set(name, slot);
    return slot;
  }

  async #fetch(subject: TokenSubject, slot: Slot): Promise<AccessToken> {
    const now = this.#now; // before the question: the server counts from its answer
    try {
      const { accessToken, lifetime } = await this.#ask(subject);
      const kept = Math.min(lifetime ?? UNTOLD, LONGEST);
      slot.token = { value: accessToken, fetchedAt: now, until: now + kept - Math.min(EARLY, kept / 2), ...(lifetime !== undefined && { expiresAt: now + lifetime }) };
      delete slot.failure;
      return slot.token;
    } catch (error) {
      throw this.#failed(error, subject, slot);
    }
  }

  async #ask(subject: TokenSubject): Promise<Issued> {
    const { name, sealed, oauth } = subject;
    if (oauth.grant === 'refresh-token') return this.#refresh.exchange(subject, (secrets) => requestToken(oauth, secrets, this.options));
    return requestToken(oauth, openOAuthSecrets(sealed, this.parts.key, name), this.options);
  }

  #failed(error: unknown, { name, sealed }: TokenSubject, slot: Slot): NoAccessToken {
    const no = error instanceof NoToken ? error
      : error instanceof SealBroken ? new NoToken('its secrets do not open with this server key: set them again', true)
      : new NoToken('this server could not look up or store what it needs', false);
    const told = new NoAccessToken(no.brief, no.detail);
    const at = this.#now;
    const wait = Math.min(Math.max(no.refused ? AFTER_NO : AFTER_SILENCE, 2 * (slot.failure?.wait ?? 0)), LONGEST_WAIT);
    slot.failure = { error: told, sealed, at, wait, until: at + wait };
    this.parts.trouble(new Error(`credentials ${name}: no access token: ${no.detail}`, no === error ? undefined : { cause: error }));
    return told;
  }
}
