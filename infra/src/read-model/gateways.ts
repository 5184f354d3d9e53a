import type { Clock } from '@kiroku/domain/kernel/clock.js';
import type { Mechanism } from '@kiroku/domain/routing/credentials.js';
import type { KeptOAuthClient } from '@kiroku/domain/routing/oauth-client.js';
import type { GatewayLine } from '@kiroku/domain/routing/gateway-table.js';
import { RouteTable } from '@kiroku/domain/routing/route-table.js';
import type { ClientCredentials } from '@kiroku/domain/smtp-client/types.js';
import type pg from 'pg';
import { openGatewaySecret } from '../auth/gateway-secret.js';
import type { ServerKey } from '../auth/seal.js';
import type { AccessToken, AccessTokens } from '../oauth/access-tokens.js';
import type { TokenSubject } from '../oauth/refresh-tokens.js';
import { gather } from './gather.js';

/** ms for which the table may be old. */
const AGE = 1_000;

interface SealedCredentials { readonly name: string; readonly mechanism: Mechanism; readonly user: string; readonly sealed: string; readonly oauth: string; readonly created_at: number }

/** The gateway table and its credentials as delivery uses them, from the inline views `gateway_1` and `credentials_2`. */
export class PostgresGateways {
  #table = new RouteTable();
  #askedAt = -Infinity;
  #refreshing: Promise<RouteTable> | undefined;
  readonly #ask = gather<string, SealedCredentials | undefined>((names) => this.#query(names));

  constructor(
    private readonly pool: pg.Pool,
    private readonly key: ServerKey,
    private readonly clock: Clock,
    private readonly tokens: Pick<AccessTokens, 'of' | 'instead'>,
  ) {}

  /**
   * The table, at most a second old; compiled once per change. Ask once per batch, then `routeOf` for each recipient.
   * @throws any error when the view cannot be read: temporary.
   */
  table(): RouteTable | Promise<RouteTable> {
    // A clock that was set back must not keep an old table.
    const age = this.clock.now() - this.#askedAt;
    if (age >= 0 && age < AGE) return this.#table;
    return (this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined)));
  }

  /**
   * How to log in at a gateway, as it is now. Calls that wait at the same time share one query; an access token is fetched when none is kept.
   * @returns undefined when there are none of that name.
   * @throws SealBroken when they were sealed with another server key; NoAccessToken, whose reply says why.
   */
  async credentials(name: string): Promise<ClientCredentials | undefined> {
    const found = await this.#ask(name);
    if (!found) return undefined;
    const { mechanism, user, sealed, oauth, created_at: createdAt } = found;
    if (oauth === '') return { mechanism, user, secret: openGatewaySecret(sealed, this.key, name) };
    const subject: TokenSubject = { name, sealed, createdAt, oauth: JSON.parse(oauth) as KeptOAuthClient };
    return this.#withToken(found, subject, await this.tokens.of(subject));
  }

  #withToken(found: Pick<SealedCredentials, 'mechanism' | 'user'>, subject: TokenSubject, { value }: AccessToken): ClientCredentials {
    const renew = async (): Promise<ClientCredentials | undefined> => {
      const other = await this.tokens.instead(subject, value);
      return other && this.#withToken(found, subject, other);
    };
    return { mechanism: found.mechanism, user: found.user, secret: value, token: true, renew };
  }

  async #refresh(): Promise<RouteTable> {
    const now = this.clock.now();
    const { rows } = await this.pool.query<{ revision: number; forward_all: boolean; lines: string | null }>({
      name: 'gateways', text: 'SELECT revision, forward_all, CASE WHEN revision <> $1 THEN lines END AS lines FROM view.gateway_1', values: [this.#table.revision],
    });
    const row = rows[0];
    if (row?.lines != null) this.#table = new RouteTable(JSON.parse(row.lines) as readonly GatewayLine[], row.forward_all, row.revision);
    this.#askedAt = now;
    return this.#table;
  }

  async #query(names: readonly string[]): Promise<readonly (SealedCredentials | undefined)[]> {
    const { rows } = await this.pool.query<SealedCredentials>({
      name: 'gateway-credentials', text: 'SELECT name, mechanism, "user", sealed, oauth, created_at FROM view.credentials_2 WHERE name = ANY($1)', values: [[...new Set(names)]],
    });
    const found = new Map(rows.map((row) => [row.name, row]));
    return names.map((name) => found.get(name));
  }
}
