import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonical } from '../mail/address.js';
import type { AccountFacts } from '../mail/directory-port.js';
import { type DirectoryRows, question, resolve } from './resolve.js';

const account = (address: string): [string, AccountFacts] =>
  [address, { id: `id-${address}`, address, enabled: true, smtp: true, pop3: true, imap: true, quota: 0, used: 0, inbox: `inbox-${address}` }];
const to = (address: string) => [{ address, rewrite: true }];

const rows: DirectoryRows = {
  domains: new Map([['x.test', true], ['off.test', false], ['all.test', true]]),
  accounts: new Map([account('ann@x.test'), account('ann+vip@x.test'), account('ann@off.test')]),
  aliases: new Map([['info@x.test', to('ann@x.test')], ['bob@all.test', to('bob@x.test')]]),
  wildcards: new Map([['all.test', [
    { address: '*@all.test', targets: to('*@abc.test') },
    { address: 'sales*@all.test', targets: to('s*@abc.test') },
    { address: 'sales-jp*@all.test', targets: to('jp@abc.test') },
  ]]]),
};
const ask = (address: string, separators = '+') => resolve(question(address, separators), rows);
const leadsTo = (address: string) => {
  const found = ask(address);
  return found.kind === 'alias' ? [found.alias, ...found.targets.map((t) => t.address)] : [found.kind];
};

describe('an address', () => {
  it.each([
    ['ann@x.test', 'account'], ['ANN@X.TEST', 'account'], ['"ann"@x.test', 'account'], ['nobody@x.test', 'unknown'], ['ann@off.test', 'domain-disabled'],
    ['ann@far.test', 'remote'], ['ann@[192.0.2.1]', 'remote'], ['nonsense', 'unknown'], ['ann@x..test', 'unknown'], ['', 'unknown'],
  ])('%j is %s', (address, kind) => expect(ask(address).kind).toBe(kind));

  it('is found without its tag, unless the tagged one is somebody’s own', () => {
    expect(ask('ann+news@x.test')).toMatchObject({ account: { address: 'ann@x.test' } });
    expect(ask('ann+vip@x.test')).toMatchObject({ account: { address: 'ann+vip@x.test' } });
    expect(ask('info+news@x.test')).toMatchObject({ kind: 'alias', alias: 'info@x.test' });
    expect(ask('ann+news@x.test', '').kind).toBe('unknown');
    expect(ask('ann-news@x.test', '+-')).toMatchObject({ account: { address: 'ann@x.test' } });
  });
});

describe('a wildcard alias', () => {
  it('takes what has no address of its own, and hands on what its star stood for', () => {
    expect(leadsTo('cid@all.test')).toEqual(['*@all.test', 'cid@abc.test']);
    expect(leadsTo('bob@all.test')).toEqual(['bob@all.test', 'bob@x.test']);
    expect(leadsTo('bob+tag@all.test')).toEqual(['bob@all.test', 'bob@x.test']);
    expect(leadsTo('cid+tag@all.test')).toEqual(['*@all.test', 'cid+tag@abc.test']);
    expect(leadsTo('"a b"@all.test')).toEqual(['*@all.test', '"a b"@abc.test']);
  });
  it('gives way to one with a longer prefix', () => {
    expect(leadsTo('sales-eu@all.test')).toEqual(['sales*@all.test', 's-eu@abc.test']);
    expect(leadsTo('sales-jp-1@all.test')).toEqual(['sales-jp*@all.test', 'jp@abc.test']);
    expect(leadsTo('sales@all.test')).toEqual(['sales*@all.test', 's@abc.test']);
  });
  it('puts any local part into its target as it is', () =>
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}$/), (local) => {
        fc.pre(!local.startsWith('sales') && !local.startsWith('bob+'));
        expect(leadsTo(`${local}@all.test`)).toEqual(['*@all.test', `${local}@abc.test`]);
      }),
    ));
});

describe('a question', () => {
  it('asks for canonical addresses only', () =>
    fc.assert(
      fc.property(fc.tuple(fc.string({ unit: 'grapheme' }), fc.domain()), ([local, domain]) => {
        const asked = question(`${local}@${domain}`, '+');
        if (asked) for (const address of [asked.exact, asked.plain ?? asked.exact]) expect(canonical(address)).toBe(address);
      }),
    ));
});
