import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import { folderPath, sharedName, superiors } from '@kiroku/domain/mailbox/folder-name.js';
import { type Administered, changeMetadata, createFolder, deleteFolder, type FolderEvent, type Making, renameFolder } from '@kiroku/domain/mailbox/folders.js';
import { createMailbox, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { ALL_RIGHTS, ANYONE, GROUP, knownRights } from '@kiroku/domain/mailbox/rights.js';
import { type Folder, MailboxRefusal, type Rights, type SpecialUse } from '@kiroku/domain/mailbox/store-port.js';
import type pg from 'pg';
import { type Access, accessByPlace, accessOf, FOLDER, type FolderRow, FOLDERS, permitted, type Place, placeOfName } from './access.js';
import { identifierOf, nameOf, namesOf } from '../identifiers.js';
import { placesOf } from './decide.js';
import { decideTree, readBranch, readTree } from './trees.js';

/** The trees of mailboxes as accounts see and change them: names, subscriptions, access lists, metadata. */
export class Folders {
  /** @param remark for the record, where an administrator changes mailboxes. */
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
    private readonly remark: Administered = {},
  ) {}

  async list(account: string): Promise<readonly Folder[]> {
    const [own, shared] = await Promise.all([
      this.pool.query<FolderRow>({ name: 'folders-own', text: `SELECT ${FOLDER} FROM ${FOLDERS} WHERE f.account_id = $1 ORDER BY f.path COLLATE "C"`, values: [account] }),
      this.pool.query<FolderRow>({
        name: 'folders-shared',
        text: `SELECT ${FOLDER} FROM ${FOLDERS} WHERE f.account_id <> $1 AND (f.account_id, f.id) IN (
                 SELECT a.account_id, a.folder_id FROM view.folder_access_1 a WHERE a.identifier = ANY (
                   ARRAY(SELECT '${GROUP}' || m.group_id FROM view.group_member_1 m WHERE m.account_id = $1) || ARRAY[$1::text, '${ANYONE}']))
               ORDER BY o.address COLLATE "C", f.path COLLATE "C"`,
        values: [account],
      }),
    ]);
    return [...own.rows, ...shared.rows].map((row) => folderOf(accessOf(row, account))).filter((f) => f.rights.includes('l'));
  }

  async find(account: string, name: string): Promise<Access | undefined> {
    try {
      const place = await placeOfName(this.pool, account, name);
      return place && (await accessByPlace(this.pool, account, place));
    } catch (error) {
      if (error instanceof MailboxRefusal) return undefined; // what cannot be a name is no mailbox
      throw error;
    }
  }

  async subscriptions(account: string): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ owner: string; address: string; path: string }>({
      name: 'subscriptions',
      text: `SELECT s.owner, o.address, s.path FROM view.subscription_1 s JOIN view.account_1 o ON o.id = s.owner WHERE s.account_id = $1
             ORDER BY s.owner <> $1, o.address COLLATE "C", s.path COLLATE "C"`,
      values: [account],
    });
    return rows.map(({ owner, address, path }) => (owner === account ? path : sharedName(address, path)));
  }

  async subscribe(account: string, name: string, on: boolean, origin: Origin): Promise<void> {
    const place = await placeOfName(this.pool, account, name);
    if (!place) throw new MailboxRefusal('nonexistent', name);
    await decideTree(this.engine, account, async ({ uidValidity }) => {
      const { rows } = await this.pool.query<{ there: boolean; count: number }>({
        name: 'subscribed',
        text: `SELECT EXISTS (SELECT FROM view.subscription_1 WHERE account_id = $1 AND owner = $2 AND path = $3) AS there,
                 (SELECT count(*) FROM view.subscription_1 WHERE account_id = $1) AS count`,
        values: [account, place.owner, place.path],
      });
      const { there = false, count = 0 } = rows[0] ?? {};
      if (on && !there && count >= MOST_SUBSCRIPTIONS) throw new MailboxRefusal('too-many', name);
      const type = on ? 'FolderSubscribed' : 'FolderUnsubscribed';
      return { events: there === on ? [] : [{ type, data: { accountId: account, uidValidity, ...place } }], result: undefined };
    }, origin);
  }

  /** @param subscribe also subscribes to all that is made, in the same append, if it is the account's own. */
  async create(account: string, name: string, specialUse: readonly SpecialUse[], origin: Origin, subscribe = false): Promise<Folder> {
    const place = await this.#place(account, name.endsWith('/') ? name.slice(0, -1) : name);
    const parent = await this.#parent(account, place);
    await decideTree(this.engine, place.owner, async ({ uidValidity }) => {
      const tree = await readTree(this.pool, place.owner, [place.path], uidValidity);
      const created = createFolder(tree, place.path, specialUse, this.#making(parent));
      const subscribed = subscribe && place.owner === account ? await this.#subscribing(account, created.map(({ data }) => data)) : [];
      return { events: [...created, ...subscribed], others: created.flatMap((e) => mailboxOf(e)), result: undefined };
    }, origin, this.remark);
    const made = await accessByPlace(this.pool, account, place);
    if (!made) throw new MailboxRefusal('nonexistent', name); // somebody was very quick
    return folderOf(made);
  }

  /** To own mailboxes that are being made: names that were subscribed to before stay so. */
  async #subscribing(account: string, folders: readonly { readonly path: string; readonly uidValidity: number }[]): Promise<readonly FolderEvent[]> {
    const { rows } = await this.pool.query<{ path: string | null; count: number }>({
      name: 'subscribed-of',
      text: `SELECT c.count, s.path FROM (SELECT count(*) AS count FROM view.subscription_1 WHERE account_id = $1) c
             LEFT JOIN view.subscription_1 s ON s.account_id = $1 AND s.owner = $1 AND s.path = ANY ($2)`,
      values: [account, folders.map(({ path }) => path)],
    });
    const fresh = folders.filter(({ path }) => !rows.some((row) => row.path === path));
    if ((rows[0]?.count ?? 0) + fresh.length > MOST_SUBSCRIPTIONS) throw new MailboxRefusal('too-many', folders.at(-1)?.path);
    const { uidValidity = 0 } = folders.at(-1) ?? {};
    return fresh.map(({ path }) => ({ type: 'FolderSubscribed', data: { accountId: account, uidValidity, owner: account, path } }));
  }

  /** Whoever makes mailboxes in somebody else's tree needs `k` above them. */
  async #parent(account: string, { owner, path }: Place): Promise<Access | undefined> {
    const above = superiors(path).toReversed();
    for (const superior of above) {
      const found = await accessByPlace(this.pool, account, { owner, path: superior });
      if (found) return owner === account ? found : permitted(found, 'k', path);
    }
    if (owner !== account) throw new MailboxRefusal('no-permission', path);
    return undefined;
  }

  #making(parent: Access | undefined): Making {
    return { access: parent?.list ?? new Map(), id: () => this.engine.ids.uuid(), now: this.engine.clock.now() };
  }

  async #place(account: string, name: string): Promise<Place> {
    const place = await placeOfName(this.pool, account, name);
    if (!place) throw new MailboxRefusal('nonexistent', name);
    return place;
  }

  async delete(account: string, name: string, origin: Origin): Promise<void> {
    const place = await this.#place(account, name);
    if (place.owner !== account) permitted(await accessByPlace(this.pool, account, place), 'x', name);
    await decideTree(this.engine, place.owner, async ({ uidValidity }) => {
      const deleted = deleteFolder(await readTree(this.pool, place.owner, [place.path], uidValidity), place.path);
      const { folderId } = deleted.data;
      const box = (await placesOf(this.engine, [folderId])).get(folderId);
      const gone = box && { stream: mailboxStream(folderId), expected: box.version, facts: [{ type: 'MailboxDeleted', data: { mailboxId: folderId, head: box.head } }] };
      return { events: [deleted], others: gone ? [gone] : [], result: undefined };
    }, origin, this.remark);
  }

  /** All but INBOX, whose messages the store moves. Within one owner's tree. */
  async rename(account: string, from: string, to: string, origin: Origin): Promise<void> {
    const [old, wish] = await Promise.all([this.#place(account, from), this.#place(account, to)]);
    if (old.owner !== wish.owner) throw new MailboxRefusal('no-permission', to);
    if (old.owner !== account) permitted(await accessByPlace(this.pool, account, old), 'x', from);
    const parent = await this.#parent(account, wish);
    await decideTree(this.engine, old.owner, async ({ uidValidity }) => {
      const branch = await readBranch(this.pool, old.owner, old.path);
      const names = branch.map(({ path }) => wish.path + path.slice(old.path.length));
      for (const name of names) folderPath(name); // what was short enough may become too long
      const tree = await readTree(this.pool, old.owner, [wish.path, ...names], uidValidity);
      const events = renameFolder(tree, old.path, wish.path, branch, this.#making(parent));
      return { events, others: events.flatMap((e) => mailboxOf(e)), result: undefined };
    }, origin, this.remark);
  }

  async acl(account: string, name: string): Promise<readonly { readonly identifier: string; readonly rights: Rights }[]> {
    const access = permitted(await this.find(account, name), 'a', name);
    const names = await namesOf(this.pool, access.list.keys());
    const entries = [...access.list].flatMap(([identifier, rights]) => {
      const name = nameOf(names, identifier);
      return name === undefined ? [] : [{ identifier: name, rights }];
    });
    return [{ identifier: access.owner, rights: ALL_RIGHTS }, ...entries.sort((a, b) => (a.identifier < b.identifier ? -1 : 1))];
  }

  async setAcl(account: string, name: string, identifier: string, rights: Rights, origin: Origin): Promise<void> {
    const access = permitted(await this.find(account, name), 'a', name);
    const known = await identifierOf(this.pool, identifier, access.list, this.remark.address === undefined ? account : undefined);
    if (known === undefined) throw new MailboxRefusal('bad-name', identifier.slice(0, 320));
    const wanted = knownRights(rights);
    // The owner has all rights, whatever anybody writes.
    if (known.replace(/^-/, '') === access.accountId) return;
    await decideTree(this.engine, access.accountId, async ({ uidValidity }) => {
      const now = permitted(await this.find(account, name), 'a', name);
      if (!now.list.has(known) && now.list.size >= MOST_IDENTIFIERS) throw new MailboxRefusal('too-many', name);
      const event: FolderEvent = { type: 'FolderAccessChanged', data: { accountId: now.accountId, uidValidity, folderId: now.id, identifier: known, rights: wanted } };
      return { events: (now.list.get(known) ?? '') === wanted ? [] : [event], result: undefined };
    }, origin, this.remark);
  }

  async metadata(account: string, name: string): Promise<ReadonlyMap<string, string>> {
    const { id, owner } = await this.#annotated(account, name, 'l');
    const { rows } = await this.pool.query<{ entry: string; value: string }>({
      name: 'folder-metadata',
      text: `SELECT entry, value FROM view.folder_metadata_1
             WHERE folder_id = $1 AND ((account_id = $2 AND entry LIKE '/private/%') OR (account_id = $3 AND entry LIKE '/shared/%')) ORDER BY entry COLLATE "C"`,
      values: [id, account, owner],
    });
    return new Map(rows.map((r) => [r.entry, r.value]));
  }

  /** Private entries stay with the account that makes them, also on others' mailboxes; shared ones need the right `w`. */
  async setMetadata(account: string, name: string, entries: readonly (readonly [entry: string, value: string | null])[], origin: Origin): Promise<void> {
    const shared = entries.filter(([entry]) => /^\/shared\//i.test(entry));
    const { id, owner } = await this.#annotated(account, name, shared.length > 0 ? 'lw' : 'l');
    const mine = entries.filter((entry) => owner === account || !shared.includes(entry));
    const others = owner === account ? [] : shared;
    for (const [whose, some] of [[account, mine], [owner, others]] as const)
      if (some.length > 0)
        await decideTree(this.engine, whose, async ({ uidValidity }) => {
          const { rows } = await this.pool.query<{ entry: string; value: string }>({
            name: 'folder-metadata-of', text: 'SELECT entry, value FROM view.folder_metadata_1 WHERE folder_id = $1 AND account_id = $2', values: [id, whose],
          });
          const changed = changeMetadata({ accountId: whose, uidValidity }, id, some, new Map(rows.map((r) => [r.entry, r.value])));
          return { events: changed ? [changed] : [], result: undefined };
        }, origin);
  }

  async #annotated(account: string, name: string, rights: string): Promise<{ readonly id: string; readonly owner: string }> {
    if (name === '') return { id: account, owner: account };
    const access = permitted(await this.find(account, name), rights, name);
    return { id: access.id, owner: access.accountId };
  }
}

const MOST_SUBSCRIPTIONS = 20_000;
const MOST_IDENTIFIERS = 1_000;

const mailboxOf = (event: FolderEvent) => {
  if (event.type !== 'FolderCreated') return [];
  const { folderId, accountId, path, uidValidity } = event.data;
  return [{ stream: mailboxStream(folderId), expected: 0, facts: [createMailbox(folderId, accountId, path, uidValidity * 1000)] }];
};

export const folderOf = ({ quota: _, list: __, ...folder }: Access): Folder => folder;
