import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { atMost } from '../cache/bound.js';
import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import type { Authenticator, LoginResult, ScramKeys } from './authenticator.js';
import { openCredentials } from './credentials.js';
import { loginAddress } from './login-address.js';
import { LoginGate } from './login-gate.js';
import { impossibleHash, impossibleScramKeys, preparePassword, verifyPassword } from './passwords.js';
import type { ServerKey } from './seal.js';

export interface StoredCredentials {
  readonly account: AccountFacts;
  /** See `sealCredentials`. */
  readonly sealed: string;
  readonly domainEnabled: boolean;
}

/** Where accounts and their credentials are kept. Reflects every append that has returned. */
export interface CredentialSource {
  /** @param address `user@domain` in lower case; primary addresses only, or aliases too: the source decides who may log in as what. */
  find(address: string): Promise<StoredCredentials | undefined>;
}

export interface AuthenticatorLimits {
  /** Password checks at once; each takes a thread of the pool (4) and 19 MiB. */
  readonly atOnce: number;
  /** Password checks that wait; beyond that TooManyLogins. At 40 ms each, 256 are five seconds on two threads. */
  readonly waiting: number;
  /** Passwords remembered as right, 32 bytes each. */
  readonly remembered: number;
}
const LIMITS: AuthenticatorLimits = { atOnce: 2, waiting: 256, remembered: 20_000 };

type Service = 'smtp' | 'pop3' | 'imap';
type Failure = Extract<LoginResult, { ok: false }>['reason'];
const no = (reason: Failure): LoginResult => ({ ok: false, reason });

/** Logins against the directory; see Authenticator for the promises. @throws TooManyLogins, and what the source throws: all temporary. */
export class DirectoryAuthenticator implements Authenticator {
  private readonly gate: LoginGate;
  /** Names of (account, sealed credentials, password) that matched. New credentials are another name, so nothing has to be forgotten. */
  private readonly known: LRUCache<string, true>;
  private readonly checking = new Map<string, Promise<boolean>>();
  private readonly processKey = randomBytes(32);
  private readonly nobody = impossibleHash();

  constructor(
    private readonly source: CredentialSource,
    private readonly key: ServerKey,
    limits: Partial<AuthenticatorLimits> = {},
  ) {
    const { atOnce, waiting, remembered } = { ...LIMITS, ...limits };
    this.gate = new LoginGate(atOnce, waiting);
    this.known = new LRUCache(atMost(remembered));
  }

  async password(service: Service, login: string, password: string, defaultDomain?: string): Promise<LoginResult> {
    const { address, stored } = await this.find(login, defaultDomain);
    const prepared = preparePassword(password);
    // Nobody has such a password: saying so at once tells nothing about the account.
    if (prepared === undefined) return no(stored ? 'wrong-password' : 'unknown-account');
    const right = await this.verify(stored, prepared);
    if (!stored) return no('unknown-account');
    return right ? admit(service, stored, address) : no('wrong-password');
  }

  async digest(
    kind: 'apop' | 'cram-md5',
    service: Service,
    login: string,
    challenge: string,
    digest: string,
    defaultDomain?: string,
  ): Promise<LoginResult> {
    const { address, stored } = await this.find(login, defaultDomain);
    const secret = stored && openCredentials(stored.sealed, this.key, stored.account.id).secret;
    const hash = kind === 'apop' ? createHash('md5').update(challenge + (secret ?? '')) : createHmac('md5', secret ?? '').update(challenge);
    const right = sameDigest(hash.digest(), digest);
    if (!stored) return no('unknown-account');
    if (secret === undefined) return no('mechanism-off');
    return right ? admit(service, stored, address) : no('wrong-password');
  }

  async scram(service: Service, login: string, defaultDomain?: string): Promise<{ keys: ScramKeys; result: LoginResult }> {
    const { address, stored } = await this.find(login, defaultDomain);
    if (!stored) return { keys: impossibleScramKeys(this.key, address), result: no('unknown-account') };
    return { keys: openCredentials(stored.sealed, this.key, stored.account.id).scram, result: admit(service, stored, address) };
  }

  private async find(login: string, defaultDomain?: string): Promise<{ address: string; stored: StoredCredentials | undefined }> {
    const address = loginAddress(login, defaultDomain);
    return { address: address ?? login.slice(0, 320), stored: address === undefined ? undefined : await this.source.find(address) };
  }

  /** Many connections of one user at once cost one check. */
  private async verify(stored: StoredCredentials | undefined, password: string): Promise<boolean> {
    const name = createHmac('sha256', this.processKey)
      .update(JSON.stringify([stored?.account.id, stored?.sealed, password]))
      .digest('base64');
    if (this.known.get(name)) return true;
    let check = this.checking.get(name);
    if (!check) {
      const hash = stored ? openCredentials(stored.sealed, this.key, stored.account.id).hash : this.nobody;
      check = this.gate.run(() => verifyPassword(hash, password)).finally(() => this.checking.delete(name));
      this.checking.set(name, check);
    }
    const right = await check;
    if (right && stored) this.known.set(name, true);
    return right;
  }
}

/** What the account may do matters only once the password is right: a stranger must not learn it from the time it takes. */
function admit(service: Service, { account, domainEnabled, sealed }: StoredCredentials, login: string): LoginResult {
  if (!account.enabled || !domainEnabled) return no('account-disabled');
  if (!account[service]) return no('protocol-off');
  return { ok: true, account, login, mark: markOf(sealed) };
}

/** As the directory makes it of what it keeps. */
const markOf = (sealed: string): string => createHash('md5').update(sealed).digest('hex');

function sameDigest(right: Buffer, claimed: string): boolean {
  return /^[0-9a-f]{32}$/i.test(claimed) && timingSafeEqual(right, Buffer.from(claimed, 'hex'));
}
