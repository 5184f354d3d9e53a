import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { AccountFacts, Resolved } from '../mail/directory-port.js';
import { expand } from './expand.js';

const account = (address: string, enabled = true): Resolved => ({
  kind: 'account',
  account: { id: `id-${address}`, address, enabled, smtp: true, pop3: true, imap: true, quota: 0, used: 0, inbox: `inbox-${address}` },
});
const alias = (name: string, ...targets: (string | { address: string; rewrite: boolean })[]): Resolved => ({
  kind: 'alias', alias: name, targets: targets.map((t) => (typeof t === 'string' ? { address: t, rewrite: false } : t)),
});

const BOOK: Record<string, Resolved> = {
  'ann@x.test': account('ann@x.test'),
  'bob@x.test': account('bob@x.test'),
  'gone@x.test': account('gone@x.test', false),
  'all@x.test': alias('all@x.test', 'ann@x.test', 'bob@x.test', 'cid@far.test'),
  'staff@x.test': alias('staff@x.test', 'all@x.test', 'ann@x.test'),
  'new@x.test': alias('new@x.test', { address: 'ann@x.test', rewrite: true }),
  'ring1@x.test': alias('ring1@x.test', 'ring2@x.test'),
  'ring2@x.test': alias('ring2@x.test', 'ring1@x.test'),
  'spiral@x.test': alias('spiral@x.test', 'spiral@x.test', 'late@x.test'),
  'late@x.test': alias('late@x.test', 'all@x.test'),
  'cid@far.test': { kind: 'remote' },
  'any@off.test': { kind: 'domain-disabled' },
};
const lookup = (addresses: readonly string[]): Promise<readonly Resolved[]> => Promise.resolve(addresses.map((a) => BOOK[a] ?? { kind: 'unknown' }));
const one = async (...recipients: string[]) => (await expand([recipients], lookup))[0];
const inboxes = (accounts: readonly { account: AccountFacts }[] = []): string[] => accounts.map((l) => l.account.address);

describe('expanding recipients', () => {
  it('puts a plain recipient into its mailbox', async () => {
    expect(await one('ann@x.test')).toMatchObject({ local: [{ recipient: 'ann@x.test', deliveredTo: 'ann@x.test', via: [] }], remote: [], failures: [] });
  });

  it('delivers once to a mailbox that is reached on several ways', async () => {
    const found = await one('ann@x.test', 'staff@x.test', 'all@x.test');
    expect(inboxes(found?.local).sort()).toEqual(['ann@x.test', 'bob@x.test']);
    expect(found?.remote.map((r) => r.address)).toEqual(['cid@far.test']);
    expect(found?.failures).toEqual([]);
  });

  it('shows the alias as the address delivered to, or the target where the alias rewrites', async () => {
    expect((await one('all@x.test'))?.local[0]).toMatchObject({ deliveredTo: 'all@x.test', via: ['all@x.test'] });
    expect((await one('new@x.test'))?.local[0]).toMatchObject({ deliveredTo: 'ann@x.test', via: ['new@x.test'] });
  });

  it('cuts a loop and delivers to whoever else is named', async () => {
    const found = await one('spiral@x.test');
    expect(inboxes(found?.local).sort()).toEqual(['ann@x.test', 'bob@x.test']);
    expect(found?.failures).toEqual([]);
  });

  it('fails a recipient that only runs in circles', async () => {
    expect((await one('ring1@x.test'))?.failures).toMatchObject([{ recipient: 'ring1@x.test', reason: 'loop' }]);
  });

  it('names the failure of every recipient that leads nowhere', async () => {
    const found = await one('nobody@x.test', 'gone@x.test', 'any@off.test');
    expect(found?.failures.map((f) => f.reason)).toEqual(['unknown', 'disabled', 'disabled']);
  });

  it('keeps messages apart and asks once per round for all of them', async () => {
    let calls = 0;
    const counting = (addresses: readonly string[]) => (calls++, lookup(addresses));
    const [first, second] = await expand([['all@x.test'], ['ann@x.test']], counting);
    expect(first?.local).toHaveLength(2);
    expect(second?.local).toHaveLength(1);
    expect(calls).toBe(2);
  });

  it('ends on any graph of aliases, with each mailbox at most once and every recipient accounted for', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((n) => `${n}@x.test`);
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.constant('account'), fc.array(fc.constantFrom(...names, 'far@y.test'), { maxLength: 4 }))),
        fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 5 }),
        async (book, recipients) => {
          const ask = (addresses: readonly string[]): Promise<readonly Resolved[]> =>
            Promise.resolve(addresses.map((a) => {
              const entry = book[a];
              if (a === 'far@y.test') return { kind: 'remote' };
              if (entry === undefined) return { kind: 'unknown' };
              return entry === 'account' ? account(a) : alias(a, ...entry);
            }));
          const [found] = await expand([recipients], ask);
          const boxes = inboxes(found?.local);
          expect(new Set(boxes).size).toBe(boxes.length);
          expect(new Set(found?.remote.map((r) => r.address)).size).toBe(found?.remote.length);
        },
      ),
    );
  });
});
