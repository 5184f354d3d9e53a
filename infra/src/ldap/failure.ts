/** Why a directory could not be asked. */
export const LDAP_TROUBLES = ['unreachable', 'tls', 'login', 'secret', 'base', 'rights', 'referral', 'busy', 'late', 'lost', 'refused'] as const;
export type LdapTrouble = (typeof LDAP_TROUBLES)[number];

/** A server could not be asked, or gave no answer. Never holds a secret or the recipient's address. */
export class LdapFailed extends Error {
  constructor(
    readonly reason: LdapTrouble,
    /** As in the directory's settings. */
    readonly server: string,
    /** What the server or the system says, at most 300 characters. */
    readonly detail: string,
  ) {
    super(`${server}: ${WORDS[reason]}${detail === '' ? '' : ` (${detail})`}`);
  }
}

const WORDS: Readonly<Record<LdapTrouble, string>> = {
  unreachable: 'the LDAP server cannot be reached',
  tls: 'no trusted TLS with the LDAP server',
  login: 'the LDAP server refuses the bind DN or its password',
  secret: 'the stored bind password does not open: it was sealed with another server key',
  base: 'the base DN is not there, or may not be seen',
  rights: 'the bind DN may not search',
  referral: 'the LDAP server refers to another one, which is not followed',
  busy: 'the LDAP server is too busy',
  late: 'the LDAP server does not answer in time',
  lost: 'the connection with the LDAP server broke off',
  refused: 'the LDAP server refuses the search',
};

/** Result codes of RFC 4511 §4.1.9 to a search. Active Directory says 1 to a search without login. */
const BY_CODE: Readonly<Record<number, LdapTrouble>> = { 1: 'rights', 3: 'busy', 8: 'rights', 10: 'referral', 11: 'busy', 13: 'rights', 32: 'base', 34: 'base', 50: 'rights', 51: 'busy', 52: 'busy' };

/** Whether another server of the directory may do better. */
export const isAway = ({ reason }: LdapFailed): boolean => ['unreachable', 'tls', 'login', 'busy', 'late', 'lost'].includes(reason);

export const detailOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replace(/[\p{Cc}\s]+/gu, ' ').slice(0, 300);

/** The result code of an error that the LDAP library made of one. */
export function resultCode(error: unknown): number | undefined {
  const { code } = error as { readonly code?: unknown };
  return error instanceof Error && typeof code === 'number' ? code : undefined;
}

/** @param phase what was asked for when it went wrong. @param open whether the connection still is. */
export function failureOf(error: unknown, server: string, phase: 'bind' | 'search', open: boolean): LdapFailed {
  const code = resultCode(error);
  if (code === undefined) {
    return new LdapFailed(/timed out/.test(detailOf(error)) ? 'late' : open ? 'refused' : 'lost', server, '');
  }
  const busy = BY_CODE[code] === 'busy';
  const words = detailOf(error).replace(/ ?Code: 0x[0-9a-f]+$/, '');
  return new LdapFailed(phase === 'bind' && !busy ? 'login' : (BY_CODE[code] ?? 'refused'), server, `result ${code}${words === '' ? '' : `: ${words}`}`);
}
