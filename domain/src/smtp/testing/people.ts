import type { AccountFacts, Directory, Resolved } from '../../mail/directory-port.js';

const account = (name: string, more: Partial<AccountFacts> = {}): Resolved => ({
  kind: 'account',
  account: { id: `id-${name}`, address: `${name}@x.test`, enabled: true, smtp: true, pop3: true, imap: true, quota: 0, used: 0, inbox: `inbox-${name}`, ...more },
});
const alias = (name: string, ...targets: string[]): Resolved => ({ kind: 'alias', alias: name, targets: targets.map((address) => ({ address, rewrite: false })) });

/** Who lives in x.test. Other domains are remote, off.test is switched off, mail for relay.test is taken for its gateway. */
const PEOPLE: Readonly<Record<string, Resolved>> = {
  'ann@x.test': account('ann'),
  'bob@x.test': account('bob'),
  'ann+lists@x.test': account('ann'),
  'postmaster@x.test': account('postmaster'),
  'full@x.test': account('full', { quota: 1000, used: 1000 }),
  'small@x.test': account('small', { quota: 1000, used: 0 }),
  'gone@x.test': account('gone', { enabled: false }),
  'sales@x.test': alias('sales@x.test', 'ann@x.test'),
  'all@x.test': alias('all@x.test', 'ann@x.test', 'bob@x.test'),
  'nested@x.test': alias('nested@x.test', 'sales@x.test'),
  'loop@x.test': alias('loop@x.test', 'loop@x.test'),
  'fork@x.test': alias('fork@x.test', 'fork@x.test', 'dead@x.test', 'fork@x.test', 'dead@x.test'),
  'dead@x.test': alias('dead@x.test', 'gone@x.test', 'nobody@x.test'),
  'waits@x.test': alias('waits@x.test', 'gone@x.test', 'full@x.test'),
  'empty@x.test': alias('empty@x.test'),
  'outside@x.test': alias('outside@x.test', 'ann@far.test'),
};

/** What the directory of x.test says of an address in lower case. For tests. */
export function resolve(address: string): Resolved {
  if (address.endsWith('@off.test')) return { kind: 'domain-disabled' };
  if (address.endsWith('@relay.test')) return { kind: 'remote', relay: true };
  return PEOPLE[address] ?? { kind: address.endsWith('@x.test') ? 'unknown' : 'remote' };
}

/** A directory in memory. For tests. */
export class People implements Directory {
  /** Set to make the views unreadable. */
  broken = false;
  /** How often it was asked. */
  lookups = 0;

  lookup(addresses: readonly string[]): Promise<readonly Resolved[]> {
    this.lookups++;
    if (this.broken) return Promise.reject(new Error('the views are away'));
    return Promise.resolve(addresses.map((address) => resolve(address.toLowerCase())));
  }
}
