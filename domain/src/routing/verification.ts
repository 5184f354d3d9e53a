import { type Decider, Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { canonical, canonicalDomain, domainOf, splitTag } from '../mail/address.js';
import { ldapName } from './ldap.js';
import { matches, parsePattern, subjectOf } from './pattern.js';

/**
 * Which recipients of a relay domain are taken: `none` = all (backscatter: an inner server that refuses later makes us report to
 * faked senders), `list` = those on the list, `call-forward` = those that the inner server takes when asked, `ldap` = those that a directory
 * knows.
 */
export const VERIFICATIONS = ['none', 'list', 'call-forward', 'ldap'] as const;
export type Verification = (typeof VERIFICATIONS)[number];

/** A domain that is not ours, but for whose gateway we take mail. Stream `relaydomain-<name>`; every event carries all of it. */
export interface RelayDomain {
  /** Lower case, A-labels. */
  readonly name: string;
  readonly verify: Verification;
  /** Canonical addresses of this domain; a star in the local part stands for any run of characters. Kept whatever `verify` says. */
  readonly recipients: readonly string[];
  /** Name of the directory; there when `verify` is `ldap`, and only then. */
  readonly ldap?: string;
  /** Counts the changes since it was first added, also across a removal: readers keep lists by it. */
  readonly revision: number;
  /** Epoch ms. */
  readonly createdAt: number;
}

export type RelayDomainEvent =
  | Fact<'RelayDomainAdded', RelayDomain>
  | Fact<'RelayDomainChanged', RelayDomain>
  | Fact<'RelayDomainRemoved', Pick<RelayDomain, 'name' | 'revision'>>;

export type RelayDomainCommand =
  | { readonly type: 'AddRelayDomain'; readonly name: string; readonly verify: Verification; readonly ldap?: string | undefined; readonly recipients: readonly string[]; readonly now: number }
  /** A directory alone stands for `ldap` with it. */
  | { readonly type: 'ChangeRelayDomain'; readonly verify?: Verification | undefined; readonly ldap?: string | undefined; readonly recipients?: readonly string[] | undefined }
  | { readonly type: 'AddRecipients' | 'RemoveRecipients'; readonly recipients: readonly string[] }
  | { readonly type: 'RemoveRelayDomain' };

export type RelayDomainRefusal =
  | 'bad-domain'
  | 'relay-domain-exists'
  | 'no-such-relay-domain'
  /** It is one of ours, which always wins. */
  | 'domain-is-local'
  | 'bad-recipient'
  | 'too-many-recipients'
  | 'ldap-directory-needed'
  /** One was named for another way to check. */
  | 'ldap-directory-unused';

export const refuseRelay = (reason: RelayDomainRefusal, detail?: string): never => {
  throw new Refusal<RelayDomainRefusal>(reason, detail);
};

/** Every change is an event that carries all of them. */
export const MOST_RECIPIENTS = 20_000;

export const relayDomainStream = (name: string): string => `relaydomain-${name}`;
/** @throws Refusal `bad-domain` */
export const relayDomainName = (text: string): string => canonicalDomain(text) ?? refuseRelay('bad-domain', text.slice(0, 255));

/** The last revision is known of a removed one too. */
export type RelayDomainState = RelayDomain | { readonly removed: true; readonly revision: number } | undefined;

/** The directory that it asks. */
export const directoryOf = (state: RelayDomainState): string | undefined => (isThere(state) ? state.ldap : undefined);

const isThere = (state: RelayDomainState): state is RelayDomain => state !== undefined && !('removed' in state);

export const relayDomainDecider: Decider<RelayDomainCommand, RelayDomainEvent, RelayDomainState> = {
  initial: undefined,

  decide(command, state) {
    if (command.type === 'AddRelayDomain') {
      const { name, verify, ldap, now } = command;
      if (isThere(state)) return refuseRelay('relay-domain-exists', name);
      const recipients = recipientsOf(name, command.recipients);
      return [{ type: 'RelayDomainAdded', data: { name, ...checkedBy(verify, ldap), recipients, revision: (state?.revision ?? 0) + 1, createdAt: now } }];
    }
    if (command.type === 'RemoveRelayDomain' && state !== undefined && !isThere(state)) return [];
    if (!isThere(state)) return refuseRelay('no-such-relay-domain');
    switch (command.type) {
      case 'ChangeRelayDomain': {
        const verify = command.verify ?? (command.ldap === undefined ? state.verify : 'ldap');
        const way = checkedBy(verify, command.ldap ?? (verify === 'ldap' ? state.ldap : undefined));
        return changed(state, way, command.recipients === undefined ? state.recipients : recipientsOf(state.name, command.recipients));
      }
      case 'AddRecipients':
        return changed(state, state, recipientsOf(state.name, [...state.recipients, ...command.recipients]));
      case 'RemoveRecipients': {
        const gone = new Set(recipientsOf(state.name, command.recipients));
        return changed(state, state, state.recipients.filter((address) => !gone.has(address)));
      }
      case 'RemoveRelayDomain':
        return [{ type: 'RelayDomainRemoved', data: { name: state.name, revision: state.revision + 1 } }];
    }
  },

  evolve: (_, { type, data }) => (type === 'RelayDomainRemoved' ? { removed: true, revision: data.revision } : data),
};

/** How recipients are checked. */
type Way = Pick<RelayDomain, 'verify' | 'ldap'>;

/** @throws Refusal `ldap-directory-needed`, `ldap-directory-unused` */
function checkedBy(verify: Verification, ldap: string | undefined): Way {
  if (verify !== 'ldap') return ldap === undefined ? { verify } : refuseRelay('ldap-directory-unused', verify);
  return ldap === undefined ? refuseRelay('ldap-directory-needed') : { verify, ldap: ldapName(ldap) };
}

function changed({ ldap: was, ...state }: RelayDomain, { verify, ldap }: Way, recipients: readonly string[]): readonly RelayDomainEvent[] {
  const same = verify === state.verify && ldap === was && recipients.length === state.recipients.length && recipients.every((address, i) => address === state.recipients[i]);
  return same ? [] : [{ type: 'RelayDomainChanged', data: { ...state, verify, ...(ldap !== undefined && { ldap }), recipients, revision: state.revision + 1 } }];
}

/**
 * Canonical, sorted, each once; what has no domain is in this one.
 * @throws Refusal `bad-recipient`, `too-many-recipients`
 */
function recipientsOf(domain: string, texts: readonly string[]): readonly string[] {
  const known = new Set(texts.map((text) => {
    const address = parsePattern(text.includes('@') ? text.trim() : `${text.trim()}@${domain}`);
    return address === undefined || domainOf(address) !== domain ? refuseRelay('bad-recipient', text.slice(0, 320)) : address;
  }));
  if (known.size > MOST_RECIPIENTS) return refuseRelay('too-many-recipients', `at most ${MOST_RECIPIENTS}`);
  return [...known].sort();
}

/** A list made ready for many questions: is this recipient on it, as it is or without its tag? */
export function recipientMatcher(recipients: readonly string[]): (address: string, separators: string) => boolean {
  const exact = new Set(recipients);
  const wild = recipients.filter((address) => address.includes('*'));
  const listed = (address: string): boolean => {
    if (exact.has(address)) return true;
    if (wild.length === 0) return false;
    const subject = subjectOf(address);
    return wild.some((pattern) => matches(pattern, subject));
  };
  return (address, separators) => {
    const known = canonical(address);
    if (known === undefined) return false;
    const plain = splitTag(known, separators);
    return listed(known) || (plain !== undefined && listed(plain));
  };
}

/** What the inner server, or the directory, says of a recipient; `temporary`: it could not be asked, or has not decided. */
export type Verdict = 'yes' | 'no' | 'temporary';
/** Asks the server behind the gateway by RCPT, without sending anything. Never rejects for what that server does. */
export type AskInnerServer = (address: string) => Promise<Verdict>;
