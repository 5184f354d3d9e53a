import { decodeList } from '@kiroku/domain/directory/tsv-text.js';
import { type Decider, Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Fact, Origin } from '@kiroku/domain/kernel/event.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { canonical, domainOf } from '@kiroku/domain/mail/address.js';
import {
  credentialsDecider, credentialsName, type CredentialsEvent, type CredentialsRefusal, type CredentialsState, credentialsStream, type Mechanism, requireCredentials,
} from '@kiroku/domain/routing/credentials.js';
import { credentialsIn, type GatewayCommand, gatewayDecider, type GatewayEvent, GATEWAYS_STREAM } from '@kiroku/domain/routing/gateway.js';
import { type GatewayLine, printTable } from '@kiroku/domain/routing/gateway-table.js';
import type { Route } from '@kiroku/domain/routing/hosts.js';
import type { KeptOAuthClient, OAuthClient } from '@kiroku/domain/routing/oauth-client.js';
import { RouteTable } from '@kiroku/domain/routing/route-table.js';
import type pg from 'pg';
import type { ServerKey } from '../auth/seal.js';
import { AccessTokens, NoAccessToken } from '../oauth/access-tokens.js';
import { sealChange, sealNew, type SecretWish } from './credentials-wish.js';
import { type Page, pageOf, type PageQuery } from './page.js';

export type NumberedLine = GatewayLine & { /** From 1, as in the exported text. */ readonly line: number };

export interface GatewayTableInfo {
  readonly revision: number;
  readonly forwardAll: boolean;
  readonly lines: readonly NumberedLine[];
  /** Epoch ms and actor of the last change; absent before the first. */
  readonly changedAt?: number;
  readonly changedBy?: string;
}

/** The table after a change. */
export interface TableChanged {
  readonly revision: number;
  /** How many it has. */
  readonly lines: number;
}

/** Secrets are never told. */
export interface CredentialsInfo {
  readonly name: string;
  readonly mechanism: string;
  readonly user: string;
  /** Where access tokens come from; absent where the secret itself is sent. */
  readonly oauth?: OAuthClient;
  /** Epoch ms. Refresh tokens that the server replaces are no change. */
  readonly createdAt: number;
  readonly changedAt: number;
}

/** What an access token is good for; never the token. */
export interface TokenInfo {
  readonly name: string;
  readonly user: string;
  readonly tokenUrl: string;
  /** Epoch ms; absent when the server does not say. */
  readonly expiresAt?: number;
}

/** Where a recipient's mail would go, and why. */
export interface RouteInfo {
  readonly address: string;
  readonly sender: string;
  /** `local`: this server's own domain, the table is not asked (but for aliases to elsewhere). */
  readonly route: { readonly kind: 'local' } | Route;
  /** The line that decided. */
  readonly line?: number;
  /** Lines before it that fit the recipient, but not the sender. */
  readonly passedOver: readonly number[];
  readonly forwardAll: boolean;
  readonly localDomain: boolean;
}

type TableCommand = Exclude<GatewayCommand, { readonly type: 'ForgetCredentials' }>;
interface TableRow { revision: number; forward_all: boolean; lines: string; changed_at: number; changed_by: string }
interface CredentialsRow { name: string; mechanism: string; user: string; oauth: string; created_at: number; changed_at: number }
type Last = Awaited<ReturnType<Engine['store']['readLast']>>;

/** Others may be importing tables all the time. */
const ATTEMPTS = 20;
const MOST_PASSED_OVER = 100;

/** The gateway table and the credentials in it, as administrators change and see them. */
export class GatewayAdmin {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
    private readonly key: ServerKey,
    private readonly tokens: Pick<AccessTokens, 'fresh'> = new AccessTokens({ pool, engine, key, trouble: () => undefined }),
  ) {}

  async table(): Promise<GatewayTableInfo> {
    const row = await this.#row();
    if (!row) return { revision: 0, forwardAll: false, lines: [] };
    const lines = (JSON.parse(row.lines) as readonly GatewayLine[]).map((line, i) => ({ line: i + 1, ...line }));
    return { revision: row.revision, forwardAll: row.forward_all, lines, changedAt: row.changed_at, changedBy: row.changed_by };
  }

  /** The table as text that can be imported again. */
  async text(): Promise<string> {
    return printTable(JSON.parse((await this.#row())?.lines ?? '[]') as readonly GatewayLine[]);
  }

  /**
   * A whole table in UTF-8, Shift_JIS or UTF-16; all of it or nothing.
   * @throws Refusal `bad-table`, `stale-table`, `unknown-credentials`
   */
  async import(bytes: Uint8Array, revision: number | undefined, origin: Origin): Promise<TableChanged> {
    const decoded = decodeList(bytes);
    if (!decoded) throw new Refusal('bad-table', 'the text is neither UTF-8 nor Shift_JIS nor UTF-16');
    return this.change({ type: 'ImportTable', text: decoded.text, revision }, origin);
  }

  /** @throws Refusal<GatewayRefusal>, Refusal `unknown-credentials` when a row would use credentials that are not there. */
  async change(command: TableCommand, origin: Origin): Promise<TableChanged> {
    let after = gatewayDecider.initial;
    await this.#settle([GATEWAYS_STREAM], origin, async (last) => {
      const state = tableIn(last);
      const facts = gatewayDecider.decide(command, state);
      after = facts.reduce((table, fact) => gatewayDecider.evolve(table, fact), state);
      const used = new Set(credentialsIn(state.lines));
      const names = facts.flatMap(({ data }) => credentialsIn(data.lines)).filter((name) => !used.has(name));
      // Read after the table: whoever removes one in between changes the table too, and this append meets a conflict.
      const found = names.length > 0 ? await this.engine.store.readLast(names.map(credentialsStream)) : new Map<never, never>();
      requireCredentials(new Map(names.map((name) => [name, credentialsOf(found, name)])), names);
      return { [GATEWAYS_STREAM]: facts };
    });
    return { revision: after.revision, lines: after.lines.length };
  }

  /** @param sender '' = the null sender. @throws Refusal `bad-address` */
  async test(address: string, sender: string): Promise<RouteInfo> {
    const [to, from] = [canonical(address), sender === '' ? '' : canonical(sender)];
    if (to === undefined || from === undefined) throw new Refusal('bad-address', (to === undefined ? address : sender).slice(0, 320));
    const { rows } = await this.pool.query<{ local: boolean }>({ name: 'is-local', text: 'SELECT EXISTS (SELECT FROM view.domain_1 WHERE name = $1) AS local', values: [domainOf(to)] });
    const { forwardAll, lines, revision } = await this.table();
    const [routes, localDomain] = [new RouteTable(lines, forwardAll, revision), rows[0]?.local === true];
    const base = { address: to, sender: from, forwardAll, localDomain };
    if (localDomain && !forwardAll) return { ...base, route: { kind: 'local' }, passedOver: [] };
    const matched = routes.match(to, from);
    const passedOver = routes.passedOver(to, from, matched?.line ?? Infinity).slice(0, MOST_PASSED_OVER);
    if (matched) return { ...base, route: matched.route, line: matched.line, passedOver };
    return { ...base, route: localDomain ? { kind: 'local' } : { kind: 'mx', domain: domainOf(to) }, passedOver };
  }

  async credentials({ after, limit }: PageQuery): Promise<Page<CredentialsInfo>> {
    const { rows } = await this.pool.query<CredentialsRow>({
      name: 'admin-credentials',
      text: 'SELECT name, mechanism, "user", oauth, created_at, changed_at FROM view.credentials_2 WHERE name > $1 ORDER BY name LIMIT $2', values: [after ?? '', limit + 1],
    });
    return pageOf(rows, limit, credentialsInfo, (row) => row.name);
  }

  /** @throws Refusal `no-such-credentials` */
  async oneCredentials(text: string): Promise<CredentialsInfo> {
    const name = credentialsName(text);
    const { rows } = await this.pool.query<CredentialsRow>({
      name: 'admin-one-credentials', text: 'SELECT name, mechanism, "user", oauth, created_at, changed_at FROM view.credentials_2 WHERE name = $1', values: [name],
    });
    if (!rows[0]) throw new Refusal('no-such-credentials', name);
    return credentialsInfo(rows[0]);
  }

  /** @throws Refusal `bad-credentials`, `credentials-exist` */
  async addCredentials(wish: { readonly name: string; readonly mechanism: Mechanism; readonly user: string } & SecretWish, origin: Origin): Promise<void> {
    const name = credentialsName(wish.name);
    const { mechanism, user } = wish;
    const command = { type: 'AddCredentials', name, mechanism, user, ...sealNew(wish, this.key, name), now: this.engine.clock.now() } as const;
    await this.#credentials(name, origin, (state) => credentialsDecider.decide(command, state));
  }

  /** @throws Refusal `bad-credentials`, `no-such-credentials` */
  async changeCredentials(text: string, wish: { readonly mechanism?: Mechanism | undefined; readonly user?: string | undefined } & SecretWish, origin: Origin): Promise<void> {
    const name = credentialsName(text);
    const { mechanism, user } = wish;
    await this.#credentials(name, origin, (state) => {
      const secrets = typeof state === 'object' ? sealChange(wish, state, this.key, name) : {};
      return credentialsDecider.decide({ type: 'ChangeCredentials', mechanism, user, ...secrets, now: this.engine.clock.now() }, state);
    });
  }

  /**
   * Fetches an access token as delivery would.
   * @throws Refusal `no-such-credentials`; `fixed-secret` when there is nothing to fetch; `no-access-token` with the reason.
   */
  async testCredentials(text: string): Promise<TokenInfo> {
    const name = credentialsName(text);
    const { rows } = await this.pool.query<{ user: string; sealed: string; oauth: string; created_at: number }>({
      name: 'admin-test-credentials', text: 'SELECT "user", sealed, oauth, created_at FROM view.credentials_2 WHERE name = $1', values: [name],
    });
    const [row] = rows;
    if (!row) throw new Refusal<CredentialsRefusal>('no-such-credentials', name);
    if (row.oauth === '') throw new Refusal<CredentialsRefusal>('fixed-secret', name);
    const oauth = JSON.parse(row.oauth) as KeptOAuthClient;
    try {
      const { expiresAt } = await this.tokens.fresh({ name, sealed: row.sealed, createdAt: row.created_at, oauth });
      return { name, user: row.user, tokenUrl: oauth.tokenUrl, ...(expiresAt !== undefined && { expiresAt }) };
    } catch (error) {
      if (error instanceof NoAccessToken) throw new Refusal<CredentialsRefusal>('no-access-token', error.detail);
      throw error;
    }
  }

  /** @throws Refusal `no-such-credentials`, `credentials-in-use` */
  async removeCredentials(text: string, origin: Origin): Promise<void> {
    const name = credentialsName(text);
    await this.#settle([credentialsStream(name), GATEWAYS_STREAM], origin, async (last) => {
      const removed = credentialsDecider.decide({ type: 'RemoveCredentials' }, credentialsOf(last, name));
      if (removed.length === 0) return {};
      return { [credentialsStream(name)]: removed, [GATEWAYS_STREAM]: gatewayDecider.decide({ type: 'ForgetCredentials', name }, tableIn(last)) };
    });
  }

  async #row(): Promise<TableRow | undefined> {
    const { rows } = await this.pool.query<TableRow>({ name: 'admin-gateways', text: 'SELECT revision, forward_all, lines, changed_at, changed_by FROM view.gateway_1' });
    return rows[0];
  }

  #credentials(name: string, origin: Origin, decide: (state: CredentialsState) => readonly CredentialsEvent[]): Promise<void> {
    return this.#settle([credentialsStream(name)], origin, async (last) => ({ [credentialsStream(name)]: decide(credentialsOf(last, name)) }));
  }

  /** Reads the last events, decides, appends; again when someone else was faster. */
  async #settle(streams: readonly string[], origin: Origin, decide: (last: Last) => Promise<Readonly<Record<string, readonly Fact[]>>>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const last = await this.engine.store.readLast(streams);
      const facts = Object.entries(await decide(last)).filter(([, its]) => its.length > 0);
      if (facts.length === 0) return;
      try {
        return await this.engine.store.append(facts.map(([stream, its]) => ({ stream, expected: last.get(stream)?.version ?? 0, events: record(its, this.engine, origin, {}) })));
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
      }
    }
  }
}

/** The state after a stream's last event, which carries all of it. */
const stateIn = <C, E extends Fact, S>(last: Last, stream: string, decider: Decider<C, E, S>): S => {
  const event = last.get(stream)?.event as unknown as E | undefined;
  return event === undefined ? decider.initial : decider.evolve(decider.initial, event);
};
const tableIn = (last: Last) => stateIn<GatewayCommand, GatewayEvent, typeof gatewayDecider.initial>(last, GATEWAYS_STREAM, gatewayDecider);
const credentialsOf = (last: Last, name: string): CredentialsState => stateIn(last, credentialsStream(name), credentialsDecider);

function credentialsInfo({ name, mechanism, user, oauth, created_at, changed_at }: CredentialsRow): CredentialsInfo {
  const info = { name, mechanism, user, createdAt: created_at, changedAt: changed_at };
  if (oauth === '') return info;
  const { tokenUrl, clientId, scope, grant } = JSON.parse(oauth) as KeptOAuthClient;
  return { ...info, oauth: { tokenUrl, clientId, scope, grant } };
}
