import type { Fact, Origin } from '../kernel/event.js';
import type { Engine } from '../kernel/execute.js';
import { canonical } from '../mail/address.js';
import { accountDecider, type AccountCommand, type AccountSettings, accountStream, ownAddress } from './account.js';
import { aliasAddress, type AliasCommand, aliasDecider, aliasStream, type TargetWish } from './alias.js';
import { addressStream, claimDecider } from './claim.js';
import { domainDecider, type DomainCommand, domainStream, ownDomain } from './domain.js';
import { foldersLeft, foldersStream } from '../mailbox/folders.js';
import { Draft } from './draft.js';
import { groupStream } from './group.js';
import { groupsOf } from './group-plans.js';
import {
  type Added, type NewAccount, planAccounts, planAlias, planDeleteAccount, planDeleteAlias, planDeleteDomain, planRename, planRenameAlias,
  streamsOfAccounts, streamsOfAliases, streamsOfDeletion, streamsOfRename,
} from './plans.js';
import { refuse } from './refusals.js';
import { type Read, settle } from './settle.js';
import { tallyStream } from './tally.js';

/** Accounts per append: about three events each, in one transaction. */
export const MOST_ACCOUNTS = 500;

/**
 * Changes of domains, accounts and aliases. Each is one append over all streams concerned: done as a whole or not at all.
 * Every method resolves to the facts recorded; [] when the command had its effect already.
 * @throws Refusal<DirectoryRefusal> when the rules say no.
 * @throws VersionConflict when others were faster 20 times. Any other error of the store: the outcome is unknown; the same command again is harmless.
 */
export class DirectoryCommands {
  constructor(private readonly engine: Engine) {}

  /** @param accountLimit 0 = no limit. */
  addDomain(name: string, { accountLimit }: { readonly accountLimit: number }, origin: Origin): Promise<readonly Fact[]> {
    const own = ownDomain(name);
    return this.#domain(own, { type: 'Add', name: own, accountLimit, now: this.engine.clock.now() }, origin);
  }

  /** A limit below the number of accounts only keeps new ones out. */
  changeDomain(name: string, { accountLimit }: { readonly accountLimit: number }, origin: Origin): Promise<readonly Fact[]> {
    return this.#domain(ownDomain(name), { type: 'Change', accountLimit }, origin);
  }

  enableDomain(name: string, enabled: boolean, origin: Origin): Promise<readonly Fact[]> {
    return this.#domain(ownDomain(name), { type: 'Enable', enabled }, origin);
  }

  deleteDomain(name: string, origin: Origin): Promise<readonly Fact[]> {
    const own = ownDomain(name);
    return settle(this.engine, origin, async (read) => planDeleteDomain(await read([domainStream(own), tallyStream(own)]), own));
  }

  async addAccount(account: NewAccount, origin: Origin): Promise<Exclude<Added, { readonly result: 'refused' }>> {
    const [added] = await this.addAccounts([account], origin);
    if (added === undefined || added.result === 'refused') return refuse(added?.reason ?? 'bad-account', added?.detail);
    return added;
  }

  /**
   * Many accounts in one append; each gets its own answer, in order.
   * @param accounts at most 500. @throws RangeError when there are more.
   */
  async addAccounts(accounts: readonly NewAccount[], origin: Origin): Promise<readonly Added[]> {
    if (accounts.length > MOST_ACCOUNTS) throw new RangeError(`${accounts.length} accounts at once, at most ${MOST_ACCOUNTS}`);
    // An address that cannot be read stays as it is, and the plan refuses it.
    const planned = accounts.map((account) => ({ ...account, address: canonical(account.address) ?? account.address, inbox: this.engine.ids.uuid() }));
    let results: readonly Added[] = [];
    await settle(this.engine, origin, async (read) => {
      const plan = planAccounts(await read(streamsOfAccounts(planned)), planned, this.engine.clock.now());
      results = plan.results;
      return plan.draft;
    });
    return results;
  }

  changeAccount(accountId: string, changes: Partial<AccountSettings>, origin: Origin): Promise<readonly Fact[]> {
    return this.#account(accountId, { type: 'Change', changes }, origin);
  }

  /** @param credentials sealed for this account. */
  setPassword(accountId: string, credentials: string, origin: Origin): Promise<readonly Fact[]> {
    return this.#account(accountId, { type: 'SetPassword', credentials }, origin);
  }

  enableAccount(accountId: string, enabled: boolean, origin: Origin): Promise<readonly Fact[]> {
    return this.#account(accountId, { type: 'Enable', enabled }, origin);
  }

  /** Within its domain or to another of ours. */
  renameAccount(accountId: string, address: string, origin: Origin): Promise<readonly Fact[]> {
    const own = ownAddress(address);
    return settle(this.engine, origin, async (read) => {
      const { last, account } = await readAccount(read, accountId);
      const more = account === undefined || account === 'deleted' ? [] : await read(streamsOfRename(account, own));
      return planRename(new Map([...last, ...more]), accountId, own);
    });
  }

  deleteAccount(accountId: string, origin: Origin): Promise<readonly Fact[]> {
    return settle(this.engine, origin, async (read) => {
      const { last, account } = await readAccount(read, accountId);
      if (account === undefined || account === 'deleted') return planDeleteAccount(last, accountId, []);
      const tree = await this.engine.store.read(foldersStream(accountId));
      const folders = foldersLeft(tree.events);
      const more = new Map([...last, ...(await read(streamsOfDeletion(account, folders)))]);
      // As it was when the list was read: a mailbox made since is a conflict.
      const event = tree.events.at(-1);
      if (event) more.set(foldersStream(accountId), { version: tree.version, event });
      else more.delete(foldersStream(accountId));
      const groups = groupsOf(new Draft(more), accountId);
      if (groups.length > 0) for (const [stream, group] of await read(groups.map(groupStream))) more.set(stream, group);
      return planDeleteAccount(more, accountId, folders);
    });
  }

  /** Id of the account that has this address itself, not by an alias. @throws Refusal `no-such-account`. */
  async accountIdOf(address: string): Promise<string> {
    const stream = addressStream(canonical(address) ?? address);
    const owner = new Draft(await this.engine.store.readLast([stream])).state(stream, claimDecider);
    return owner?.kind === 'account' ? owner.accountId : refuse('no-such-account', address.slice(0, 320));
  }

  /** @param address an address or `*@x.test`, `prefix*@x.test` in one of our domains. */
  addAlias(address: string, targets: readonly TargetWish[], origin: Origin): Promise<readonly Fact[]> {
    const own = aliasAddress(address);
    return this.#aliases([own], (draft) => planAlias(draft, own, targets, this.engine.clock.now()), origin);
  }

  changeAlias(address: string, targets: readonly TargetWish[], origin: Origin): Promise<readonly Fact[]> {
    return this.#alias(address, { type: 'Change', targets }, origin);
  }

  enableAlias(address: string, enabled: boolean, origin: Origin): Promise<readonly Fact[]> {
    return this.#alias(address, { type: 'Enable', enabled }, origin);
  }

  renameAlias(from: string, to: string, origin: Origin): Promise<readonly Fact[]> {
    const [old, own] = [aliasAddress(from), aliasAddress(to)];
    return this.#aliases([old, own], (draft) => planRenameAlias(draft, old, own, this.engine.clock.now()), origin);
  }

  deleteAlias(address: string, origin: Origin): Promise<readonly Fact[]> {
    const own = aliasAddress(address);
    return this.#aliases([own], (draft) => planDeleteAlias(draft, own), origin);
  }

  #domain(name: string, command: DomainCommand, origin: Origin): Promise<readonly Fact[]> {
    const stream = domainStream(name);
    return settle(this.engine, origin, async (read) => decided(new Draft(await read([stream])), (draft) => draft.decide(stream, domainDecider, command)));
  }

  #account(accountId: string, command: AccountCommand, origin: Origin): Promise<readonly Fact[]> {
    const stream = accountStream(accountId);
    return settle(this.engine, origin, async (read) => decided(new Draft(await read([stream])), (draft) => draft.decide(stream, accountDecider, command)));
  }

  #alias(address: string, command: AliasCommand, origin: Origin): Promise<readonly Fact[]> {
    const stream = aliasStream(aliasAddress(address));
    return settle(this.engine, origin, async (read) => decided(new Draft(await read([stream])), (draft) => draft.decide(stream, aliasDecider, command)));
  }

  #aliases(addresses: readonly string[], plan: (draft: Draft) => Draft, origin: Origin): Promise<readonly Fact[]> {
    return settle(this.engine, origin, async (read) => plan(new Draft(await read(streamsOfAliases(addresses)))));
  }
}

const decided = (draft: Draft, decide: (draft: Draft) => ReturnType<Draft['decide']>): Draft => draft.add(decide(draft));

async function readAccount(read: Read, accountId: string) {
  const last = await read([accountStream(accountId)]);
  return { last, account: new Draft(last).state(accountStream(accountId), accountDecider) };
}
