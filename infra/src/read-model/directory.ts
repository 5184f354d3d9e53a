import { type AliasTarget, type DirectoryRows, type Question, question, resolve } from '@kiroku/domain/directory/resolve.js';
import { canonical, domainOf } from '@kiroku/domain/mail/address.js';
import type { AccountFacts, Directory, Resolved } from '@kiroku/domain/mail/directory-port.js';
import type pg from 'pg';
import type { CredentialSource, StoredCredentials } from '../auth/directory-authenticator.js';
import { changeMark } from '../postgres/change-mark.js';
import { gather } from './gather.js';

interface AccountRow {
  readonly id: string; readonly address: string; readonly enabled: boolean; readonly smtp: boolean; readonly pop3: boolean; readonly imap: boolean;
  readonly quota: number; readonly inbox: string; readonly used: number;
}
/** One row of the union; which columns are filled depends on `kind`. */
type Found =
  | { readonly kind: 'domain'; readonly address: string; readonly enabled: boolean }
  | { readonly kind: 'relay'; readonly address: string }
  | { readonly kind: 'alias'; readonly address: string; readonly wildcard: boolean; readonly targets: string }
  | ({ readonly kind: 'account' } & AccountRow);

const ACCOUNT = `a.id, a.address, a.enabled, a.smtp, a.pop3, a.imap, a.quota, a.inbox,
  coalesce((SELECT sum(m.bytes) FROM view.mailbox_1 m WHERE m.account_id = a.id), 0)::bigint AS used`;

/** Answers remembered; who asks for more names than that between two changes is asking for names that are not there. */
const REMEMBERED = 10_000;

/** The directory from its inline views. Everything that waits at the same time is one query, and none while nothing has changed (see `ChangeMark`). */
export class PostgresDirectory implements Directory, CredentialSource {
  readonly #answers = new Map<string, Resolved>();
  /** What the answers hold for. */
  #seen: string | undefined;
  readonly #ask = gather<Question, Resolved>((questions) => this.#query(questions));
  readonly #credentials = gather<string, StoredCredentials | undefined>((addresses) => this.#queryCredentials(addresses));

  constructor(
    private readonly pool: pg.Pool,
    /** Separators of extended addresses, as set now. */
    private readonly separators: () => string,
  ) {}

  lookup(addresses: readonly string[]): Promise<readonly Resolved[]> {
    return Promise.all(
      addresses.map((address) => {
        const asked = question(address, this.separators());
        if (!asked) return Promise.resolve(resolve(undefined, EMPTY));
        const known = this.#current(changeMark(this.pool).seen()).get(keyOf(asked));
        return known ? Promise.resolve(known) : this.#ask(asked);
      }),
    );
  }

  /** What is known as of the mark `seen`. */
  #current(seen: string | undefined): Map<string, Resolved> {
    if (seen === undefined || seen !== this.#seen || this.#answers.size >= REMEMBERED) this.#answers.clear();
    this.#seen = seen;
    return this.#answers;
  }

  async #query(questions: readonly Question[]): Promise<readonly Resolved[]> {
    const seen = changeMark(this.pool).seen();
    const answers = await this.#resolve(questions);
    // Another question may have seen a later mark meanwhile: these answers then hold for nobody else.
    if (seen !== undefined && seen === this.#seen) questions.forEach((q, i) => this.#answers.set(keyOf(q), answers[i] as Resolved));
    return answers;
  }

  async #resolve(questions: readonly Question[]): Promise<readonly Resolved[]> {
    const { rows } = await this.pool.query<Found>({
      name: 'directory-lookup',
      text: `SELECT 'domain' AS kind, NULL::uuid AS id, name AS address, enabled, NULL::boolean AS smtp, NULL::boolean AS pop3, NULL::boolean AS imap,
               NULL::bigint AS quota, NULL::uuid AS inbox, NULL::bigint AS used, NULL::boolean AS wildcard, NULL::text AS targets
             FROM view.domain_1 WHERE name = ANY($2)
             UNION ALL SELECT 'relay', NULL, name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM view.relay_domain_2 WHERE name = ANY($2)
             UNION ALL SELECT 'account', ${ACCOUNT}, NULL, NULL FROM view.account_1 a WHERE a.address = ANY($1)
             UNION ALL SELECT 'alias', NULL, address, enabled, NULL, NULL, NULL, NULL, NULL, NULL, wildcard, targets
             FROM view.alias_1 WHERE enabled AND address = ANY($1)
             UNION ALL SELECT 'alias', NULL, address, enabled, NULL, NULL, NULL, NULL, NULL, NULL, wildcard, targets
             FROM view.alias_1 WHERE enabled AND wildcard AND domain = ANY($2)`,
      values: [
        [...new Set(questions.flatMap((q) => (q.plain === undefined ? [q.exact] : [q.exact, q.plain])))],
        [...new Set(questions.map((q) => q.domain))],
      ],
    });
    const found = sort(rows);
    return questions.map((q) => {
      const answer = resolve(q, found);
      return answer.kind === 'remote' && found.relays.has(q.domain) ? RELAYED : answer;
    });
  }

  /** Those of these accounts that may use IMAP now, each with the mark that a login gets (see `LoginResult`). */
  async mayUseImap(accounts: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { rows } = await this.pool.query<{ id: string; mark: string }>({
      name: 'may-use-imap',
      text: 'SELECT a.id, md5(a.credentials) AS mark FROM view.account_1 a JOIN view.domain_1 d ON d.name = a.domain WHERE a.id = ANY($1::uuid[]) AND a.enabled AND a.imap AND d.enabled',
      values: [accounts],
    });
    return new Map(rows.map(({ id, mark }) => [id, mark]));
  }

  find(address: string): Promise<StoredCredentials | undefined> {
    const name = canonical(address);
    return name === undefined ? Promise.resolve(undefined) : this.#credentials(name);
  }

  async #queryCredentials(addresses: readonly string[]): Promise<readonly (StoredCredentials | undefined)[]> {
    const { rows } = await this.pool.query<AccountRow & { readonly credentials: string; readonly domain_enabled: boolean }>({
      name: 'credentials',
      text: `SELECT ${ACCOUNT}, a.credentials, coalesce(d.enabled, false) AS domain_enabled
             FROM view.account_1 a LEFT JOIN view.domain_1 d ON d.name = a.domain WHERE a.address = ANY($1)`,
      values: [[...new Set(addresses)]],
    });
    const found = new Map(rows.map((r) => [r.address, { account: account(r), sealed: r.credentials, domainEnabled: r.domain_enabled }]));
    return addresses.map((a) => found.get(a));
  }
}

/** All that an answer depends on, besides the directory. Addresses hold no NUL. */
const keyOf = ({ exact, plain = '', domain }: Question): string => `${exact}\0${plain}\0${domain}`;

const RELAYED: Resolved = { kind: 'remote', relay: true };
const EMPTY: DirectoryRows = { domains: new Map(), accounts: new Map(), aliases: new Map(), wildcards: new Map() };

const account = ({ id, address, enabled, smtp, pop3, imap, quota, inbox, used }: AccountRow): AccountFacts =>
  ({ id, address, enabled, smtp, pop3, imap, quota, inbox, used });

function sort(rows: readonly Found[]): DirectoryRows & { readonly relays: ReadonlySet<string> } {
  const domains = new Map<string, boolean>();
  const relays = new Set<string>();
  const accounts = new Map<string, AccountFacts>();
  const aliases = new Map<string, readonly AliasTarget[]>();
  const wildcards = new Map<string, { address: string; targets: readonly AliasTarget[] }[]>();
  for (const row of rows) {
    if (row.kind === 'domain') domains.set(row.address, row.enabled);
    else if (row.kind === 'relay') relays.add(row.address);
    else if (row.kind === 'account') accounts.set(row.address, account(row));
    else {
      const targets = JSON.parse(row.targets) as AliasTarget[];
      if (!row.wildcard) aliases.set(row.address, targets);
      else wildcards.set(domainOf(row.address), [...(wildcards.get(domainOf(row.address)) ?? []), { address: row.address, targets }]);
    }
  }
  return { domains, relays, accounts, aliases, wildcards };
}
