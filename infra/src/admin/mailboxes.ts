import { isReason } from '@kiroku/domain/delivery/reason.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import { folderPath } from '@kiroku/domain/mailbox/folder-name.js';
import { ANYONE, GROUP, knownRights } from '@kiroku/domain/mailbox/rights.js';
import { MailboxRefusal, type MailboxTrouble, type Rights, type SpecialUse } from '@kiroku/domain/mailbox/store-port.js';
import type pg from 'pg';
import { nameOf, type Names, namesOf } from '../read-model/identifiers.js';
import { Folders } from '../read-model/mailboxes/folder-commands.js';
import { type Page, pageOf, type PageQuery } from './page.js';

/** An entry of an access list. */
export interface MailboxAccess {
  /** An account's address, `anyone`, or `group:` and a group's name; with `-` before it: what is taken away. */
  readonly who: string;
  /** Letters of RFC 4314 §2.1. */
  readonly rights: Rights;
}

export interface MailboxInfo {
  readonly id: string;
  readonly name: string;
  readonly messages: number;
  readonly unseen: number;
  /** Of messages, as quota counts them. */
  readonly bytes: number;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly highestModSeq: number;
  readonly specialUse: readonly SpecialUse[];
  /** By its owner. */
  readonly subscribed: boolean;
  /** The owner is not in it. */
  readonly sharedWith: readonly MailboxAccess[];
}

/** What is known of bodies without reading them; worth nothing but time. */
export interface BodyCacheInfo {
  /** On disk. */
  readonly bytes: number;
  /** In it. */
  readonly bodies: number;
  /** In mailboxes, and not in it: read by whoever asks first, or when the machine has time. */
  readonly missing: number;
}

export type MailboxAdminRefusal =
  | 'no-such-mailbox'
  | 'mailbox-exists'
  | 'bad-mailbox-name'
  | 'inbox-stays'
  | 'too-many-mailboxes'
  | 'bad-rights'
  | 'unknown-identifier'
  | 'owner-has-all-rights'
  | 'bad-reason';

/** What the domain says of names; as the owner, an administrator meets no others. */
const SAID: Readonly<Partial<Record<MailboxTrouble, MailboxAdminRefusal>>> = {
  nonexistent: 'no-such-mailbox', 'has-children': 'no-such-mailbox', 'already-exists': 'mailbox-exists', 'bad-name': 'bad-mailbox-name', inbox: 'inbox-stays', 'too-many': 'too-many-mailboxes',
};

interface Owner { readonly id: string; readonly address: string }
interface Row {
  id: string; path: string; special_use: string; uid_validity: number; uid_next: number; highest_mod_seq: number; messages: number; bytes: number; seen: number; subscribed: boolean;
  list: Readonly<Record<string, Rights>> | null;
}

const MAILBOX = `f.id, f.path, f.special_use, b.uid_validity, b.uid_next, b.highest_mod_seq, b.messages, b.bytes,
  (SELECT coalesce(sum(s.seen), 0)::bigint FROM view.mailbox_state_1 s WHERE s.mailbox_id = f.id) AS seen,
  EXISTS (SELECT FROM view.subscription_1 s WHERE s.account_id = f.account_id AND s.owner = f.account_id AND s.path = f.path) AS subscribed,
  (SELECT json_object_agg(a.identifier, a.rights) FROM view.folder_access_1 a WHERE a.account_id = f.account_id AND a.folder_id = f.id) AS list
  FROM view.folder_1 f JOIN view.mailbox_1 b ON b.id = f.id WHERE f.account_id = $1`;

/** Whole-table statements may take their time (ms); the driver reads this, its types do not know it. */
const PATIENT = { query_timeout: 600_000 } as object;

/** Accounts' mailboxes, as administrators see and change them: with all that their owners may do, in the owners' own names. */
export class MailboxAdmin {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
  ) {}

  /** By name, in byte order. @throws Refusal `no-such-account` */
  async list(address: string, { after, limit }: PageQuery): Promise<Page<MailboxInfo>> {
    const { id } = await this.#owner(address);
    const { rows } = await this.pool.query<Row>({
      name: 'admin-mailboxes', text: `SELECT ${MAILBOX} AND f.path > $2 COLLATE "C" ORDER BY f.path COLLATE "C" LIMIT $3`, values: [id, after ?? '', limit + 1],
    });
    const names = await this.#names(rows);
    return pageOf(rows, limit, (row) => infoOf(row, names), (row) => row.path);
  }

  /** @throws Refusal `no-such-account`, `no-such-mailbox`, `bad-mailbox-name` */
  async get(address: string, name: string): Promise<MailboxInfo> {
    return this.#get(await this.#owner(address), pathOf(name));
  }

  /**
   * Superior names are made as needed.
   * @param wish `subscribe`: for the owner, to all that is made; mail programs show what is subscribed to.
   * @throws Refusal `no-such-account`, `mailbox-exists`, `bad-mailbox-name`, `too-many-mailboxes`, `bad-reason`
   */
  async create(
    address: string, wish: { readonly name: string; readonly specialUse: readonly SpecialUse[]; readonly subscribe?: boolean | undefined; readonly reason?: string | undefined }, origin: Origin,
  ): Promise<MailboxInfo> {
    const owner = await this.#owner(address);
    const path = pathOf(wish.name);
    await told(this.#folders(owner, wish.reason).create(owner.id, path, wish.specialUse, origin, wish.subscribe));
    return this.#get(owner, path);
  }

  /**
   * What lies below moves along. INBOX cannot be renamed: in IMAP this means to empty it, which is for its owner to do.
   * @throws Refusal `no-such-account`, `no-such-mailbox`, `mailbox-exists`, `bad-mailbox-name`, `inbox-stays`, `too-many-mailboxes`, `bad-reason`
   */
  async rename(address: string, name: string, to: string, reason: string | undefined, origin: Origin): Promise<MailboxInfo> {
    const owner = await this.#owner(address);
    const [old, wish] = [pathOf(name), pathOf(to)];
    if (old === 'INBOX') throw new Refusal('inbox-stays', old);
    await told(this.#folders(owner, reason).rename(owner.id, old, wish, origin));
    return this.#get(owner, wish);
  }

  /** With its messages; what lies below stays. @throws Refusal `no-such-account`, `no-such-mailbox`, `bad-mailbox-name`, `inbox-stays`, `bad-reason` */
  async delete(address: string, name: string, reason: string | undefined, origin: Origin): Promise<void> {
    const owner = await this.#owner(address);
    await told(this.#folders(owner, reason).delete(owner.id, pathOf(name), origin));
  }

  /** Without the owner, who has all rights. @throws Refusal `no-such-account`, `no-such-mailbox`, `bad-mailbox-name` */
  async acl(address: string, name: string): Promise<readonly MailboxAccess[]> {
    return (await this.get(address, name)).sharedWith;
  }

  /**
   * Gives exactly these rights; none takes the entry away.
   * @param rights letters; `c` and `d` as RFC 4314 §2.1.1 says.
   * @throws Refusal `no-such-account`, `no-such-mailbox`, `bad-mailbox-name`, `bad-rights`, `unknown-identifier`, `owner-has-all-rights`, `too-many-mailboxes`, `bad-reason`
   */
  async setAcl(address: string, name: string, who: string, rights: string, reason: string | undefined, origin: Origin): Promise<readonly MailboxAccess[]> {
    const owner = await this.#owner(address);
    const path = pathOf(name);
    const wanted = refusing('bad-rights', rights, () => knownRights(rights));
    const named = who.replace(/^-/, '').toLowerCase();
    const person = canonical(named);
    if (person === owner.address) throw new Refusal('owner-has-all-rights', person);
    if (person === undefined && named !== ANYONE && !named.startsWith(GROUP)) throw new Refusal('unknown-identifier', who.slice(0, 321));
    await told(this.#folders(owner, reason).setAcl(owner.id, path, who, wanted, origin), { 'bad-name': 'unknown-identifier' });
    return (await this.#get(owner, path)).sharedWith;
  }

  async cache(): Promise<BodyCacheInfo> {
    const { rows } = await this.pool.query<BodyCacheInfo>({
      text: `SELECT pg_total_relation_size('cache.search_1') + pg_total_relation_size('cache.body_1') AS bytes, (SELECT count(*) FROM cache.search_1) AS bodies,
               (SELECT count(DISTINCT m.sha256) FROM view.mailbox_message_1 m WHERE NOT EXISTS (SELECT FROM cache.search_1 s WHERE s.sha256 = m.sha256)) AS missing`,
      ...PATIENT,
    });
    return rows[0] ?? { bytes: 0, bodies: 0, missing: 0 };
  }

  /** Harmless: all of it is found out again. */
  async clearCache(): Promise<void> {
    // In the order in which it is filled, so that neither waits for the other crosswise.
    await this.pool.query({ text: 'TRUNCATE cache.body_1, cache.search_1, cache.mailbox_1', ...PATIENT });
  }

  async #owner(text: string): Promise<Owner> {
    const { rows } = await this.pool.query<Owner>({ name: 'admin-owner', text: 'SELECT id, address FROM view.account_1 WHERE address = $1', values: [canonical(text)] });
    if (!rows[0]) throw new Refusal('no-such-account', text.slice(0, 320));
    return rows[0];
  }

  #folders({ address }: Owner, reason: string | undefined): Folders {
    if (reason !== undefined && !isReason(reason)) throw new Refusal('bad-reason');
    return new Folders(this.pool, this.engine, { address, ...(reason !== undefined && { reason }) });
  }

  async #get(owner: Owner, path: string): Promise<MailboxInfo> {
    const { rows } = await this.pool.query<Row>({ name: 'admin-mailbox', text: `SELECT ${MAILBOX} AND f.path = $2 COLLATE "C"`, values: [owner.id, path] });
    if (!rows[0]) throw new Refusal('no-such-mailbox', path);
    return infoOf(rows[0], await this.#names(rows));
  }

  #names(rows: readonly Row[]): Promise<Names> {
    return namesOf(this.pool, rows.flatMap(({ list }) => Object.keys(list ?? {})));
  }
}

function infoOf(row: Row, names: Names): MailboxInfo {
  const sharedWith = Object.entries(row.list ?? {}).flatMap(([identifier, rights]): readonly MailboxAccess[] => {
    const who = nameOf(names, identifier);
    return who === undefined ? [] : [{ who, rights }]; // who is gone
  });
  return {
    id: row.id, name: row.path, messages: row.messages, unseen: row.messages - row.seen, bytes: row.bytes, uidValidity: row.uid_validity, uidNext: row.uid_next,
    highestModSeq: row.highest_mod_seq, specialUse: row.special_use === '' ? [] : (row.special_use.split(' ') as SpecialUse[]), subscribed: row.subscribed, sharedWith: sharedWith.sort((a, b) => (a.who < b.who ? -1 : 1)),
  };
}

/** An account's own mailboxes only: others' are changed where they lie. */
const pathOf = (name: string): string => refusing('bad-mailbox-name', name, () => folderPath(name));

function refusing<T>(reason: MailboxAdminRefusal, detail: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof MailboxRefusal) throw new Refusal(reason, detail.slice(0, 400));
    throw error;
  }
}

/** @throws Refusal in place of MailboxRefusal. */
async function told<T>(work: Promise<T>, otherwise: Readonly<Partial<Record<MailboxTrouble, MailboxAdminRefusal>>> = {}): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const reason = error instanceof MailboxRefusal ? (otherwise[error.trouble] ?? SAID[error.trouble]) : undefined;
    if (reason === undefined) throw error;
    throw new Refusal(reason, (error as MailboxRefusal).mailbox.slice(0, 400));
  }
}
