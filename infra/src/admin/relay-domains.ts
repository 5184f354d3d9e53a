import type { DomainEvent } from '@kiroku/domain/directory/domain.js';
import { domainStream } from '@kiroku/domain/directory/domain.js';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import {
  refuseRelay, type RelayDomainCommand, relayDomainDecider, type RelayDomainEvent, relayDomainName, relayDomainStream, type Verification,
} from '@kiroku/domain/routing/verification.js';
import type pg from 'pg';
import { type Page, pageOf, type PageQuery } from './page.js';

export interface RelayDomainInfo {
  readonly name: string;
  readonly verify: Verification;
  /** On the list, whether or not it is looked at. */
  readonly listed: number;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly changedAt: number;
}

export interface RelayDomainDetails extends RelayDomainInfo {
  readonly recipients: readonly string[];
}

interface Row { name: string; verify: Verification; listed: number; recipients: string; created_at: number; changed_at: number }

const SUMMARY = 'name, verify, json_array_length(recipients::json) AS listed, created_at, changed_at';
const ATTEMPTS = 20;

/** Domains that are taken for gateways, and which of their recipients. */
export class RelayDomainAdmin {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
  ) {}

  async list({ after, limit }: PageQuery): Promise<Page<RelayDomainInfo>> {
    const { rows } = await this.pool.query<Row>({
      name: 'admin-relay-domains', text: `SELECT ${SUMMARY} FROM view.relay_domain_1 WHERE name > $1 ORDER BY name LIMIT $2`, values: [after ?? '', limit + 1],
    });
    return pageOf(rows, limit, infoOf, (row) => row.name);
  }

  /** @throws Refusal `bad-domain`, `no-such-relay-domain` */
  async get(text: string): Promise<RelayDomainDetails> {
    const name = relayDomainName(text);
    const { rows } = await this.pool.query<Row>({ name: 'admin-relay-domain', text: `SELECT ${SUMMARY}, recipients FROM view.relay_domain_1 WHERE name = $1`, values: [name] });
    return rows[0] ? { ...infoOf(rows[0]), recipients: JSON.parse(rows[0].recipients) as readonly string[] } : refuseRelay('no-such-relay-domain', name);
  }

  /**
   * A domain that is ours already is refused. One that becomes ours later is ours: the directory is asked first.
   * @throws Refusal `bad-domain`, `relay-domain-exists`, `domain-is-local`, `bad-recipient`, `too-many-recipients`
   */
  async add(wish: { readonly name: string; readonly verify: Verification; readonly recipients: readonly string[] }, origin: Origin): Promise<void> {
    const name = relayDomainName(wish.name);
    const own = (await this.engine.store.readLast([domainStream(name)])).get(domainStream(name))?.event as unknown as DomainEvent | undefined;
    if (own !== undefined && own.type !== 'DomainDeleted') refuseRelay('domain-is-local', name);
    await this.#decide(name, { type: 'AddRelayDomain', name, verify: wish.verify, recipients: wish.recipients, now: this.engine.clock.now() }, origin);
  }

  /** @throws Refusal `bad-domain`, `no-such-relay-domain`, `bad-recipient`, `too-many-recipients` */
  change(text: string, command: Exclude<RelayDomainCommand, { readonly type: 'AddRelayDomain' }>, origin: Origin): Promise<void> {
    return this.#decide(relayDomainName(text), command, origin);
  }

  async #decide(name: string, command: RelayDomainCommand, origin: Origin): Promise<void> {
    const stream = relayDomainStream(name);
    for (let attempt = 1; ; attempt++) {
      const { version = 0, event } = (await this.engine.store.readLast([stream])).get(stream) ?? {};
      const state = event && relayDomainDecider.evolve(undefined, event as unknown as RelayDomainEvent);
      const facts = relayDomainDecider.decide(command, state);
      if (facts.length === 0) return;
      try {
        return await this.engine.store.append([{ stream, expected: version, events: record(facts, this.engine, origin, {}) }]);
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
      }
    }
  }
}

const infoOf = ({ name, verify, listed, created_at, changed_at }: Row): RelayDomainInfo => ({ name, verify, listed, createdAt: created_at, changedAt: changed_at });
