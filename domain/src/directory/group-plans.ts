import { domainOf } from '../mail/address.js';
import { accountDecider, accountStream } from './account.js';
import { domainDecider, domainStream } from './domain.js';
import type { Decision, Draft } from './draft.js';
import { groupDecider, groupNameDecider, groupNameStream, groupStream, type Member } from './group.js';
import { membershipsDecider, membershipsStream } from './memberships.js';
import { present } from './refusals.js';
import { tallyDecider, tallyStream } from './tally.js';

/** The streams to read before `planGroup`, beside the members' own. */
export const streamsOfGroup = (name: string): readonly string[] => [groupNameStream(name), domainStream(domainOf(name)), tallyStream(domainOf(name))];

/** The streams to read about accounts that join or leave. */
export const streamsOfMembers = (accountIds: readonly string[]): readonly string[] => accountIds.flatMap((id) => [accountStream(id), membershipsStream(id)]);

const count = (draft: Draft, domain: string, groups: number): Decision =>
  draft.decide(tallyStream(domain), tallyDecider, { type: 'Count', domain, accounts: 0, aliases: 0, groups, accountLimit: 0 });

/** @param members ids of accounts. @throws Refusal `no-such-domain`, `group-exists` and what `planMembers` throws. */
export function planGroup(draft: Draft, groupId: string, name: string, members: readonly string[], now: number): Draft {
  const domain = domainOf(name);
  present(draft.state(domainStream(domain), domainDecider), 'no-such-domain', domain);
  const claimed = draft.decide(groupNameStream(name), groupNameDecider, { type: 'Claim', name, groupId });
  const group = draft.decide(groupStream(groupId), groupDecider, { type: 'Add', groupId, name, now });
  return planMembers(draft.add(group, claimed, count(draft, domain, 1)), groupId, members, []);
}

/**
 * Who is a member already, or is none, is passed over; who is named in both lists is a member.
 * @throws Refusal `no-such-account`, `too-many-members`, `too-many-groups`, `no-such-group`
 */
export function planMembers(draft: Draft, groupId: string, add: readonly string[], remove: readonly string[]): Draft {
  const joining = [...new Set(add)].flatMap((accountId) => {
    const { address } = present(draft.state(accountStream(accountId), accountDecider), 'no-such-account', accountId);
    return changed(draft.decide(membershipsStream(accountId), membershipsDecider, { type: 'Join', accountId, address, groupId }), { accountId, address });
  });
  const leaving = [...new Set(remove)].filter((id) => !add.includes(id)).flatMap((accountId) => {
    const { address } = present(draft.state(accountStream(accountId), accountDecider), 'no-such-account', accountId);
    return changed(draft.decide(membershipsStream(accountId), membershipsDecider, { type: 'Leave', accountId, groupId }), { accountId, address });
  });
  const members = (list: readonly Change[]): readonly Member[] => list.map(({ member }) => member);
  const group = draft.decide(groupStream(groupId), groupDecider, { type: 'ChangeMembers', added: members(joining), removed: members(leaving) });
  return draft.add(group, ...joining.map(({ decision }) => decision), ...leaving.map(({ decision }) => decision));
}

interface Change { readonly decision: Decision; readonly member: Member }
const changed = (decision: Decision, member: Member): readonly Change[] => (decision.facts.length > 0 ? [{ decision, member }] : []);

/** The id stays, so access lists follow. @throws Refusal `no-such-group`, `bad-group`, `group-exists` */
export function planRenameGroup(draft: Draft, groupId: string, name: string): Draft {
  const { name: from } = present(draft.state(groupStream(groupId), groupDecider), 'no-such-group');
  const renamed = draft.decide(groupStream(groupId), groupDecider, { type: 'Rename', name });
  if (renamed.facts.length === 0) return draft;
  return draft.add(
    renamed,
    draft.decide(groupNameStream(from), groupNameDecider, { type: 'Release', name: from, groupId }),
    draft.decide(groupNameStream(name), groupNameDecider, { type: 'Claim', name, groupId }),
  );
}

/** Entries of access lists that name it stay, unseen and without effect. @param members its members' ids. */
export function planDeleteGroup(draft: Draft, groupId: string, members: readonly string[]): Draft {
  const { name, domain } = present(draft.state(groupStream(groupId), groupDecider), 'no-such-group');
  return draft.add(
    draft.decide(groupStream(groupId), groupDecider, { type: 'Delete' }),
    draft.decide(groupNameStream(name), groupNameDecider, { type: 'Release', name, groupId }),
    count(draft, domain, -1),
    ...members.map((accountId) => draft.decide(membershipsStream(accountId), membershipsDecider, { type: 'Leave', accountId, groupId })),
  );
}

/** An account that is being deleted leaves all its groups, and nobody takes it into another. @param member as it is in the groups. */
export function planLeaving(draft: Draft, member: Member): Draft {
  const { accountId } = member;
  const groups = groupsOf(draft, accountId);
  return draft.add(
    draft.decide(membershipsStream(accountId), membershipsDecider, { type: 'Drop', accountId }),
    ...groups.map((id) => draft.decide(groupStream(id), groupDecider, { type: 'ChangeMembers', added: [], removed: [member] })),
  );
}

/** Ids of an account's groups. */
export function groupsOf(draft: Draft, accountId: string): readonly string[] {
  const groups = draft.state(membershipsStream(accountId), membershipsDecider);
  return groups === 'dropped' ? [] : groups;
}
