import { type AccountSettings, accountStream, type AccountEvent } from '@kiroku/domain/directory/account.js';
import type { Target } from '@kiroku/domain/directory/alias.js';
import type { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import { ownDomain } from '@kiroku/domain/directory/domain.js';
import type { NewAccount } from '@kiroku/domain/directory/plans.js';
import { refuse } from '@kiroku/domain/directory/refusals.js';
import { exportRow, type ListedAccount } from '@kiroku/domain/directory/tsv.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import type pg from 'pg';
import { makeCredentials, openCredentials, sealCredentials } from '../auth/credentials.js';
import { checkPassword } from '../auth/passwords.js';
import type { ServerKey } from '../auth/seal.js';
import { type Page, pageOf, type PageQuery } from './page.js';

export interface DomainInfo {
  readonly name: string;
  /** 0 = no limit. */
  readonly accountLimit: number;
  readonly enabled: boolean;
  readonly accounts: number;
  readonly aliases: number;
  /** Epoch ms. */
  readonly createdAt: number;
}

export interface AccountInfo {
  readonly id: string;
  readonly address: string;
  readonly domain: string;
  readonly fullName: string;
  readonly enabled: boolean;
  readonly smtp: boolean;
  readonly pop3: boolean;
  readonly imap: boolean;
  /** APOP and CRAM-MD5 are possible: the password itself is kept, sealed. */
  readonly reversible: boolean;
  /** Bytes; 0 = no limit. */
  readonly quota: number;
  /** Bytes and messages in all its mailboxes. */
  readonly used: number;
  readonly messages: number;
  /** Epoch ms. */
  readonly createdAt: number;
}

export interface AliasInfo {
  readonly address: string;
  readonly domain: string;
  readonly wildcard: boolean;
  readonly targets: readonly Target[];
  readonly enabled: boolean;
  /** Epoch ms. */
  readonly createdAt: number;
}

/** What an administrator says of a new account; the rest has defaults. */
export interface AccountWish {
  readonly address: string;
  readonly password: string;
  readonly fullName?: string | undefined;
  readonly smtp?: boolean | undefined;
  readonly pop3?: boolean | undefined;
  readonly imap?: boolean | undefined;
  readonly reversible?: boolean | undefined;
  readonly quota?: number | undefined;
}

export type AccountChanges = { readonly [K in Exclude<keyof AccountSettings, 'credentials'>]?: AccountSettings[K] | undefined };

/** Addresses per question, accounts per piece of an export: bounds memory. */
const MOST_ASKED = 5_000;
const MOST_EXPORTED = 500;

interface DomainRow { name: string; account_limit: number; enabled: boolean; accounts: number; aliases: number; created_at: number }
interface AccountRow {
  id: string; address: string; domain: string; full_name: string; enabled: boolean; smtp: boolean; pop3: boolean; imap: boolean; reversible: boolean;
  quota: number; used: number; messages: number; created_at: number;
}
interface AliasRow { address: string; domain: string; wildcard: boolean; targets: string; enabled: boolean; created_at: number }

const DOMAIN = `d.name, d.account_limit, d.enabled, d.created_at, (SELECT count(*) FROM view.account_1 a WHERE a.domain = d.name) AS accounts,
  (SELECT count(*) FROM view.alias_1 l WHERE l.domain = d.name) AS aliases`;
const ACCOUNT = `a.id, a.address, a.domain, a.full_name, a.enabled, a.smtp, a.pop3, a.imap, a.reversible, a.quota, a.created_at,
  coalesce(m.used, 0)::bigint AS used, coalesce(m.messages, 0)::bigint AS messages`;
const ACCOUNTS = `view.account_1 a LEFT JOIN LATERAL
  (SELECT sum(bytes) AS used, sum(messages) AS messages FROM view.mailbox_1 WHERE account_id = a.id) m ON true`;
const ALIAS = 'address, domain, wildcard, targets, enabled, created_at';

/** The directory as administrators change and see it. Lists come from inline views: they reflect every change that has returned. */
export class DirectoryAdmin {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
    readonly commands: DirectoryCommands,
    private readonly key: ServerKey,
  ) {}

  async domains({ after, limit }: PageQuery): Promise<Page<DomainInfo>> {
    const { rows } = await this.pool.query<DomainRow>({
      name: 'admin-domains', text: `SELECT ${DOMAIN} FROM view.domain_1 d WHERE d.name > $1 ORDER BY d.name LIMIT $2`, values: [after ?? '', limit + 1],
    });
    return pageOf(rows, limit, domainOf, (row) => row.name);
  }

  /** @throws Refusal `bad-domain`, `no-such-domain` */
  async domain(name: string): Promise<DomainInfo> {
    const { rows } = await this.pool.query<DomainRow>({ name: 'admin-domain', text: `SELECT ${DOMAIN} FROM view.domain_1 d WHERE d.name = $1`, values: [ownDomain(name)] });
    return rows[0] ? domainOf(rows[0]) : refuse('no-such-domain', name.slice(0, 255));
  }

  async accounts({ after, limit, domain }: PageQuery & { readonly domain?: string | undefined }): Promise<Page<AccountInfo>> {
    const { rows } = await this.pool.query<AccountRow>({
      name: 'admin-accounts',
      text: `SELECT ${ACCOUNT} FROM ${ACCOUNTS} WHERE a.address > $1 AND ($2::text IS NULL OR a.domain = $2) ORDER BY a.address LIMIT $3`,
      values: [after ?? '', domain === undefined ? null : ownDomain(domain), limit + 1],
    });
    return pageOf(rows, limit, accountOf, (row) => row.address);
  }

  /** @throws Refusal `no-such-account` */
  async account(address: string): Promise<AccountInfo> {
    const { rows } = await this.pool.query<AccountRow>({
      name: 'admin-account', text: `SELECT ${ACCOUNT} FROM ${ACCOUNTS} WHERE a.address = $1`, values: [canonical(address) ?? address],
    });
    return rows[0] ? accountOf(rows[0]) : refuse('no-such-account', address.slice(0, 320));
  }

  async aliases({ after, limit, domain }: PageQuery & { readonly domain?: string | undefined }): Promise<Page<AliasInfo>> {
    const { rows } = await this.pool.query<AliasRow>({
      name: 'admin-aliases',
      text: `SELECT ${ALIAS} FROM view.alias_1 WHERE address > $1 AND ($2::text IS NULL OR domain = $2) ORDER BY address LIMIT $3`,
      values: [after ?? '', domain === undefined ? null : ownDomain(domain), limit + 1],
    });
    return pageOf(rows, limit, aliasOf, (row) => row.address);
  }

  /** @throws Refusal `no-such-alias` */
  async alias(address: string): Promise<AliasInfo> {
    const { rows } = await this.pool.query<AliasRow>({
      name: 'admin-alias', text: `SELECT ${ALIAS} FROM view.alias_1 WHERE address = $1`, values: [canonical(address) ?? address],
    });
    return rows[0] ? aliasOf(rows[0]) : refuse('no-such-alias', address.slice(0, 320));
  }

  /**
   * A wish with its password hashed and sealed: what the commands take. About 40 ms on the thread pool.
   * @throws Refusal `bad-password`
   */
  async prepare({ address, password, fullName = '', smtp = true, pop3 = true, imap = true, reversible = false, quota = 0 }: AccountWish): Promise<NewAccount> {
    const accountId = this.engine.ids.uuid();
    const credentials = sealCredentials(await makeCredentials(password, { reversible }), this.key, accountId);
    return { accountId, address, fullName, smtp, pop3, imap, reversible, quota, credentials };
  }

  /**
   * The same for a row of a list.
   * @param check only says whether it could be done, without hashing.
   * @throws Refusal `bad-password`, SealBroken
   */
  async prepareListed({ address, password, settings }: ListedAccount, check: boolean): Promise<NewAccount | undefined> {
    if (password.kind === 'plain') {
      if (!check) return this.prepare({ address, password: password.password, ...settings });
      checkPassword(password.password);
      return undefined;
    }
    const { secret, ...rest } = openCredentials(password.sealed, this.key, password.owner);
    if (check) return undefined;
    const accountId = this.engine.ids.uuid();
    const reversible = settings.reversible && secret !== undefined;
    return { accountId, address, ...settings, reversible, credentials: sealCredentials(reversible ? { ...rest, secret } : rest, this.key, accountId) };
  }

  /** Which of these canonical addresses an account or an alias has. */
  async taken(addresses: readonly string[]): Promise<ReadonlySet<string>> {
    const taken = new Set<string>();
    for (let i = 0; i < addresses.length; i += MOST_ASKED) {
      const { rows } = await this.pool.query<{ address: string }>({
        name: 'admin-taken',
        text: 'SELECT address FROM view.account_1 WHERE address = ANY($1) UNION ALL SELECT address FROM view.alias_1 WHERE address = ANY($1)',
        values: [addresses.slice(i, i + MOST_ASKED)],
      });
      for (const { address } of rows) taken.add(address);
    }
    return taken;
  }

  async limits(names: readonly string[]): Promise<ReadonlyMap<string, { readonly accounts: number; readonly accountLimit: number }>> {
    const { rows } = await this.pool.query<DomainRow>({ name: 'admin-limits', text: `SELECT ${DOMAIN} FROM view.domain_1 d WHERE d.name = ANY($1)`, values: [names] });
    return new Map(rows.map((row) => [row.name, { accounts: row.accounts, accountLimit: row.account_limit }]));
  }

  /** Accounts as a list of 10 columns, in pieces; passwords are protected by the server key. @throws Refusal `bad-domain`, `no-such-domain` */
  async *exported(domain: string | undefined): AsyncGenerator<string> {
    const name = domain === undefined ? null : (await this.domain(domain)).name;
    for (let after = ''; ; ) {
      const { rows } = await this.pool.query<AccountRow & { credentials: string }>({
        name: 'admin-export',
        text: `SELECT id, address, domain, full_name, smtp, pop3, imap, reversible, quota, credentials FROM view.account_1
               WHERE address > $1 AND ($2::text IS NULL OR domain = $2) ORDER BY address LIMIT ${MOST_EXPORTED}`,
        values: [after, name],
      });
      const last = rows.at(-1);
      if (!last) return;
      yield rows.map(({ id, full_name, ...row }) => exportRow({ accountId: id, fullName: full_name, ...row })).join('');
      after = last.address;
    }
  }

  /** @throws Refusal `bad-password` and what `addAccounts` refuses. */
  async addAccount(wish: AccountWish, origin: Origin): Promise<void> {
    await this.commands.addAccount(await this.prepare(wish), origin);
  }

  /** @throws Refusal `password-needed`: APOP and CRAM-MD5 need the password itself, which only setting it anew brings. */
  async changeAccount(address: string, changes: AccountChanges, origin: Origin): Promise<void> {
    const accountId = await this.commands.accountIdOf(address);
    const wanted = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<AccountSettings>;
    const now = await this.#settings(accountId);
    if (wanted.reversible === true && !now.reversible) throw new Refusal('password-needed', address.slice(0, 320));
    const forget = wanted.reversible === false && now.reversible;
    await this.commands.changeAccount(accountId, { ...wanted, ...(forget && { credentials: this.#withoutSecret(now.credentials, accountId) }) }, origin);
  }

  /** @param reversible also switches APOP and CRAM-MD5 on or off. @throws Refusal `no-such-account`, `bad-password` */
  async setPassword(address: string, password: string, reversible: boolean | undefined, origin: Origin): Promise<void> {
    const accountId = await this.commands.accountIdOf(address);
    const now = await this.#settings(accountId);
    const keep = reversible ?? now.reversible;
    const credentials = sealCredentials(await makeCredentials(password, { reversible: keep }), this.key, accountId);
    if (keep === now.reversible) await this.commands.setPassword(accountId, credentials, origin);
    else await this.commands.changeAccount(accountId, { credentials, reversible: keep }, origin);
  }

  async #settings(accountId: string): Promise<{ readonly reversible: boolean; readonly credentials: string }> {
    const last = (await this.engine.store.readLast([accountStream(accountId)])).get(accountStream(accountId));
    const event = last?.event as unknown as AccountEvent | undefined;
    return event === undefined || event.type === 'AccountDeleted' ? refuse('no-such-account') : event.data;
  }

  #withoutSecret(sealed: string, accountId: string): string {
    const { secret: _, ...rest } = openCredentials(sealed, this.key, accountId);
    return sealCredentials(rest, this.key, accountId);
  }

  async enableAccount(address: string, enabled: boolean, origin: Origin): Promise<void> {
    await this.commands.enableAccount(await this.commands.accountIdOf(address), enabled, origin);
  }

  async renameAccount(address: string, to: string, origin: Origin): Promise<void> {
    await this.commands.renameAccount(await this.commands.accountIdOf(address), to, origin);
  }

  async deleteAccount(address: string, origin: Origin): Promise<void> {
    await this.commands.deleteAccount(await this.commands.accountIdOf(address), origin);
  }
}

const domainOf = ({ name, account_limit, enabled, accounts, aliases, created_at }: DomainRow): DomainInfo =>
  ({ name, accountLimit: account_limit, enabled, accounts, aliases, createdAt: created_at });
const accountOf = ({ id, address, domain, full_name, enabled, smtp, pop3, imap, reversible, quota, used, messages, created_at }: AccountRow): AccountInfo =>
  ({ id, address, domain, fullName: full_name, enabled, smtp, pop3, imap, reversible, quota, used, messages, createdAt: created_at });
const aliasOf = ({ address, domain, wildcard, targets, enabled, created_at }: AliasRow): AliasInfo =>
  ({ address, domain, wildcard, targets: JSON.parse(targets) as Target[], enabled, createdAt: created_at });
