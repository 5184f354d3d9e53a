import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MemoryObjectStore } from '@kiroku/infra/object-store/memory.js';
import { type MailboxWorld, mailboxWorld, type Person } from '@kiroku/infra/read-model/mailboxes/testing.js';
import type { PostgresMailboxStore } from '@kiroku/infra/read-model/mailboxes/store.js';
import { BodyCache } from '@kiroku/infra/read-model/search-index-cache.js';
import { sortColumns } from '@kiroku/infra/read-model/search-index-sorting.js';
import { MailboxSearch } from '@kiroku/infra/read-model/search-index.js';
import type { Member } from '@kiroku/infra/read-model/testing.js';
import { CachedStructures } from './mailboxes/structures.js';
import { type Rig, startRig } from './testing/rig.js';

let world: MailboxWorld;
const people = new Map<string, Person>();
const bodies = new MemoryObjectStore();

beforeAll(async () => {
  world = await mailboxWorld();
  for (const name of ['ann', 'ben', 'pop-only']) people.set(name, await world.person(name));
});
afterAll(() => world.close());

const mail = (subject: string, text = subject): string => `From: ann@x.test\r\nSubject: ${subject}\r\n\r\n${text}\r\n`;
const literal = (text: string): string => `{${Buffer.byteLength(text)}+}\r\n${text}`;

function rigOn({ pool }: Member, mailboxes: PostgresMailboxStore): Promise<Rig> {
  const cache = new BodyCache(pool, bodies, (error) => { throw error; });
  return startRig({
    real: {
      mailboxes, bodies,
      structures: new CachedStructures(cache),
      index: { search: (id) => new MailboxSearch(pool, cache, id), columns: (id, uids, headers) => sortColumns(pool, cache, id, uids, headers) },
      idOf: (name) => people.get(name)?.id ?? name,
    },
  });
}

describe('IMAP on the mailboxes of the event store', () => {
  it('keeps what it is told', async () => {
    await using rig = await rigOn(world.h, world.store);
    const client = await rig.selected();
    expect(await client.end(`APPEND INBOX (\\Seen) ${literal(mail('beta'))} ${literal(mail('alpha', '日本語の本文'))} (work) ${literal(mail('gamma'))}`)).toMatch(/^OK \[APPENDUID \d+ 1:3\]/);
    expect(await client.ok('FETCH 1:* (UID FLAGS RFC822.SIZE)')).toEqual([
      '* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE 41)', '* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 56)', '* 3 FETCH (UID 3 FLAGS (work) RFC822.SIZE 43)',
    ]);
    expect(await client.ok('SEARCH CHARSET UTF-8 BODY {6+}\r\n日本')).toEqual(['* SEARCH 2']);
    expect(await client.ok('SORT (SUBJECT) UTF-8 ALL')).toEqual(['* SORT 2 1 3']);
    expect((await client.ok('FETCH 2 (ENVELOPE BODY)'))[0]).toContain('ENVELOPE (NIL "alpha" ((NIL NIL "ann" "x.test"))');
    expect(await client.ok('STORE 1:2 +FLAGS.SILENT (\\Deleted)')).toEqual([]);
    await client.ok('CREATE work');
    expect(await client.end('COPY 3 work')).toMatch(/^OK \[COPYUID \d+ 3 1\]/);
    expect(await client.ok('EXPUNGE')).toEqual(['* 2 EXPUNGE', '* 1 EXPUNGE']);
    expect((await client.ask('MOVE 1 work')).slice(1)).toEqual(['* 1 EXPUNGE', 'OK Moved']);
    expect(await client.ok('LIST "" * RETURN (STATUS (MESSAGES UNSEEN))')).toEqual(expect.arrayContaining(['* STATUS INBOX (MESSAGES 0 UNSEEN 0)', '* STATUS work (MESSAGES 2 UNSEEN 2)']));
    await client.ok('ENABLE QRESYNC');
    const [, validity] = /UIDVALIDITY (\d+)/.exec((await client.ok('STATUS INBOX (UIDVALIDITY)')).join()) ?? [];
    expect((await client.ok(`SELECT INBOX (QRESYNC (${validity} 2))`)).at(-1)).toMatch(/^\* VANISHED \(EARLIER\) /);
  });

  it('pushes to another process within 100 ms', async () => {
    const { member, store } = world.process();
    await using here = await rigOn(world.h, world.store);
    await using there = await rigOn(member, store);
    const client = await here.selected();
    const other = await there.selected();
    client.say('IDLE');
    expect(await client.line()).toBe('+ idling');
    // The first look after a start finds its place first.
    await other.ok(`APPEND INBOX ${literal(mail('first'))}`);
    expect(await client.line()).toMatch(/EXISTS$/);
    await client.line();
    const usual = async (): Promise<number> => {
      const waits: number[] = [];
      for (let i = 0; i < 5; i++) {
        const tag = other.say(`APPEND INBOX ${literal(mail(`no ${i}`))}`);
        await other.answer(tag);
        const since = performance.now();
        expect(await client.line()).toMatch(/EXISTS$/);
        waits.push(performance.now() - since);
        await client.line();
      }
      return waits.sort((a, b) => a - b)[2] as number;
    };
    let best = await usual();
    for (let i = 0; i < 20 && best >= 100; i++) best = Math.min(best, await usual()); // the machine may have other work
    expect(best).toBeLessThan(100);
  }, 30_000);

  it('shares a mailbox with who may read it', async () => {
    await using rig = await rigOn(world.h, world.store);
    const [ann, ben] = [await rig.loggedIn(), await rig.loggedIn('ben')];
    await ann.ok('CREATE shared');
    await ann.ok(`APPEND shared ${literal(mail('a'))} ${literal(mail('b'))}`);
    await ann.ok('SETACL shared ben@x.test lr');
    expect(await ben.end('SELECT #Shared/ann@x.test/shared')).toBe('OK [READ-ONLY] Read-only');
    expect(await ben.end('COPY 1:2 INBOX')).toMatch(/^OK \[COPYUID/);
    expect(await ben.end('APPEND #Shared/ann@x.test/shared {5}')).toBe('NO [NOPERM] Your rights do not allow that');
    await ann.ok('RENAME shared renamed');
    expect(await ben.ok('FETCH 1:2 UID')).toEqual(['* 1 FETCH (UID 1)', '* 2 FETCH (UID 2)']);
    await ann.ok('DELETEACL renamed ben@x.test');
    expect(await ben.end('FETCH 1:2 UID')).toBe('NO [NOPERM] The mailbox is not shared with you any more');
  });
});
