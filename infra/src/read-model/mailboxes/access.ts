import { canonical } from '@kiroku/domain/mail/address.js';
import { parseName, sharedName } from '@kiroku/domain/mailbox/folder-name.js';
import { ALL_RIGHTS, rightsOf } from '@kiroku/domain/mailbox/rights.js';
import { type Folder, MailboxRefusal, type Rights, type SpecialUse } from '@kiroku/domain/mailbox/store-port.js';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../cache/bound.js';
import type pg from 'pg';
import type { Tail } from './tail.js';

export interface FolderRow {
  readonly id: string; readonly account_id: string; readonly path: string; readonly special_use: string; readonly address: string; readonly quota: number;
  readonly neighbour: boolean; readonly groups: readonly string[] | null; readonly list: Readonly<Record<string, Rights>> | null; readonly subscribed: boolean;
}

/** A mailbox as an account may use it. */
export interface Access extends Folder {
  /** Of the owner: bytes, 0 = no limit. */
  readonly quota: number;
  /** Identifier (see `AccessList`) → rights. */
  readonly list: ReadonlyMap<string, Rights>;
}

/** $1 is the account that asks. */
export const FOLDER = `f.id, f.account_id, f.path, f.special_use, o.address, o.quota, coalesce(o.domain = me.domain, false) AS neighbour,
  CASE WHEN f.account_id <> $1 THEN (SELECT json_agg(m.group_id) FROM view.group_member_1 m WHERE m.account_id = $1) END AS groups,
  (SELECT json_object_agg(a.identifier, a.rights) FROM view.folder_access_1 a WHERE a.account_id = f.account_id AND a.folder_id = f.id) AS list,
  EXISTS (SELECT FROM view.subscription_1 s WHERE s.account_id = $1 AND s.owner = f.account_id AND s.path = f.path) AS subscribed`;
export const FOLDERS = 'view.folder_1 f JOIN view.account_1 o ON o.id = f.account_id LEFT JOIN view.account_1 me ON me.id = $1';

export function accessOf(row: FolderRow, account: string): Access {
  const own = row.account_id === account;
  const list = new Map(Object.entries(row.list ?? {}));
  return {
    id: row.id, accountId: row.account_id, owner: row.address, path: row.path, name: own ? row.path : sharedName(row.address, row.path),
    rights: own ? ALL_RIGHTS : rightsOf(list, account, row.neighbour, row.groups ?? []), subscribed: row.subscribed,
    specialUse: row.special_use === '' ? [] : (row.special_use.split(' ') as SpecialUse[]), quota: row.quota, list,
  };
}

/** Mailboxes by id. Those that are not there, or not known to the account, are absent. */
export async function accessById(pool: pg.Pool, account: string, ids: readonly string[]): Promise<ReadonlyMap<string, Access>> {
  const { rows } = await pool.query<FolderRow>({ name: 'folders-by-id', text: `SELECT ${FOLDER} FROM ${FOLDERS} WHERE f.id = ANY ($2::uuid[])`, values: [account, ids] });
  return new Map(rows.map((row) => [row.id, accessOf(row, account)] as const).filter(([, a]) => a.rights.includes('l') || a.rights.includes('r')));
}

export function permitted(access: Access | undefined, rights: string, name: string): Access {
  if (!access) throw new MailboxRefusal('nonexistent', name);
  for (const right of rights) if (!access.rights.includes(right)) throw new MailboxRefusal('no-permission', access.name);
  return access;
}

/** Where a name lies, whether there is a mailbox or not. Undefined: no such owner. */
export interface Place {
  readonly owner: string;
  readonly path: string;
}

/** @throws MailboxRefusal `bad-name` */
export async function placeOfName(pool: pg.Pool, account: string, name: string): Promise<Place | undefined> {
  const { owner, path } = parseName(name);
  if (owner === undefined) return { owner: account, path };
  const id = await accountIdOf(pool, owner);
  return id === undefined ? undefined : { owner: id, path };
}

export async function accountIdOf(pool: pg.Pool, address: string): Promise<string | undefined> {
  const known = canonical(address);
  if (known === undefined) return undefined;
  const { rows } = await pool.query<{ id: string }>({ name: 'account-by-address', text: 'SELECT id FROM view.account_1 WHERE address = $1', values: [known] });
  return rows[0]?.id;
}

export async function accessByPlace(pool: pg.Pool, account: string, { owner, path }: Place): Promise<Access | undefined> {
  const { rows } = await pool.query<FolderRow>({
    name: 'folder-by-path', text: `SELECT ${FOLDER} FROM ${FOLDERS} WHERE f.account_id = $2 AND f.path = $3 COLLATE "C"`, values: [account, owner, path],
  });
  const access = rows[0] && accessOf(rows[0], account);
  return access?.rights.includes('l') ? access : undefined;
}

/** Accounts and mailboxes, or names, that are remembered. */
const MOST_KEPT = 20_000;
const NOBODY = Symbol('no such mailbox for this account');

/** What accounts may do, kept until something happens in any tree of folders, to any account or to any group. To be asked after `Tail.current`. */
export class KnownAccess {
  readonly #kept = new LRUCache<string, Access | typeof NOBODY>(atMost(MOST_KEPT));
  #since = 0;

  constructor(
    private readonly pool: pg.Pool,
    tail: Tail,
  ) {
    tail.onGrown((grown) => {
      if (grown !== 'all' && ![...grown.keys()].some((stream) => /^(folders|account|group)-/.test(stream))) return;
      this.#since++;
      this.#kept.clear();
    });
  }

  /**
   * An account's mailbox of its own, as it was at the last look at what has grown, if it was known then. Nobody takes rights on it away;
   * where it has been deleted since, its stream says so to whoever appends.
   */
  own(account: string, id: string): Access | undefined {
    const kept = this.#kept.get(`${account}/${id}`);
    return kept !== undefined && kept !== NOBODY && kept.accountId === account ? kept : undefined;
  }

  /** @throws MailboxRefusal `nonexistent`, `no-permission` when one of `rights` is missing. */
  async demand(account: string, demands: readonly (readonly [id: string, rights: string])[]): Promise<readonly Access[]> {
    const found = new Map<string, Access | undefined>();
    const unknown: string[] = [];
    for (const [id] of demands) {
      const kept = this.#kept.get(`${account}/${id}`);
      if (kept === undefined) unknown.push(id);
      else found.set(id, kept === NOBODY ? undefined : kept);
    }
    if (unknown.length > 0) {
      const since = this.#since;
      const read = await accessById(this.pool, account, unknown);
      for (const id of unknown) {
        found.set(id, read.get(id));
        this.#keep(since, `${account}/${id}`, read.get(id));
      }
    }
    return demands.map(([id, rights]) => permitted(found.get(id), rights, id));
  }

  /** @param find reads it. */
  async named(account: string, name: string, find: () => Promise<Access | undefined>): Promise<Access | undefined> {
    const key = `${account} ${name}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept === NOBODY ? undefined : kept;
    const since = this.#since;
    const found = await find();
    // Names that are none are many.
    if (found) this.#keep(since, key, found);
    return found;
  }

  /** What was read before something happened may be out of date. */
  #keep(since: number, key: string, access: Access | undefined): void {
    if (since === this.#since) this.#kept.set(key, access ?? NOBODY);
  }
}
