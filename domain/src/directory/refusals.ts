import { Refusal } from '../kernel/decider.js';

/** Every "no" of the directory. */
export type DirectoryRefusal =
  | 'bad-domain'
  | 'bad-address'
  | 'bad-account'
  | 'bad-target'
  | 'domain-exists'
  | 'no-such-domain'
  | 'no-such-account'
  | 'no-such-alias'
  | 'bad-group'
  | 'no-such-group'
  /** Another group has this name. */
  | 'group-exists'
  | 'too-many-members'
  /** The account is in as many groups as one may be. */
  | 'too-many-groups'
  /** The domain has its `accountLimit` of accounts. */
  | 'domain-limit'
  /** The domain still has accounts, aliases or groups. */
  | 'not-empty'
  /** Another account or alias has this address. */
  | 'address-taken'
  | 'no-targets'
  | 'too-many-targets'
  | 'duplicate-target';

export const refuse = (reason: DirectoryRefusal, detail?: string): never => {
  throw new Refusal<DirectoryRefusal>(reason, detail);
};

/** What a stream's last event says of its thing: there, gone again, or never there (undefined). */
export type Life<T> = T | 'deleted' | undefined;

/** @throws Refusal with `reason` when the thing is not there. */
export const present = <T>(state: Life<T>, reason: DirectoryRefusal, detail?: string): T =>
  state === undefined || state === 'deleted' ? refuse(reason, detail) : state;
