import type { Fact, Origin } from '../kernel/event.js';
import type { Engine } from '../kernel/execute.js';
import { canonical, domainOf } from '../mail/address.js';
import { addressStream, claimDecider } from './claim.js';
import { Draft, type Last } from './draft.js';
import { groupName, groupNameDecider, groupNameStream, groupStream, membersLeft } from './group.js';
import { planDeleteGroup, planGroup, planMembers, planRenameGroup, streamsOfGroup, streamsOfMembers } from './group-plans.js';
import { membershipsStream } from './memberships.js';
import { refuse } from './refusals.js';
import { type Read, settle } from './settle.js';
import { tallyStream } from './tally.js';

/**
 * Changes of groups, by name. Each is one append over all streams concerned: done as a whole or not at all.
 * Every method resolves to the facts recorded; [] when the command had its effect already.
 * @throws Refusal<DirectoryRefusal> when the rules say no.
 * @throws VersionConflict when others were faster 20 times.
 */
export class GroupCommands {
  constructor(private readonly engine: Engine) {}

  /** @param members addresses of accounts, at most 1,000. */
  add(name: string, members: readonly string[], origin: Origin): Promise<readonly Fact[]> {
    const own = groupName(name);
    const groupId = this.engine.ids.uuid();
    return settle(this.engine, origin, async (read) => {
      const ids = await accountIds(read, members);
      const last = await read([...streamsOfGroup(own), ...streamsOfMembers(ids)]);
      return planGroup(new Draft(last), groupId, own, ids, this.engine.clock.now());
    });
  }

  /** Another name in the same domain; access lists follow. */
  rename(name: string, to: string, origin: Origin): Promise<readonly Fact[]> {
    const [old, own] = [groupName(name), groupName(to)];
    return settle(this.engine, origin, async (read) => {
      const { groupId, last } = await this.#found(read, old);
      return planRenameGroup(new Draft(new Map([...last, ...(await read([groupStream(groupId), groupNameStream(own)]))])), groupId, own);
    });
  }

  /** @param add addresses of accounts. @param remove likewise; who is in both is a member. */
  changeMembers(name: string, add: readonly string[], remove: readonly string[], origin: Origin): Promise<readonly Fact[]> {
    const own = groupName(name);
    return settle(this.engine, origin, async (read) => {
      const { groupId } = await this.#found(read, own);
      const [joining, leaving] = [await accountIds(read, add), await accountIds(read, remove)];
      const last = await read([groupStream(groupId), ...streamsOfMembers([...new Set([...joining, ...leaving])])]);
      return planMembers(new Draft(last), groupId, joining, leaving);
    });
  }

  delete(name: string, origin: Origin): Promise<readonly Fact[]> {
    const own = groupName(name);
    return settle(this.engine, origin, async (read) => {
      const { groupId, last } = await this.#found(read, own);
      // Whole, for its members: as it was when they were read.
      const { version, events } = await this.engine.store.read(groupStream(groupId));
      const event = events.at(-1);
      const members = membersLeft(events);
      const all = new Map([...last, ...(await read([tallyStream(domainOf(own)), ...members.map(membershipsStream)]))]);
      if (event) all.set(groupStream(groupId), { version, event });
      return planDeleteGroup(new Draft(all), groupId, members);
    });
  }

  /** @throws Refusal `no-such-group` */
  async #found(read: Read, name: string): Promise<{ readonly groupId: string; readonly last: Last }> {
    const last = await read([groupNameStream(name)]);
    const groupId = new Draft(last).state(groupNameStream(name), groupNameDecider);
    return groupId === undefined ? refuse('no-such-group', name) : { groupId, last };
  }
}

/** Ids of the accounts that have these addresses themselves, not by an alias, in order. @throws Refusal `no-such-account` */
async function accountIds(read: Read, addresses: readonly string[]): Promise<readonly string[]> {
  const streams = addresses.map((address) => addressStream(canonical(address) ?? address));
  const draft = new Draft(streams.length === 0 ? new Map() : await read([...new Set(streams)]));
  return streams.map((stream, i) => {
    const owner = draft.state(stream, claimDecider);
    return owner?.kind === 'account' ? owner.accountId : refuse('no-such-account', addresses[i]?.slice(0, 320));
  });
}
