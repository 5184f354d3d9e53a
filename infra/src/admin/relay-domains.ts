import type { DomainEvent } from '@kiroku/domain/directory/domain.js';
import { domainStream } from '@kiroku/domain/directory/domain.js';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { ldapDecider, type LdapEvent, ldapStream } from '@kiroku/domain/routing/ldap.js';
import {
  directoryOf, refuseRelay, type RelayDomainCommand, relayDomainDecider, type RelayDomainEvent, relayDomainName, relayDomainStream, type Verification,
} from '@kiroku/domain/routing/verification.js';
import type pg from 'pg';
import { type Page, pageOf, type PageQuery } from './page.js';

export interface RelayDomainInfo {
  readonly name: string;
  readonly verify: Verification;
  /** Name of the LDAP directory, where that is how. */
  readonly ldap?: string;
  /** On the list, whether or not it is looked at. */
  readonly listed: number;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly changedAt: number;
}

export interface RelayDomainDetails extends RelayDomainInfo {
  readonly recipients: readonly string[];
}

interface Row { name: string; verify: Verification; ldap: string; listed: number; recipients: string; created_at: number; changed_at: number }

const SUMMARY = 'name, verify, ldap, json_array_length(recipients::json) AS listed, created_at, changed_at';
const ATTEMPTS = 20;

/** Domains that are taken for gateways, and which of their recipients. */
export class RelayDomainAdmin {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
  ) {}

  async list({ after, limit }: PageQuery): Promise<Page<RelayDomainInfo>> {
    const { rows } = await this.pool.query<Row>({
      name: 'admin-relay-domains', text: `SELECT ${SUMMARY} FROM view.relay_domain_2 WHERE name > $1 ORDER BY name LIMIT $2`, values: [after ?? '', limit + 1],
    });
    return pageOf(rows, limit, infoOf, (row) => row.name);
  }

  /** @throws Refusal `bad-domain`, `no-such-relay-domain` */
  async get(text: string): Promise<RelayDomainDetails> {
    const name = relayDomainName(text);
    const { rows } = await this.pool.query<Row>({ name: 'admin-relay-domain', text: `SELECT ${SUMMARY}, recipients FROM view.relay_domain_2 WHERE name = $1`, values: [name] });
    return rows[0] ? { ...infoOf(rows[0]), recipients: JSON.parse(rows[0].recipients) as readonly string[] } : refuseRelay('no-such-relay-domain', name);
  }

  /**
   * A domain that is ours already is refused. One that becomes ours later is ours: the directory is asked first.
   * @throws Refusal `bad-domain`, `relay-domain-exists`, `domain-is-local`, `bad-recipient`, `too-many-recipients`, `unknown-ldap-directory`,
   * `ldap-directory-needed`, `ldap-directory-unused`
   */
  async add(wish: { readonly name: string; readonly verify: Verification; readonly ldap?: string | undefined; readonly recipients: readonly string[] }, origin: Origin): Promise<void> {
    const name = relayDomainName(wish.name);
    const own = (await this.engine.store.readLast([domainStream(name)])).get(domainStream(name))?.event as unknown as DomainEvent | undefined;
    if (own !== undefined && own.type !== 'DomainDeleted') refuseRelay('domain-is-local', name);
    await this.#decide(name, { type: 'AddRelayDomain', name, verify: wish.verify, ldap: wish.ldap, recipients: wish.recipients, now: this.engine.clock.now() }, origin);
  }

  /** @throws Refusal as `add`, and `no-such-relay-domain` */
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
      const used = await this.#useOf(directoryOf(state), directoryOf(facts.reduce((after, fact) => relayDomainDecider.evolve(after, fact), state)));
      const appends = [{ stream, expected: version, facts }, ...used];
      try {
        return await this.engine.store.append(appends.map((a) => ({ stream: a.stream, expected: a.expected, events: record(a.facts, this.engine, origin, {}) })));
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
      }
    }
  }

  /** What the directories that are asked no longer, and from now on, note of it: who removes one at this moment meets a conflict. */
  async #useOf(before: string | undefined, after: string | undefined): Promise<readonly { readonly stream: string; readonly expected: number; readonly facts: readonly LdapEvent[] }[]> {
    if (before === after) return [];
    const uses = [...(before === undefined ? [] : [{ stream: ldapStream(before), add: -1 as const }]), ...(after === undefined ? [] : [{ stream: ldapStream(after), add: 1 as const }])];
    const last = await this.engine.store.readLast(uses.map(({ stream }) => stream));
    return uses.map(({ stream, add }) => {
      const { version = 0, event } = last.get(stream) ?? {};
      const state = event && ldapDecider.evolve(undefined, event as unknown as LdapEvent);
      return { stream, expected: version, facts: ldapDecider.decide({ type: 'CountLdapUse', add }, state) };
    });
  }
}

const infoOf = ({ name, verify, ldap, listed, created_at, changed_at }: Row): RelayDomainInfo => ({ name, verify, ...(ldap !== '' && { ldap }), listed, createdAt: created_at, changedAt: changed_at });
