import type { ClientCredentials } from './types.js';

export type Mechanism = Exclude<ClientCredentials['mechanism'], 'any'>;

/** Under TLS what asks least of the server; without, what does not show the password. XOAUTH2 takes a token: only where it is asked for. */
const ENCRYPTED: readonly Mechanism[] = ['PLAIN', 'LOGIN', 'CRAM-MD5'];
const IN_PLAIN: readonly Mechanism[] = ['CRAM-MD5', 'PLAIN', 'LOGIN'];

/** @param offered upper case. @returns undefined when server and credentials have none in common. */
export function chooseMechanism(offered: readonly string[], wanted: ClientCredentials['mechanism'], encrypted: boolean): Mechanism | undefined {
  if (wanted !== 'any') return offered.includes(wanted) ? wanted : undefined;
  return (encrypted ? ENCRYPTED : IN_PLAIN).find((mechanism) => offered.includes(mechanism));
}
