import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GroupCommands } from '@kiroku/domain/directory/group-commands.js';
import { MailboxRefusal } from '@kiroku/domain/mailbox/store-port.js';
import { Rebuild } from '../rebuild.js';
import { INLINE_VIEWS } from '../views.js';
import { body, type MailboxWorld, ORIGIN, type Person, upTo } from './testing.js';

/** What groups of accounts mean in access lists, wherever decisions and facts are kept. */
export function describeGroupAccess(engine: string, open: () => Promise<MailboxWorld>): void {
  describe(`on ${engine}`, () => {
    let w: MailboxWorld;
    let groups: GroupCommands;
    let n = 0;
    beforeAll(async () => {
      w = await open();
      groups = new GroupCommands(w.h.engine);
    }, 60_000);
    afterAll(async () => {
      expect(w.h.troubles).toEqual([]);
      await w.close();
    }, 60_000);

    const person = (domain = 'x.test'): Promise<Person> => w.person(`g${++n}`, { domain });
    const trouble = async (work: Promise<unknown>): Promise<unknown> => {
      const error = await work.then(() => undefined, (e: unknown) => e);
      expect(error).toBeInstanceOf(MailboxRefusal);
      return (error as MailboxRefusal).trouble;
    };

    /** Ann's `team`, shared with a group that Bob is in. */
    async function shared(rights: string) {
      const [ann, bob, eve] = [await person(), await person(), await person()];
      const group = `team${n}@x.test`;
      await groups.add(group, [bob.address], ORIGIN);
      const { id } = await w.store.create(ann.id, 'team', [], ORIGIN);
      await w.store.setAcl(ann.id, 'team', `group:${group}`, rights, ORIGIN);
      const name = `#Shared/${ann.address}/team`;
      return { ann, bob, eve, group, id, name, rightsOf: async (who: Person) => (await w.store.folder(who.id, name))?.rights };
    }

    describe('a folder that is shared with a group', () => {
      it('is seen and used by its members, and by nobody else', async () => {
        const { ann, bob, eve, id, name, rightsOf } = await shared('lri');
        expect((await w.store.folders(bob.id)).map((f) => [f.name, f.rights])).toEqual([['INBOX', 'lrswipkxtea'], [name, 'lri']]);
        expect((await w.store.folders(eve.id)).map((f) => f.name)).toEqual(['INBOX']);
        expect([await rightsOf(bob), await rightsOf(eve)]).toEqual(['lri', undefined]);
        await w.store.append(bob.id, id, [{ body: body(1), flags: [] }], ORIGIN);
        expect(await trouble(w.store.append(eve.id, id, [{ body: body(1), flags: [] }], ORIGIN))).toBe('nonexistent');
        expect((await w.store.status([id]))[0]?.messages).toBe(1);
        expect((await w.store.folders(ann.id)).map((f) => f.rights)).toEqual(['lrswipkxtea', 'lrswipkxtea']);
      });

      it('gives what the account, its groups and anyone are given, less what any of them is denied', async () => {
        const { ann, bob, eve, group, rightsOf } = await shared('lr');
        const second = `second${n}@x.test`;
        await groups.add(second, [bob.address], ORIGIN);
        const set = (who: string, rights: string) => w.store.setAcl(ann.id, 'team', who, rights, ORIGIN);
        await set(bob.address, 'w');
        await set(`group:${second}`, 'sit');
        await set('anyone', 'p');
        expect([await rightsOf(bob), await rightsOf(eve)]).toEqual(['lrswipt', undefined]);
        await set(`-group:${second}`, 'it');
        await set(`-${bob.address}`, 's');
        expect(await rightsOf(bob)).toBe('lrwp');
        await groups.changeMembers(second, [], [bob.address], ORIGIN);
        expect(await rightsOf(bob)).toBe('lrwp');
        expect(await w.store.acl(ann.id, 'team')).toEqual([
          { identifier: ann.address, rights: 'lrswipkxtea' }, ...[
            { identifier: `-${bob.address}`, rights: 's' }, { identifier: `-group:${second}`, rights: 'it' }, { identifier: 'anyone', rights: 'p' },
            { identifier: bob.address, rights: 'w' }, { identifier: `group:${second}`, rights: 'sit' }, { identifier: `group:${group}`, rights: 'lr' },
          ].sort((a, b) => (a.identifier < b.identifier ? -1 : 1)),
        ]);
      });

      it('is there from the moment on that an account joins until it leaves, in every process', async () => {
        const { eve, group, id, rightsOf, name } = await shared('lrs');
        const other = w.process().store;
        const seen = async () => [await rightsOf(eve), (await other.folder(eve.id, name))?.rights];
        const flag = (store: typeof other) => store.storeFlags(eve.id, id, { uids: [1], operation: 'add', flags: ['\\Seen'] }, ORIGIN);
        expect(await seen()).toEqual([undefined, undefined]);
        await groups.changeMembers(group, [eve.address], [], ORIGIN);
        expect(await seen()).toEqual(['lrs', 'lrs']);
        for (const store of [w.store, other]) expect((await flag(store)).modified).toEqual([]);
        await groups.changeMembers(group, [], [eve.address], ORIGIN);
        for (const store of [w.store, other]) expect(await trouble(flag(store))).toBe('nonexistent');
        expect(await seen()).toEqual([undefined, undefined]);
      });

      it('follows a group to another name, and ends with it; a later one of the name inherits nothing', async () => {
        const { ann, bob, group, rightsOf } = await shared('lr');
        await groups.rename(group, `renamed-${group}`, ORIGIN);
        expect(await rightsOf(bob)).toBe('lr');
        expect((await w.store.acl(ann.id, 'team')).map((e) => e.identifier)).toEqual([ann.address, `group:renamed-${group}`]);
        expect(await trouble(w.store.setAcl(ann.id, 'team', `group:${group}`, 'l', ORIGIN))).toBe('bad-name');
        await groups.delete(`renamed-${group}`, ORIGIN);
        expect(await rightsOf(bob)).toBeUndefined();
        await groups.add(`renamed-${group}`, [bob.address], ORIGIN);
        expect(await rightsOf(bob)).toBeUndefined();
        expect((await w.store.acl(ann.id, 'team')).map((e) => e.identifier)).toEqual([ann.address]);
      });

      it('is inherited by what is made below it', async () => {
        const { bob, name } = await shared('lrk');
        expect(await w.store.create(bob.id, `${name}/sub`, [], ORIGIN)).toMatchObject({ rights: 'lrk' });
      });

      it('tells who waits for news of folders', async () => {
        const { ann, bob, eve, group } = await shared('lr');
        const told = (who: Person) => new Promise<void>((resolve) => {
          // The first call is for the beginning of the watch.
          let calls = 0;
          const end = w.store.watchFolders(who.id, () => {
            if (++calls === 1) return begun.get(who.id)?.();
            end();
            resolve();
          });
        });
        const begun = new Map<string, () => void>();
        const ready = Promise.all([bob, eve].map((who) => new Promise<void>((resolve) => begun.set(who.id, resolve))));
        const news = [told(bob), told(eve)] as const;
        await ready;
        await w.store.setAcl(ann.id, 'team', `group:${group}`, 'lrs', ORIGIN);
        await news[0];
        await groups.changeMembers(group, [eve.address], [], ORIGIN);
        await news[1];
      });
    });

    describe('the name of a group in an access list', () => {
      it('may be in any case; what is no group is nobody', async () => {
        const { ann, bob, group, rightsOf } = await shared('lr');
        await w.store.setAcl(ann.id, 'team', `Group:${group.toUpperCase()}`, 'l', ORIGIN);
        expect(await rightsOf(bob)).toBe('l');
        for (const name of ['group:', 'group:nobody@x.test', 'group:anyone', `group:${ann.address}`, `$${group}`, group])
          expect(await trouble(w.store.setAcl(ann.id, 'team', name, 'l', ORIGIN))).toBe('bad-name');
      });

      it('of another domain is known to its members only, and to who has it on the list', async () => {
        const [ann, bob] = [await person('y.test'), await person('y.test')];
        const strangers = `strangers${n}@x.test`;
        await groups.add(strangers, [bob.address], ORIGIN);
        expect(await trouble(w.store.setAcl(ann.id, 'INBOX', `group:${strangers}`, 'lr', ORIGIN))).toBe('bad-name');
        await w.store.setAcl(bob.id, 'INBOX', `group:${strangers}`, 'lr', ORIGIN);
        await groups.changeMembers(strangers, [], [bob.address], ORIGIN);
        await w.store.setAcl(bob.id, 'INBOX', `group:${strangers}`, '', ORIGIN);
        expect(await w.store.acl(bob.id, 'INBOX')).toHaveLength(1);
        expect(await trouble(w.store.setAcl(bob.id, 'INBOX', `group:${strangers}`, 'lr', ORIGIN))).toBe('bad-name');
      });
    });

    describe('an account', () => {
      it('that is deleted is in no group any more', async () => {
        const { bob, group } = await shared('lr');
        await w.directory.deleteAccount(bob.id, ORIGIN);
        expect((await w.h.pool.query('SELECT FROM view.group_member_1 WHERE account_id = $1', [bob.id])).rowCount).toBe(0);
        expect((await w.h.pool.query('SELECT members FROM view.group_1 WHERE name = $1', [group])).rows).toEqual([{ members: 0 }]);
      });

      it('may be in a hundred groups, and a group may have a thousand members', async () => {
        const ann = await person();
        const { rows } = await w.h.pool.query<{ address: string }>('SELECT address FROM view.account_1 ORDER BY address');
        for (let i = 0; i < 100; i++) await groups.add(`many${i}-${n}@x.test`, [ann.address], ORIGIN);
        await expect(groups.changeMembers(`many0-${n}@x.test`, rows.map((r) => r.address), [], ORIGIN)).resolves.toHaveLength(rows.length);
        await expect(groups.add(`more-${n}@x.test`, [ann.address], ORIGIN)).rejects.toMatchObject({ reason: 'too-many-groups' });
      });
    });

    const MEMBERS = 1_000;
    /** ms for one command about all of them, on a busy machine. */
    const PATIENCE = 10_000;

    describe('a group of a thousand', () => {
      it('is filled, shared with and deleted in bounded time, and opens nothing to anybody afterwards', async () => {
        const [ann, reader] = [await person(), await person()];
        const crowd = upTo(MEMBERS - 1).map((i) => ({ accountId: w.h.engine.ids.uuid(), address: `crowd${i}@x.test`, fullName: '', smtp: true, pop3: true, imap: true, quota: 0, credentials: 'sealed', reversible: false }));
        for (let i = 0; i < crowd.length; i += 100) await w.directory.addAccounts(crowd.slice(i, i + 100), ORIGIN);
        const addresses = [reader.address, ...crowd.map(({ address }) => address)];
        const [everybody, others] = [`everybody${n}@x.test`, `others${n}@x.test`];
        const took = async (work: Promise<unknown>): Promise<void> => {
          const began = performance.now();
          await work;
          expect(performance.now() - began).toBeLessThan(PATIENCE);
        };
        await took(groups.add(everybody, addresses, ORIGIN));
        await groups.add(others, addresses.slice(0, 2), ORIGIN);
        for (const [folder, group] of [['all', everybody], ['few', others]] as const) {
          await w.store.create(ann.id, folder, [], ORIGIN);
          await w.store.setAcl(ann.id, folder, `group:${group}`, 'lr', ORIGIN);
        }
        const last = crowd.at(-1)?.accountId ?? '';
        const seen = async (id: string) => (await w.store.folders(id)).map(({ name }) => name.replace(`#Shared/${ann.address}/`, ''));
        expect([await seen(reader.id), await seen(last)]).toEqual([['INBOX', 'all', 'few'], ['INBOX', 'all']]);
        await took(groups.delete(everybody, ORIGIN));
        for (const { store } of [w, w.process()]) expect(await store.folder(last, `#Shared/${ann.address}/all`)).toBeUndefined();
        expect([await seen(reader.id), await seen(last)]).toEqual([['INBOX', 'few'], ['INBOX']]);
        expect((await w.h.pool.query('SELECT count(*)::integer AS left FROM view.group_member_1 JOIN view.account_1 a ON a.id = account_id WHERE a.address = ANY ($1)', [addresses])).rows).toEqual([{ left: 2 }]);
        // A later one of the name inherits nothing.
        await took(groups.add(everybody, addresses, ORIGIN));
        expect(await seen(last)).toEqual(['INBOX']);
      }, 120_000);
    });

    describe('the views of groups', () => {
      it('are rebuilt row by row', async () => {
        const names = ['group_1', 'group_member_1', 'folder_access_1', 'admin_action_1'];
        const views = INLINE_VIEWS.filter((view) => names.includes(view.name));
        expect(views).toHaveLength(names.length);
        for (const view of views) expect(await new Rebuild(w.h.log, w.h.pool, view).verify()).toMatchObject({ view: view.name, differences: [] });
      });
    });
  });
}
