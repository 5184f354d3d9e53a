import { canonical, domainOf, splitTag } from '@kiroku/domain/mail/address.js';
import { recipientMatcher, type Verdict, type Verification } from '@kiroku/domain/routing/verification.js';
import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import type { CallForward, Source } from './call-forward.js';
import { gather } from './gather.js';

/** Domains whose lists are kept ready; each may have 20,000 recipients. */
const KEPT_LISTS = 200;

interface Found {
  readonly name: string;
  readonly verify: Verification;
  readonly revision: number;
  readonly ldap: string;
  /** Of the directory; null when none is asked. */
  readonly ldap_revision: number | null;
}
interface ReadyList { readonly revision: number; readonly listed: (address: string, separators: string) => boolean }

/**
 * Relay domains as SMTP sees them, from the inline views `relay_domain_2` and
 * `ldap_directory_1`. Answers reflect every append that has returned (promise 3);
 * calls that wait at the same time share one query. The directory comes first: ask this about what it calls `remote`.
 */
export class PostgresRelayDomains {
  readonly #lists = new LRUCache<string, ReadyList>({ max: KEPT_LISTS });
  readonly #ask = gather<string, Found | undefined>((names) => this.#query(names));

  constructor(
    private readonly pool: pg.Pool,
    private readonly callForward: Pick<CallForward, 'verdict'>,
    /** Answers of LDAP directories. */
    private readonly ldap: Pick<CallForward, 'verdict'>,
    /** Separators of extended addresses, as set now. */
    private readonly separators: () => string,
  ) {}

  /** @param domain lower case, A-labels. @returns undefined when it is no relay domain. */
  async find(domain: string): Promise<Verification | undefined> {
    return (await this.#ask(domain))?.verify;
  }

  /**
   * Whether a recipient is to be taken: `yes`; `no` = 550 5.1.1; `temporary` = 450 4.1.1, the inner server or the directory could
   * not be asked;
   * `elsewhere` = no relay domain, so only those may send there who may relay.
   * @throws any error when the view cannot be read: temporary, answer 451 4.3.0.
   */
  async verify(address: string): Promise<Verdict | 'elsewhere'> {
    const known = canonical(address);
    const domain = known === undefined ? undefined : await this.#ask(domainOf(known));
    if (domain === undefined) return 'elsewhere';
    switch (domain.verify) {
      case 'none':
        return 'yes';
      case 'list':
        return (await this.#list(domain))(address, this.separators()) ? 'yes' : 'no';
      case 'call-forward':
        return this.callForward.verdict(address);
      case 'ldap':
        return this.#inDirectory(known ?? '', { name: domain.ldap, revision: domain.ldap_revision ?? 0 });
    }
  }

  /** As it is, or else without its tag. */
  async #inDirectory(address: string, directory: Source): Promise<Verdict> {
    const said = await this.ldap.verdict(address, directory);
    const plain = said === 'yes' ? undefined : splitTag(address, this.separators());
    if (plain === undefined) return said;
    const ofPlain = await this.ldap.verdict(plain, directory);
    return ofPlain === 'no' ? said : ofPlain;
  }

  async #query(names: readonly string[]): Promise<readonly (Found | undefined)[]> {
    const { rows } = await this.pool.query<Found>({
      name: 'relay-domains',
      text: `SELECT r.name, r.verify, r.revision, r.ldap, l.revision AS ldap_revision
             FROM view.relay_domain_2 r LEFT JOIN view.ldap_directory_1 l ON l.name = r.ldap WHERE r.name = ANY($1)`,
      values: [[...new Set(names)]],
    });
    const found = new Map(rows.map((row) => [row.name, row]));
    return names.map((name) => found.get(name));
  }

  /** The list of that revision or a later one. */
  async #list({ name, revision }: Found): Promise<ReadyList['listed']> {
    const kept = this.#lists.get(name);
    if (kept && kept.revision >= revision) return kept.listed;
    const { rows } = await this.pool.query<{ revision: number; recipients: string }>({
      name: 'relay-recipients', text: 'SELECT revision, recipients FROM view.relay_domain_2 WHERE name = $1', values: [name],
    });
    const row = rows[0];
    if (!row) return () => false; // removed meanwhile
    const listed = recipientMatcher(JSON.parse(row.recipients) as readonly string[]);
    this.#lists.set(name, { revision: row.revision, listed });
    return listed;
  }
}
