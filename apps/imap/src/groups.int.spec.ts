import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GroupCommands } from '@kiroku/domain/directory/group-commands.js';
import { MemoryObjectStore } from '@kiroku/infra/object-store/memory.js';
import { type MailboxWorld, mailboxWorld, ORIGIN, type Person } from '@kiroku/infra/read-model/mailboxes/testing.js';
import { BodyCache } from '@kiroku/infra/read-model/search-index-cache.js';
import { sortColumns } from '@kiroku/infra/read-model/search-index-sorting.js';
import { MailboxSearch } from '@kiroku/infra/read-model/search-index.js';
import { CachedStructures } from './mailboxes/structures.js';
import { type Rig, startRig } from './testing/rig.js';

let world: MailboxWorld;
let groups: GroupCommands;
let rig: Rig;
const people = new Map<string, Person>();

beforeAll(async () => {
  world = await mailboxWorld();
  groups = new GroupCommands(world.h.engine);
  for (const name of ['ann', 'ben', 'pop-only']) people.set(name, await world.person(name));
  const { pool } = world.h;
  const bodies = new MemoryObjectStore();
  const cache = new BodyCache(pool, bodies, (error) => { throw error; });
  rig = await startRig({
    real: {
      mailboxes: world.store, bodies, structures: new CachedStructures(cache),
      index: { search: (id) => new MailboxSearch(pool, cache, id), columns: (id, uids, headers) => sortColumns(pool, cache, id, uids, headers) },
      idOf: (name) => people.get(name)?.id ?? name,
    },
  });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await world.close();
});

const MAIL = 'From: ann@x.test\r\nSubject: Plan\r\n\r\nFirst draft.\r\n';

describe('IMAP and groups', () => {
  it('shares a mailbox with a group, by its name', async () => {
    await groups.add('staff@x.test', ['ben@x.test'], ORIGIN);
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await ann.ok('CREATE plans');
    await ann.ok(`APPEND plans {${MAIL.length}+}\r\n${MAIL}`);
    expect(await ann.ok('LISTRIGHTS plans group:staff@x.test')).toEqual(['* LISTRIGHTS plans group:staff@x.test "" l r s w i p k x t e a c d']);
    expect(await ann.ok('SETACL plans group:staff@x.test lrs')).toEqual([]);
    await ann.ok('SETACL plans group:staff@x.test +wt');
    await ann.ok('SETACL plans "Group:Staff@x.test" -w');
    await ann.ok('SETACL plans -group:staff@x.test s');
    expect(await ann.ok('GETACL plans')).toEqual(['* ACL plans ann@x.test lrswipkxteacd -group:staff@x.test s group:staff@x.test lrstd']);
    expect(await ben.ok('MYRIGHTS #Shared/ann@x.test/plans')).toEqual(['* MYRIGHTS #Shared/ann@x.test/plans lrtd']);
    expect(await ben.ok('LIST "" "#Shared/*"')).toEqual([
      '* LIST (\\NonExistent \\HasChildren \\Noselect) "/" #Shared/ann@x.test', '* LIST (\\HasNoChildren) "/" #Shared/ann@x.test/plans',
    ]);
    await ann.ok('DELETEACL plans -group:staff@x.test');
    expect(await ben.ok('MYRIGHTS #Shared/ann@x.test/plans')).toEqual(['* MYRIGHTS #Shared/ann@x.test/plans lrstd']);
  });

  it('follows who joins and leaves, with the next command of sessions that are open', async () => {
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await groups.add('open@x.test', [], ORIGIN);
    await ann.ok('CREATE open');
    await ann.ok(`APPEND open {${MAIL.length}+}\r\n${MAIL}`);
    await ann.ok('SETACL open group:open@x.test lrs');
    const list = () => ben.ok('LIST "" "#Shared/ann@x.test/open"');
    expect(await list()).toEqual([]);
    expect(await ben.end('SELECT #Shared/ann@x.test/open')).toMatch(/^NO \[NONEXISTENT\]/);
    await groups.changeMembers('open@x.test', ['ben@x.test'], [], ORIGIN);
    expect(await list()).toHaveLength(1);
    await ben.ok('SELECT #Shared/ann@x.test/open');
    expect(await ben.ok('STORE 1 +FLAGS (\\Seen)')).toEqual(['* 1 FETCH (FLAGS (\\Seen))']);
    await ann.ok('SETACL open group:open@x.test lr');
    expect(await ben.end('STORE 1 -FLAGS (\\Seen)')).toBe('NO [NOPERM] Your rights do not allow that');
    await groups.changeMembers('open@x.test', [], ['ben@x.test'], ORIGIN);
    expect(await ben.end('FETCH 1 UID')).toBe('NO [NOPERM] The mailbox is not shared with you any more');
    const again = await rig.loggedIn('ben');
    expect(await again.ok('LIST "" "#Shared/ann@x.test/open"')).toEqual([]);
  });

  it('says NO to a group that is none', async () => {
    const ann = await rig.loggedIn();
    for (const command of ['SETACL INBOX group:nobody@x.test lr', 'DELETEACL INBOX group:nobody@x.test', 'SETACL INBOX group: lr']) expect(await ann.end(command)).toMatch(/^NO /);
  });
});
