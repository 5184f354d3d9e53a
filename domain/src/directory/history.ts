import type { Upgrades } from '../kernel/upcast.js';
import type { AccountEvent } from './account.js';
import type { AliasEvent } from './alias.js';
import type { ClaimEvent } from './claim.js';
import type { DomainEvent } from './domain.js';
import type { GroupEvent, GroupNameEvent } from './group.js';
import type { MembershipsEvent } from './memberships.js';
import type { TallyEvent } from './tally.js';

export type DirectoryEvent = DomainEvent | AccountEvent | AliasEvent | ClaimEvent | TallyEvent | GroupEvent | GroupNameEvent | MembershipsEvent;

/** Shapes that old streams still hold. Append a step; never edit one. */
export const directoryUpgrades: Upgrades = {};
