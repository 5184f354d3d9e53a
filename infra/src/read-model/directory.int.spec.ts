import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryCommands } from '@kiroku/domain/directory/commands.js';
import type { Resolved } from '@kiroku/domain/mail/directory-port.js';
import { RelayDomainAdmin } from '../admin/relay-domains.js';
import { PostgresDirectory } from './directory.js';
import { filledMailbox, type TestHistory, testHistory } from './testing.js';

const ORIGIN = { actor: 'admin:ann', correlation: 'r' };
const settings = { fullName: 'Ann', smtp: true, pop3: true, imap: false, quota: 5_000, credentials: 'v1.sealed', reversible: false };
let h: TestHistory;
let commands: DirectoryCommands;
let directory: PostgresDirectory;
let separators = '+';
const ids = new Map<string, string>();

beforeAll(async () => {
  h = await testHistory();
  commands = new DirectoryCommands(h.engine);
  directory = new PostgresDirectory(h.another().pool, () => separators); // not the connections that write
  for (const domain of ['x.test', 'off.test', 'wild.test']) await commands.addDomain(domain, { accountLimit: 0 }, ORIGIN);
  for (const address of ['ann@x.test', 'bob@x.test', 'gone@x.test', 'ann+real@x.test', 'cid@off.test']) {
    const accountId = h.engine.ids.uuid();
    ids.set(address, accountId);
    await commands.addAccount({ accountId, address, ...settings }, ORIGIN);
  }
  await commands.enableAccount(ids.get('gone@x.test') as string, false, ORIGIN);
  await commands.enableDomain('off.test', false, ORIGIN);
  await commands.addAlias('sales@x.test', [{ address: 'ann@x.test' }, { address: 'far@y.test' }], ORIGIN);
  await commands.addAlias('old@x.test', [{ address: 'ann@x.test' }], ORIGIN);
  await commands.enableAlias('old@x.test', false, ORIGIN);
  await commands.addAlias('*@wild.test', [{ address: '*@x.test' }], ORIGIN);
  await commands.addAlias('in-*@wild.test', [{ address: 'ann@x.test' }], ORIGIN);
  await commands.addAlias('in-out-*@wild.test', [{ address: 'box-*@y.test', rewrite: true }], ORIGIN);
});
afterAll(() => h.close());

const brief = (found: Resolved | undefined): string => {
  if (found?.kind === 'account') return `account ${found.account.address}${found.account.enabled ? '' : ' (off)'}`;
  if (found?.kind === 'alias') return `alias ${found.alias} -> ${found.targets.map((t) => `${t.address}${t.rewrite ? '!' : ''}`).join(', ')}`;
  return found?.kind ?? 'nothing';
};
const look = async (address: string): Promise<string> => brief((await directory.lookup([address]))[0]);

describe('an address', () => {
  it.each([
    ['ann@x.test', 'account ann@x.test'],
    ['ANN@X.TEST', 'account ann@x.test'],
    ['ann+news@x.test', 'account ann@x.test'],
    ['ann+real@x.test', 'account ann+real@x.test'],
    ['gone@x.test', 'account gone@x.test (off)'],
    ['sales@x.test', 'alias sales@x.test -> ann@x.test, far@y.test!'],
    ['sales+tag@x.test', 'alias sales@x.test -> ann@x.test, far@y.test!'],
    ['old@x.test', 'unknown'],
    ['nobody@x.test', 'unknown'],
    ['cid@off.test', 'domain-disabled'],
    ['anybody@off.test', 'domain-disabled'],
    ['far@y.test', 'remote'],
    ['ann@[192.0.2.1]', 'remote'],
    ['hello@wild.test', 'alias *@wild.test -> hello@x.test!'],
    ['in-box@wild.test', 'alias in-*@wild.test -> ann@x.test!'],
    ['in-out-7@wild.test', 'alias in-out-*@wild.test -> box-7@y.test!'],
    ['not an address', 'unknown'],
    ['a\u0000b@x.test', 'unknown'],
    ['', 'unknown'],
  ])('%j is %s', async (address, expected) => expect(await look(address)).toBe(expected));

  it('has its tag where the settings say so', async () => {
    separators = '-';
    expect([await look('ann-news@x.test'), await look('ann+news@x.test')]).toEqual(['account ann@x.test', 'unknown']);
    separators = '+';
  });

  it('is known as soon as the append of its account returned, and unknown as soon as it was deleted', async () => {
    for (let n = 0; n < 20; n++) {
      const accountId = h.engine.ids.uuid();
      await commands.addAccount({ accountId, address: `new${n}@x.test`, ...settings }, ORIGIN);
      expect(await look(`new${n}@x.test`)).toBe(`account new${n}@x.test`);
      await commands.deleteAccount(accountId, ORIGIN);
      expect(await look(`new${n}@x.test`)).toBe('unknown');
    }
  });
});

describe('many addresses', () => {
  it('are answered in order, with one query for what waits', async () => {
    const { pool } = h.another();
    let queries = 0;
    const query = pool.query.bind(pool) as (...a: unknown[]) => unknown;
    pool.query = ((...args: unknown[]) => { queries++; return query(...args); }) as never;
    const busy = new PostgresDirectory(pool, () => '+');
    const many = Array.from({ length: 400 }, (_, n) => ['ann@x.test', `no${n}@x.test`, 'far@y.test'][n % 3] as string);
    const answers = await Promise.all([busy.lookup(many.slice(0, 200)), busy.lookup(many.slice(200))]);
    expect(answers.flat().map(brief)).toEqual(many.map((a) => (a === 'ann@x.test' ? 'account ann@x.test' : a === 'far@y.test' ? 'remote' : 'unknown')));
    expect(queries).toBe(1);
  });

  it('are each told when the database is away', async () => {
    const member = h.another();
    const lost = new PostgresDirectory(member.pool, () => '+');
    await member.close();
    const results = await Promise.allSettled(['ann@x.test', 'bob@x.test'].map((a) => lost.lookup([a])));
    expect(results.map((r) => r.status)).toEqual(['rejected', 'rejected']);
  });
});

describe('credentials', () => {
  it('are found by the address itself, not by alias or tag', async () => {
    expect(await directory.find('Ann@X.test')).toMatchObject({ sealed: 'v1.sealed', domainEnabled: true, account: { address: 'ann@x.test', quota: 5_000, imap: false } });
    expect(await directory.find('cid@off.test')).toMatchObject({ domainEnabled: false });
    for (const address of ['sales@x.test', 'ann+news@x.test', 'nobody@x.test', 'nonsense', 'a\u0000@x.test']) expect(await directory.find(address)).toBeUndefined();
  });
});

describe('what an account uses', () => {
  it('is the sum of its mailboxes', async () => {
    const box = await filledMailbox(h, 3);
    await h.pool.query('UPDATE view.account_1 SET id = $1 WHERE address = $2', [box.accountId, 'bob@x.test']);
    const [bob, ann] = await directory.lookup(['bob@x.test', 'ann@x.test']);
    expect(bob).toMatchObject({ account: { used: box.head.bytes } });
    expect(ann).toMatchObject({ account: { used: 0 } });
  });
});

describe('a relay domain', () => {
  it('is known in the same question, from the moment it is one, and not when it is ours', async () => {
    const admin = new RelayDomainAdmin(h.pool, h.engine);
    const addresses = ['dora@Relay.test', 'far@y.test', 'ann@x.test'];
    const kinds = async () => (await directory.lookup(addresses)).map((found) => (found.kind === 'remote' ? [found.kind, found.relay] : [found.kind]));
    expect(await kinds()).toEqual([['remote', undefined], ['remote', undefined], ['account']]);
    await admin.add({ name: 'relay.test', verify: 'list', recipients: [] }, ORIGIN);
    expect(await kinds()).toEqual([['remote', true], ['remote', undefined], ['account']]);
    await commands.addDomain('relay.test', { accountLimit: 0 }, ORIGIN);
    expect(await kinds()).toEqual([['unknown'], ['remote', undefined], ['account']]);
    await commands.deleteDomain('relay.test', ORIGIN);
    await admin.change('relay.test', { type: 'RemoveRelayDomain' }, ORIGIN);
    expect(await kinds()).toEqual([['remote', undefined], ['remote', undefined], ['account']]);
  });
});

describe('IMAP', () => {
  it('is for accounts that are on, with its switch on, in a domain that is on', async () => {
    const [ann, bob, gone, cid] = ['ann', 'bob', 'gone', 'cid'].map((name) => ids.get(`${name}@${name === 'cid' ? 'off' : 'x'}.test`) as string);
    for (const id of [ann, gone, cid] as string[]) await commands.changeAccount(id, { imap: true }, ORIGIN);
    expect(await directory.mayUseImap([ann, bob, gone, cid, h.engine.ids.uuid()] as string[])).toEqual(new Map([[ann, expect.stringMatching(/^[0-9a-f]{32}$/)]]));
  });
});

describe('a name that was asked for', () => {
  /** Statements that `times` questions, one after another, lead to; answers count for a second at most. */
  async function asked(directory: PostgresDirectory, pool: TestHistory['pool'], times: number): Promise<{ readonly statements: number; readonly seconds: number }> {
    const began = performance.now();
    let statements = 0;
    const count = (): void => void statements++;
    pool.on('acquire', count);
    for (let n = 0; n < times; n++) expect(brief((await directory.lookup(['ann@x.test']))[0])).toBe('account ann@x.test');
    pool.off('acquire', count);
    return { statements, seconds: Math.ceil((performance.now() - began) / 1_000) };
  }

  it('is not asked for again while nothing is appended, and is after an append by anybody', async () => {
    const { pool } = h.another();
    const mine = new PostgresDirectory(pool, () => separators);
    const quiet = await asked(mine, pool, 50);
    expect(quiet.statements).toBeGreaterThan(0);
    expect(quiet.statements).toBeLessThanOrEqual(1 + quiet.seconds);
    for (let n = 0; n < 3; n++) {
      await filledMailbox(h, 1);
      expect((await asked(mine, pool, 1)).statements).toBe(1);
    }
  });
});
