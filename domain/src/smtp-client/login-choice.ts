import type { ClientCredentials } from './types.js';

export type Mechanism = Exclude<ClientCredentials['mechanism'], 'any'>;

/** Under TLS what asks least of the server; without, what does not show the password. */
const ENCRYPTED: readonly Mechanism[] = ['PLAIN', 'LOGIN', 'CRAM-MD5'];
const IN_PLAIN: readonly Mechanism[] = ['CRAM-MD5', 'PLAIN', 'LOGIN'];
/** The standard before its forerunner. A token goes by no other mechanism, and a password never by these unless they are asked for. */
const FOR_TOKENS: readonly Mechanism[] = ['OAUTHBEARER', 'XOAUTH2'];

/** @param offered upper case. @returns undefined when server and credentials have none in common. */
export function chooseMechanism(offered: readonly string[], { mechanism, token }: Pick<ClientCredentials, 'mechanism' | 'token'>, encrypted: boolean): Mechanism | undefined {
  const willing = token ? FOR_TOKENS : encrypted ? ENCRYPTED : IN_PLAIN;
  if (mechanism === 'any') return willing.find((known) => offered.includes(known));
  return offered.includes(mechanism) && (!token || willing.includes(mechanism)) ? mechanism : undefined;
}
