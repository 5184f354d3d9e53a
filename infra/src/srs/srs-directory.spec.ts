import { describe, expect, it } from '@jest/globals';
import { type DirectoryRows, question, resolve } from '@kiroku/domain/directory/resolve.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import type { AccountFacts, Directory, Resolved } from '@kiroku/domain/mail/directory-port.js';
import { forward } from '@kiroku/domain/srs/srs.js';
import { fixedClock } from '../ids/ids.js';
import { srsKeys } from './keys.js';
import { srsDirectory } from './srs-directory.js';

const NOW = Date.UTC(2026, 0, 5);
const DAY = 86_400_000;
const keys = srsKeys(Buffer.alloc(32, 1));
const made = (domain: string, sender = 'Ann@far.test', by = keys): string => forward(sender, domain, NOW, by) ?? '';
const FORGED = made('x.test', 'Ann@far.test', srsKeys(Buffer.alloc(32, 2)));

const account = (address: string): AccountFacts =>
  ({ id: address, address, enabled: true, smtp: true, pop3: true, imap: true, quota: 0, used: 0, inbox: `inbox of ${address}` });
const taken = canonical(made('x.test', 'own@far.test')) ?? '';
const ROWS: DirectoryRows = {
  domains: new Map([['x.test', true], ['all.test', true], ['off.test', false]]),
  accounts: new Map(['bob@x.test', 'srs0@x.test', taken].map((address) => [address, account(address)])),
  aliases: new Map(),
  wildcards: new Map([['all.test', [{ address: '*@all.test', targets: [{ address: 'bob@x.test', rewrite: false }] }]]]),
};

/** Addresses asked for. */
const heard: (readonly string[])[] = [];
const rows: Directory = {
  lookup: (addresses) => (heard.push(addresses), Promise.resolve(addresses.map((address) => resolve(question(address, '+'), ROWS)))),
};
const clock = fixedClock(NOW);
const directory = srsDirectory(rows, keys, clock);
const look = async (address: string): Promise<Resolved | undefined> => (await directory.lookup([address]))[0];

describe('an address that this server made for a sender', () => {
  it.each(['x.test', 'all.test'])('leads to that sender, in %s', async (domain) => {
    const address = made(domain);
    expect(await look(address)).toEqual({ kind: 'alias', alias: canonical(address), targets: [{ address: 'Ann@far.test', rewrite: true }], reversed: true });
    expect(await look(address.toLowerCase())).toMatchObject({ reversed: true, targets: [{ address: 'ann@far.test' }] });
  });

  it('leads on to another forwarder when that one made it first', async () => {
    const first = made('other.test');
    expect(await look(made('x.test', first))).toMatchObject({ reversed: true, targets: [{ address: first }] });
  });

  it('is unknown once it is too old, and when another server made it up', async () => {
    const later = srsDirectory(rows, keys, fixedClock(NOW + 22 * DAY));
    expect(await later.lookup([made('x.test'), made('all.test')])).toEqual([{ kind: 'unknown' }, { kind: 'unknown' }]);
    expect(await look(FORGED)).toEqual({ kind: 'unknown' });
    expect(await look(FORGED.replace('x.test', 'all.test'))).toEqual({ kind: 'unknown' });
  });

  it('is what it is elsewhere: remote, or switched off', async () =>
    expect(await directory.lookup([made('y.test'), made('off.test')])).toEqual([{ kind: 'remote' }, { kind: 'domain-disabled' }]));
});

describe('an address that only looks so', () => {
  it("stays its owner's", async () => {
    expect(await look(taken)).toMatchObject({ kind: 'account', account: { address: taken } });
    expect(await look(FORGED.replace('SRS0=', 'SRS0+'))).toMatchObject({ kind: 'account', account: { address: 'srs0@x.test' } });
    expect(await look('srs0+news@x.test')).toMatchObject({ kind: 'account', account: { address: 'srs0@x.test' } });
    expect(await look('srs0=shop@all.test')).toMatchObject({ kind: 'alias', alias: '*@all.test' });
    expect(await look('srs0=shop@x.test')).toEqual({ kind: 'unknown' });
  });
});

describe('other addresses', () => {
  it('are answered in their order, in one question', async () => {
    heard.length = 0;
    const addresses = ['bob@x.test', made('x.test'), 'nobody@x.test', 'far@y.test'];
    expect((await directory.lookup(addresses)).map(({ kind }) => kind)).toEqual(['account', 'alias', 'unknown', 'remote']);
    expect(heard).toEqual([addresses]);
  });

  it('get the very answer of the directory', () => {
    const answer = Promise.resolve<readonly Resolved[]>([{ kind: 'unknown' }]);
    expect(srsDirectory({ lookup: () => answer }, keys, clock).lookup(['bob@x.test'])).toBe(answer);
  });
});
