import { Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { domainOf } from '../mail/address.js';
import { type FolderEvent, foldersStream } from '../mailbox/folders.js';
import { createMailbox, type MailboxEvent, mailboxStream } from '../mailbox/mailbox.js';
import { type Account, accountDecider, type AccountSettings, accountStream, ownAddress } from './account.js';
import { aliasDecider, aliasStream, type TargetWish } from './alias.js';
import { addressStream, claimDecider, type Owner } from './claim.js';
import { domainDecider, domainStream } from './domain.js';
import { planLeaving } from './group-plans.js';
import { type Decision, Draft, type Last } from './draft.js';
import { membershipsStream } from './memberships.js';
import { type DirectoryRefusal, present } from './refusals.js';
import { tallyDecider, tallyStream } from './tally.js';

/** An account to be added. Its id comes from the caller, because the credentials are sealed for it. */
export interface NewAccount extends AccountSettings {
  readonly accountId: string;
  readonly address: string;
}

/** `there`: this very account existed already. */
export type Added =
  | { readonly result: 'added' | 'there'; readonly accountId: string; readonly address: string }
  | { readonly result: 'refused'; readonly accountId: string; readonly address: string; readonly reason: DirectoryRefusal; readonly detail?: string };

/** What planning an account needs to know, its INBOX's id included. */
export type Planned = NewAccount & { readonly inbox: string };

const ALIAS: Owner = { kind: 'alias' };
const ownerOf = (accountId: string): Owner => ({ kind: 'account', accountId });

const claim = (draft: Draft, type: 'Claim' | 'Release', address: string, owner: Owner): Decision =>
  draft.decide(addressStream(address), claimDecider, { type, address, owner });

/** @throws Refusal `no-such-domain`, `domain-limit`. */
function count(draft: Draft, domain: string, change: { accounts?: number; aliases?: number }, entering: boolean): Decision {
  const limit = entering ? present(draft.state(domainStream(domain), domainDecider), 'no-such-domain', domain).accountLimit : 0;
  return draft.decide(tallyStream(domain), tallyDecider, { type: 'Count', domain, accounts: 0, aliases: 0, ...change, accountLimit: limit });
}

/** The streams to read before `planAccounts`. */
export const streamsOfAccounts = (accounts: readonly Planned[]): readonly string[] => [
  ...new Set(
    accounts.flatMap(({ accountId, address }) => {
      const domain = domainOf(address);
      return [domainStream(domain), tallyStream(domain), addressStream(address), accountStream(accountId)];
    }),
  ),
];

/**
 * Accounts with their addresses and INBOXes, in one append; those that are refused are left out. One event in each domain's tally,
 * whatever the number of accounts.
 * @param accounts with canonical addresses.
 */
export function planAccounts(last: Last, accounts: readonly Planned[], now: number): { readonly draft: Draft; readonly results: readonly Added[] } {
  const draft = new Draft(last);
  const added = new Map<string, number>();
  const results = accounts.map((account): Added => {
    const { accountId, address } = account;
    const domain = domainOf(address);
    try {
      const more = (added.get(domain) ?? 0) + 1;
      const decisions = decideAccount(draft, account, more, now);
      if (decisions.length === 0) return { result: 'there', accountId, address };
      draft.add(...decisions);
      added.set(domain, more);
      return { result: 'added', accountId, address };
    } catch (no) {
      if (!(no instanceof Refusal)) throw no;
      return { result: 'refused', accountId, address, reason: no.reason as DirectoryRefusal, ...(no.detail !== undefined && { detail: no.detail }) };
    }
  });
  for (const [domain, accounts] of added) draft.add(count(draft, domain, { accounts }, true));
  return { draft, results };
}

/** @param more accounts of this append in the same domain, this one included. @returns [] when it is there already. */
function decideAccount(draft: Draft, { accountId, address, inbox, ...settings }: Planned, more: number, now: number): readonly Decision[] {
  ownAddress(address);
  const account = draft.decide(accountStream(accountId), accountDecider, { type: 'Add', accountId, address, inbox, settings, now });
  if (account.facts.length === 0) return [];
  // Asked for its refusal only: the tally is written once for all.
  count(draft, domainOf(address), { accounts: more }, true);
  const claimed = claim(draft, 'Claim', address, ownerOf(accountId));
  return [account, claimed, mailbox(inbox, createMailbox(inbox, accountId, 'INBOX', now))];
}

const mailbox = (inbox: string, fact: Fact): Decision => ({ stream: mailboxStream(inbox), facts: [fact], state: undefined });

/** The streams to read, beyond the account's own, before `planRename`. */
export const streamsOfRename = ({ address: from, domain }: Account, address: string): readonly string[] => [
  ...new Set([domainStream(domainOf(address)), tallyStream(domain), tallyStream(domainOf(address)), addressStream(from), addressStream(address)]),
];

/** The account keeps its id and its mail; the address moves with both domains' tallies. */
export function planRename(last: Last, accountId: string, wish: string): Draft {
  const draft = new Draft(last);
  const account = present(draft.state(accountStream(accountId), accountDecider), 'no-such-account', accountId);
  const address = ownAddress(wish);
  const renamed = draft.decide(accountStream(accountId), accountDecider, { type: 'Rename', address });
  if (renamed.facts.length === 0) return draft;
  const domain = domainOf(address);
  present(draft.state(domainStream(domain), domainDecider), 'no-such-domain', domain);
  draft.add(renamed, claim(draft, 'Release', account.address, ownerOf(accountId)), claim(draft, 'Claim', address, ownerOf(accountId)));
  if (domain !== account.domain)
    draft.add(count(draft, account.domain, { accounts: -1 }, false), count(draft, domain, { accounts: 1 }, true));
  return draft;
}

/** The streams to read, beyond the account's own, before `planDeleteAccount`. */
export const streamsOfDeletion = ({ accountId, address, domain, inbox }: Account, folders: readonly string[]): readonly string[] =>
  [addressStream(address), tallyStream(domain), membershipsStream(accountId), foldersStream(accountId), ...[inbox, ...folders].map(mailboxStream)];

/**
 * The address is free again, the account is in no group, all mailboxes are gone, and nobody makes new ones.
 * @param last also has its groups' streams.
 * @param folders ids of its mailboxes beside INBOX.
 */
export function planDeleteAccount(last: Last, accountId: string, folders: readonly string[]): Draft {
  const draft = new Draft(last);
  const account = draft.state(accountStream(accountId), accountDecider);
  const deleted = draft.decide(accountStream(accountId), accountDecider, { type: 'Delete' });
  if (account === undefined || account === 'deleted') return draft;
  draft.add(deleted, claim(draft, 'Release', account.address, ownerOf(accountId)), count(draft, account.domain, { accounts: -1 }, false));
  planLeaving(draft, { accountId, address: account.address });
  const tree = last.get(foldersStream(accountId))?.event as unknown as FolderEvent | undefined;
  const { uidValidity } = tree?.data ?? { uidValidity: 0 };
  // Whoever makes a mailbox at this moment reads again.
  draft.add({ stream: foldersStream(accountId), facts: [{ type: 'FoldersDropped', data: { accountId, uidValidity } }], state: undefined });
  for (const id of [account.inbox, ...folders]) {
    const box = last.get(mailboxStream(id))?.event;
    if (box === undefined || box.type === 'MailboxDeleted') continue;
    const { head } = (box as unknown as MailboxEvent).data;
    draft.add(mailbox(id, { type: 'MailboxDeleted', data: { mailboxId: id, head } }));
  }
  return draft;
}

/** The streams to read before any plan about these aliases. */
export const streamsOfAliases = (addresses: readonly string[]): readonly string[] => [
  ...new Set(
    addresses.flatMap((address) => {
      const domain = domainOf(address);
      return [aliasStream(address), addressStream(address), domainStream(domain), tallyStream(domain)];
    }),
  ),
];

/** @param address as `aliasAddress` gives it. */
export function planAlias(draft: Draft, address: string, targets: readonly TargetWish[], now: number, enabled = true): Draft {
  const domain = domainOf(address);
  present(draft.state(domainStream(domain), domainDecider), 'no-such-domain', domain);
  const claimed = claim(draft, 'Claim', address, ALIAS);
  const alias = draft.decide(aliasStream(address), aliasDecider, { type: 'Add', address, targets, enabled, now });
  return alias.facts.length === 0 ? draft : draft.add(alias, claimed, count(draft, domain, { aliases: 1 }, true));
}

export function planDeleteAlias(draft: Draft, address: string): Draft {
  const deleted = draft.decide(aliasStream(address), aliasDecider, { type: 'Delete' });
  if (deleted.facts.length === 0) return draft;
  return draft.add(deleted, claim(draft, 'Release', address, ALIAS), count(draft, domainOf(address), { aliases: -1 }, false));
}

/** One append takes the old alias away and makes the new one, with the same targets and switched on or off as it was. */
export function planRenameAlias(draft: Draft, from: string, to: string, now: number): Draft {
  const alias = present(draft.state(aliasStream(from), aliasDecider), 'no-such-alias', from);
  if (from === to) return draft;
  const claimed = draft.state(addressStream(to), claimDecider);
  if (claimed !== undefined) throw new Refusal<DirectoryRefusal>('address-taken', to);
  return planAlias(planDeleteAlias(draft, from), to, alias.targets, now, alias.enabled);
}

/** Meets every add to the domain at its tally: whoever comes second reads again. */
export function planDeleteDomain(last: Last, name: string): Draft {
  const draft = new Draft(last);
  const tally = draft.state(tallyStream(name), tallyDecider);
  const deleted = draft.decide(domainStream(name), domainDecider, { type: 'Delete', tally });
  return deleted.facts.length === 0 ? draft : draft.add(deleted, count(draft, name, {}, false));
}
