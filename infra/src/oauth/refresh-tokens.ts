import { setTimeout as pause } from 'node:timers/promises';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { credentialsDecider, type CredentialsEvent, credentialsStream } from '@kiroku/domain/routing/credentials.js';
import type { KeptOAuthClient } from '@kiroku/domain/routing/oauth-client.js';
import type pg from 'pg';
import { openOAuthSecrets, type OAuthSecrets, sealOAuthSecrets } from '../auth/gateway-secret.js';
import type { ServerKey } from '../auth/seal.js';
import { type Issued, NoToken } from './token-endpoint.js';

export interface RefreshParts {
  readonly pool: pg.Pool;
  readonly engine: Engine;
  readonly key: ServerKey;
  /** Told of what could not be stored; it is tried again. */
  readonly trouble: (error: unknown) => void;
}

/** Credentials whose tokens are fetched, as their row has them. */
export interface TokenSubject {
  readonly name: string;
  readonly sealed: string;
  readonly createdAt: number;
  readonly oauth: KeptOAuthClient;
}

/** ms for which one process has the word: the endpoint's 10 s and a slow append. */
const LEASE = 30_000;
/** ms that others wait for it, and between their looks. */
const PATIENCE = 15_000;
const LOOK = 200;
const ATTEMPTS = 5;
/** ms before a replaced refresh token that could not be stored is tried again, at first and at most. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;

/** Made by an exchange, not yet stored: `used` is what the stream still holds. */
interface Unsaved { readonly used: string; readonly sealed: string }

/**
 * Exchanges refresh tokens for access tokens, one process at a time: some servers take a token's second use for theft and revoke all.
 * A refresh token that comes instead of the old one is stored, sealed, before anybody uses the access token. When it cannot be stored this
 * process goes on with it and stores it as soon as it can; should the process die before that, servers that revoke at once want a new
 * consent, and mail waits for it.
 */
export class RefreshTokens {
  readonly #unsaved = new Map<string, Unsaved>();
  readonly #storing = new Set<string>();

  constructor(private readonly parts: RefreshParts) {}

  /**
   * @param ask what is asked with the secrets as they are now.
   * @throws NoToken; SealBroken; any error of the database.
   */
  async exchange({ name, createdAt, oauth }: TokenSubject, ask: (secrets: OAuthSecrets) => Promise<Issued>): Promise<Issued> {
    const owner = await this.#lease(name);
    try {
      const { key } = this.parts;
      const stored = await this.#stored(name);
      if (stored?.createdAt !== createdAt || stored.oauth.setAt !== oauth.setAt) throw new NoToken('the credentials were changed at this moment', false);
      const unsaved = this.#unsaved.get(name);
      const secrets = openOAuthSecrets(unsaved?.used === stored.sealed ? unsaved.sealed : stored.sealed, key, name);
      const issued = await ask(secrets);
      if (issued.refreshToken !== undefined && issued.refreshToken !== secrets.refreshToken) {
        this.#unsaved.set(name, { used: stored.sealed, sealed: sealOAuthSecrets({ ...secrets, refreshToken: issued.refreshToken }, key, name) });
        await this.#save(name);
      }
      return issued;
    } finally {
      await this.parts.pool.query('DELETE FROM ops.token_renewal WHERE name = $1 AND owner = $2', [name, owner]).catch(this.parts.trouble);
    }
  }

  /** @returns who has it. @throws NoToken when another process keeps it. */
  async #lease(name: string): Promise<string> {
    const { pool, engine } = this.parts;
    const owner = engine.ids.uuid();
    for (let waited = 0; ; waited += LOOK) {
      const { rowCount } = await pool.query(
        `INSERT INTO ops.token_renewal AS l VALUES ($1, $2, clock_timestamp() + $3 * interval '1 ms')
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE l.until < clock_timestamp()`, [name, owner, LEASE]);
      if (rowCount === 1) return owner;
      if (waited >= PATIENCE) throw new NoToken('another process is asking for one and does not come to an end', false);
      await pause(LOOK);
    }
  }

  async #stored(name: string): Promise<TokenSubject | undefined> {
    const { rows } = await this.parts.pool.query<{ sealed: string; oauth: string; created_at: number }>({
      name: 'oauth-credentials', text: `SELECT sealed, oauth, created_at FROM view.credentials_2 WHERE name = $1 AND oauth <> ''`, values: [name],
    });
    const [row] = rows;
    return row && { name, sealed: row.sealed, createdAt: row.created_at, oauth: JSON.parse(row.oauth) as KeptOAuthClient };
  }

  /** Tries once, and goes on behind the caller's back where that fails. Never rejects. */
  async #save(name: string): Promise<void> {
    if (this.#storing.has(name) || (await this.#stores(name))) return;
    this.#storing.add(name);
    void this.#saveLater(name);
  }

  async #saveLater(name: string): Promise<void> {
    for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      await pause(wait, undefined, { ref: false });
      if (!(await this.#stores(name))) continue;
      this.#storing.delete(name);
      return;
    }
  }

  /** @returns false when it has to be tried again. */
  async #stores(name: string): Promise<boolean> {
    const unsaved = this.#unsaved.get(name);
    if (!unsaved) return true;
    try {
      await this.#append(name, unsaved);
    } catch (error) {
      this.parts.trouble(new Error(`credentials ${name}: the refresh token that replaces the old one cannot be stored yet`, { cause: error }));
      return false;
    }
    // Another may have come meanwhile: its turn is next.
    if (this.#unsaved.get(name) !== unsaved) return false;
    this.#unsaved.delete(name);
    return true;
  }

  async #append(name: string, { used, sealed }: Unsaved): Promise<void> {
    const { engine } = this.parts;
    const stream = credentialsStream(name);
    for (let attempt = 1; ; attempt++) {
      const last = (await engine.store.readLast([stream])).get(stream);
      const state = last && credentialsDecider.evolve(credentialsDecider.initial, last.event as unknown as CredentialsEvent);
      const facts = credentialsDecider.decide({ type: 'ReplaceRefreshToken', used, sealed }, state);
      if (facts.length === 0) return;
      try {
        return await engine.store.append([{ stream, expected: last?.version ?? 0, events: record(facts, engine, { actor: 'system:oauth', correlation: engine.ids.uuid() }, {}) }]);
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
      }
    }
  }
}
