import type { Origin } from '@kiroku/domain/kernel/event.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { canonical, splitTag } from '@kiroku/domain/mail/address.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import { checkBindSecret, type LdapCommand, ldapDecider, type LdapEvent, ldapName, type LdapSettings, ldapStream, type Plain, printServer } from '@kiroku/domain/routing/ldap.js';
import { fillTemplate, printFilter } from '@kiroku/domain/routing/ldap-filter.js';
import type pg from 'pg';
import { sealLdapSecret } from '../auth/ldap-secret.js';
import type { ServerKey } from '../auth/seal.js';
import { openLdap } from '../ldap/connection.js';
import type { AskableDirectory } from '../ldap/directories.js';
import { LdapFailed, type LdapTrouble } from '../ldap/failure.js';
import { PostgresLdapDirectories } from '../read-model/ldap-directories.js';
import { type Page, pageOf, type PageQuery } from './page.js';

/** The secret is never told. */
export interface LdapInfo extends LdapSettings {
  readonly name: string;
  /** Relay domains that ask it, by name; the first 100. */
  readonly relayDomains: readonly string[];
  /** Epoch ms. */
  readonly createdAt: number;
  readonly changedAt: number;
}

/** What one server of a directory says of an address. */
export interface LdapServerAnswer {
  readonly server: string;
  readonly outcome: 'found' | 'not-found' | 'failed';
  /** As what it was found: the address, or the address without its tag. */
  readonly as?: string;
  readonly reason?: LdapTrouble;
  /** The server's or the system's own words. */
  readonly detail?: string;
}

export interface LdapTest {
  readonly address: string;
  /** What was asked, as the text of a filter. */
  readonly filter: string;
  /** All servers, also those that mail would not get to ask. */
  readonly servers: readonly LdapServerAnswer[];
}

export type LdapWish = LdapSettings & { readonly name: string; /** '' for an anonymous bind. */ readonly secret: string };
export type LdapChange = { readonly [K in keyof LdapSettings | 'secret']?: (K extends keyof LdapSettings ? LdapSettings[K] : string) | undefined };

interface Row { name: string; servers: string; plain: Plain; bind_dn: string; base_dn: string; filter: string; ca: string; created_at: number; changed_at: number; relays: string[] }

const SUMMARY = `name, servers, plain, bind_dn, base_dn, filter, ca, created_at, changed_at,
  ARRAY(SELECT r.name FROM view.relay_domain_2 r WHERE r.ldap = l.name ORDER BY 1 LIMIT 100) AS relays`;
const ATTEMPTS = 20;

/** LDAP directories, as administrators change, see and try them. */
export class LdapAdmin {
  readonly #directories: PostgresLdapDirectories;

  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
    private readonly key: ServerKey,
    /** Separators of extended addresses, as set now. */
    private readonly separators: () => Promise<string>,
  ) {
    this.#directories = new PostgresLdapDirectories(pool, key);
  }

  async list({ after, limit }: PageQuery): Promise<Page<LdapInfo>> {
    const { rows } = await this.pool.query<Row>({
      name: 'admin-ldap-directories', text: `SELECT ${SUMMARY} FROM view.ldap_directory_1 l WHERE name > $1 ORDER BY name LIMIT $2`, values: [after ?? '', limit + 1],
    });
    return pageOf(rows, limit, infoOf, (row) => row.name);
  }

  /** @throws Refusal `bad-ldap-directory`, `no-such-ldap-directory` */
  async get(text: string): Promise<LdapInfo> {
    const name = ldapName(text);
    const { rows } = await this.pool.query<Row>({ name: 'admin-ldap-directory', text: `SELECT ${SUMMARY} FROM view.ldap_directory_1 l WHERE name = $1`, values: [name] });
    return rows[0] ? infoOf(rows[0]) : none(name);
  }

  /** @throws Refusal `bad-ldap-directory`, `bad-ldap-filter`, `ldap-directory-exists` */
  async add({ name: text, secret, ...settings }: LdapWish, origin: Origin): Promise<void> {
    const name = ldapName(text);
    await this.#decide(name, { type: 'AddLdapDirectory', name, ...settings, sealed: secret === '' ? '' : this.#seal(secret, name), now: this.engine.clock.now() }, origin);
  }

  /** @throws Refusal `bad-ldap-directory`, `bad-ldap-filter`, `no-such-ldap-directory` */
  async change(text: string, { secret, ...settings }: LdapChange, origin: Origin): Promise<void> {
    const name = ldapName(text);
    await this.#decide(name, { type: 'ChangeLdapDirectory', ...settings, sealed: secret === undefined ? undefined : this.#seal(secret, name) }, origin);
  }

  /** @throws Refusal `bad-ldap-directory`, `no-such-ldap-directory`, `ldap-directory-in-use` */
  async remove(text: string, origin: Origin): Promise<void> {
    await this.#decide(ldapName(text), { type: 'RemoveLdapDirectory' }, origin);
  }

  /**
   * Asks every server of a directory for an address, each on a connection of its own; nothing is remembered.
   * @throws Refusal `bad-ldap-directory`, `no-such-ldap-directory`, `bad-address`
   */
  async test(text: string, address: string): Promise<LdapTest> {
    const name = ldapName(text);
    const asked = canonical(address);
    if (asked === undefined) throw new Refusal('bad-address', address.slice(0, 320));
    const directory = (await this.#directories.load(name)) ?? none(name);
    const plain = splitTag(asked, await this.separators());
    const addresses = plain === undefined ? [asked] : [asked, plain];
    const servers = await Promise.all(directory.servers.map((server) => answerOf(directory, server, addresses)));
    return { address: asked, filter: printFilter(fillTemplate(directory.template, asked)), servers };
  }

  #seal(secret: string, name: string): string {
    return sealLdapSecret(checkBindSecret(secret), this.key, name);
  }

  async #decide(name: string, command: LdapCommand, origin: Origin): Promise<void> {
    const stream = ldapStream(name);
    for (let attempt = 1; ; attempt++) {
      const { version = 0, event } = (await this.engine.store.readLast([stream])).get(stream) ?? {};
      const facts = ldapDecider.decide(command, event && ldapDecider.evolve(undefined, event as unknown as LdapEvent));
      if (facts.length === 0) return;
      try {
        return await this.engine.store.append([{ stream, expected: version, events: record(facts, this.engine, origin, {}) }]);
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
      }
    }
  }
}

const none = (name: string): never => {
  throw new Refusal('no-such-ldap-directory', name);
};

async function answerOf(directory: AskableDirectory, server: AskableDirectory['servers'][number], addresses: readonly string[]): Promise<LdapServerAnswer> {
  const name = printServer(server);
  const { secret, plain, bindDn, ca, baseDn, template } = directory;
  try {
    if (secret === undefined) throw new LdapFailed('secret', name, '');
    const connection = await openLdap(server, { plain, bindDn, ca, secret });
    try {
      for (const address of addresses) if (await connection.has(baseDn, fillTemplate(template, address))) return { server: name, outcome: 'found', as: address };
      return { server: name, outcome: 'not-found' };
    } finally {
      connection.retire();
    }
  } catch (error) {
    if (!(error instanceof LdapFailed)) throw error;
    return { server: name, outcome: 'failed', reason: error.reason, ...(error.detail !== '' && { detail: error.detail }) };
  }
}

const infoOf = ({ name, servers, plain, bind_dn, base_dn, filter, ca, created_at, changed_at, relays }: Row): LdapInfo => ({
  name, servers: JSON.parse(servers) as readonly string[], plain, bindDn: bind_dn, baseDn: base_dn, filter, ca, relayDomains: relays, createdAt: created_at, changedAt: changed_at,
});
