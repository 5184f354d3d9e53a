import { type Decider, Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { canonicalDomain } from '../mail/address.js';
import { canonicalIp } from '../mail/ip.js';
import { BadFilter, parseTemplate } from './ldap-filter.js';
import { CREDENTIALS_NAME } from './gateway-table.js';

/** Where an `ldap://` server may be spoken to without TLS. Everywhere else STARTTLS comes first, or nothing is said. */
export const PLAIN = ['never', 'loopback', 'always'] as const;
export type Plain = (typeof PLAIN)[number];

/** What an administrator says of a directory, but for its secret. */
export interface LdapSettings {
  /** `ldap[s]://host[:port]`, in the order of preference. */
  readonly servers: readonly string[];
  readonly plain: Plain;
  /** DN, or what else the server takes for a simple bind (Active Directory: `ann@x.test`); '' = anonymous. */
  readonly bindDn: string;
  readonly baseDn: string;
  /** See `parseTemplate`. */
  readonly filter: string;
  /** PEM: certificate authorities of the servers; '' = those that everybody trusts. */
  readonly ca: string;
}

/** An LDAP directory that knows the recipients of relay domains. Stream `ldap-<name>`; every event but the last carries all of it. */
export interface LdapDirectory extends LdapSettings {
  readonly name: string;
  /** Password of `bindDn`, sealed with the server key for this stream; '' for an anonymous bind. */
  readonly sealed: string;
  /** Counts the changes since it was first added, also across a removal: readers keep connections and answers by it. */
  readonly revision: number;
  /** Relay domains that ask it. */
  readonly users: number;
  /** Epoch ms. */
  readonly createdAt: number;
}

export type LdapPart = keyof LdapSettings | 'secret';

export type LdapEvent =
  | Fact<'LdapDirectoryAdded', LdapDirectory>
  | Fact<'LdapDirectoryChanged', LdapDirectory & { readonly changed: readonly LdapPart[] }>
  /** Only together with the relay domain that begins or ends to ask it. */
  | Fact<'LdapDirectoryUseChanged', LdapDirectory>
  | Fact<'LdapDirectoryRemoved', Pick<LdapDirectory, 'name' | 'revision'>>;

type Some<T> = { readonly [K in keyof T]?: T[K] | undefined };

export type LdapCommand =
  | ({ readonly type: 'AddLdapDirectory'; readonly name: string; readonly sealed: string; readonly now: number } & LdapSettings)
  | ({ readonly type: 'ChangeLdapDirectory'; readonly sealed?: string | undefined } & Some<LdapSettings>)
  | { readonly type: 'CountLdapUse'; readonly add: 1 | -1 }
  | { readonly type: 'RemoveLdapDirectory' };

export type LdapRefusal =
  | 'bad-ldap-directory'
  | 'bad-ldap-filter'
  | 'ldap-directory-exists'
  | 'no-such-ldap-directory'
  /** A relay domain names one that is not there. */
  | 'unknown-ldap-directory'
  | 'ldap-directory-in-use';

const refuse = (reason: LdapRefusal, detail?: string): never => {
  throw new Refusal<LdapRefusal>(reason, detail);
};

export const MOST_SERVERS = 8;
/** UTF-16 units. */
export const LONGEST_DN = 1_000;
export const LONGEST_BIND_SECRET = 1_000;
/** Some forty certificates. */
export const LONGEST_CA = 100_000;

export const ldapStream = (name: string): string => `ldap-${name}`;

/** @throws Refusal `bad-ldap-directory` */
export function ldapName(text: string): string {
  const name = text.toLowerCase();
  return CREDENTIALS_NAME.test(name) ? name : refuse('bad-ldap-directory', 'name: expected 1 to 64 of a-z, 0-9, dot, hyphen and underscore');
}

/** @throws Refusal `bad-ldap-directory`, which never repeats the secret. */
export const checkBindSecret = (secret: string): string =>
  secret !== '' && secret.length <= LONGEST_BIND_SECRET && isPlain(secret) ? secret : refuse('bad-ldap-directory', `secret: expected 1 to ${LONGEST_BIND_SECRET} characters, no control characters`);

export interface LdapServer {
  /** TLS from the first byte. */
  readonly secure: boolean;
  /** Lower case, A-labels, or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** @returns undefined for anything but `ldap[s]://host[:port]`. */
export function parseServer(text: string): LdapServer | undefined {
  const [, scheme, bracketed, name = '', digits] = /^(ldaps?):\/\/(?:\[([0-9a-f:.]{2,45})\]|([^\s:/?#@[\]]{1,255}))(?::(\d{1,5}))?\/?$/i.exec(text.trim()) ?? [];
  if (scheme === undefined) return undefined;
  const host = bracketed === undefined ? (canonicalIp(name) ?? canonicalDomain(name)) : canonicalIp(bracketed);
  const secure = scheme.toLowerCase() === 'ldaps';
  const port = digits === undefined ? (secure ? 636 : 389) : Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { secure, host, port };
}

/** With the port only where it is not the usual one. */
export const printServer = ({ secure, host, port }: LdapServer): string =>
  `${secure ? 'ldaps' : 'ldap'}://${host.includes(':') ? `[${host}]` : host}${port === (secure ? 636 : 389) ? '' : `:${port}`}`;

/** The last revision is known of a removed one too. */
export type LdapState = LdapDirectory | { readonly removed: true; readonly revision: number } | undefined;

const isThere = (state: LdapState): state is LdapDirectory => state !== undefined && !('removed' in state);

export const ldapDecider: Decider<LdapCommand, LdapEvent, LdapState> = {
  initial: undefined,

  decide(command, state) {
    if (command.type === 'AddLdapDirectory') {
      const { name, sealed, now } = command;
      if (isThere(state)) return refuse('ldap-directory-exists', name);
      const settings = checkSettings(command);
      checkBind(settings.bindDn, sealed);
      return [{ type: 'LdapDirectoryAdded', data: { name, ...settings, sealed, revision: (state?.revision ?? 0) + 1, users: 0, createdAt: now } }];
    }
    if (command.type === 'RemoveLdapDirectory' && state !== undefined && !isThere(state)) return [];
    if (!isThere(state)) return refuse(command.type === 'CountLdapUse' ? 'unknown-ldap-directory' : 'no-such-ldap-directory');
    switch (command.type) {
      case 'ChangeLdapDirectory':
        return change(state, command);
      case 'CountLdapUse':
        return [{ type: 'LdapDirectoryUseChanged', data: { ...state, users: state.users + command.add } }];
      case 'RemoveLdapDirectory':
        if (state.users > 0) return refuse('ldap-directory-in-use', `relay domains: ${state.users}`);
        return [{ type: 'LdapDirectoryRemoved', data: { name: state.name, revision: state.revision + 1 } }];
    }
  },

  evolve(_, event) {
    if (event.type === 'LdapDirectoryRemoved') return { removed: true, revision: event.data.revision };
    if (event.type !== 'LdapDirectoryChanged') return event.data;
    const { changed: __, ...directory } = event.data;
    return directory;
  },
};

const SETTINGS = ['servers', 'plain', 'bindDn', 'baseDn', 'filter', 'ca'] as const;

/** Without a bind DN there is no secret: one that was there is forgotten. */
function change(state: LdapDirectory, command: Extract<LdapCommand, { readonly type: 'ChangeLdapDirectory' }>): readonly LdapEvent[] {
  const { servers = state.servers, plain = state.plain, bindDn = state.bindDn, baseDn = state.baseDn, filter = state.filter, ca = state.ca } = command;
  const settings = checkSettings({ servers, plain, bindDn, baseDn, filter, ca });
  const sealed = command.sealed ?? (settings.bindDn === '' ? '' : state.sealed);
  checkBind(settings.bindDn, sealed);
  const changed: readonly LdapPart[] = [
    ...SETTINGS.filter((part) => JSON.stringify(settings[part]) !== JSON.stringify(state[part])), ...(sealed === state.sealed ? [] : (['secret'] as const)),
  ];
  return changed.length === 0 ? [] : [{ type: 'LdapDirectoryChanged', data: { ...state, ...settings, sealed, revision: state.revision + 1, changed } }];
}

/** A DN without a password is an "unauthenticated bind", which succeeds and sees nothing (RFC 4513 §5.1.2). */
function checkBind(bindDn: string, sealed: string): void {
  if ((bindDn === '') !== (sealed === '')) refuse('bad-ldap-directory', bindDn === '' ? 'a secret without a bind DN' : 'a bind DN needs its secret');
}

/** @throws Refusal `bad-ldap-directory`, `bad-ldap-filter` */
function checkSettings({ servers, plain, bindDn, baseDn, filter, ca }: LdapSettings): LdapSettings {
  const named = [...new Set(servers.map((text) => {
    const server = parseServer(text);
    return server ? printServer(server) : refuse('bad-ldap-directory', `server: expected ldap[s]://host[:port], not ${text.slice(0, 300)}`);
  }))];
  if (named.length < 1 || named.length > MOST_SERVERS) refuse('bad-ldap-directory', `servers: expected 1 to ${MOST_SERVERS}`);
  for (const [what, dn] of [['bind DN', bindDn], ['base DN', baseDn]] as const)
    if (dn.length > LONGEST_DN || !isPlain(dn)) refuse('bad-ldap-directory', `${what}: at most ${LONGEST_DN} characters, no control characters`);
  if (ca !== '' && (ca.length > LONGEST_CA || !/-----BEGIN (?:TRUSTED )?CERTIFICATE-----/.test(ca))) refuse('bad-ldap-directory', `ca: expected certificates in PEM, at most ${LONGEST_CA} characters`);
  try {
    parseTemplate(filter);
  } catch (error) {
    if (error instanceof BadFilter) refuse('bad-ldap-filter', error.message);
    throw error;
  }
  return { servers: named, plain, bindDn: bindDn.trim(), baseDn: baseDn.trim(), filter: filter.trim(), ca };
}

const isPlain = (text: string): boolean => text.isWellFormed() && !/\p{Cc}/u.test(text);
