import { type Decider, Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { CREDENTIALS_NAME } from './gateway-table.js';

/** `any`: the strongest that the gateway offers. */
export const MECHANISMS = ['any', 'PLAIN', 'LOGIN', 'CRAM-MD5', 'XOAUTH2'] as const;
export type Mechanism = (typeof MECHANISMS)[number];

/** How to log in at a gateway. Stream `credentials-<name>`; every event but the last carries them whole. */
export interface GatewayCredentials {
  readonly name: string;
  readonly mechanism: Mechanism;
  readonly user: string;
  /** Password or access token, sealed with the server key for this stream: see docs/decisions/005. */
  readonly sealed: string;
  /** Epoch ms. */
  readonly createdAt: number;
}

export type CredentialsEvent =
  | Fact<'CredentialsAdded', GatewayCredentials>
  | Fact<'CredentialsChanged', GatewayCredentials & { readonly changed: readonly ('mechanism' | 'user' | 'secret')[] }>
  | Fact<'CredentialsRemoved', { readonly name: string }>;

export type CredentialsCommand =
  | { readonly type: 'AddCredentials'; readonly name: string; readonly mechanism: Mechanism; readonly user: string; readonly sealed: string; readonly now: number }
  | { readonly type: 'ChangeCredentials'; readonly mechanism?: Mechanism | undefined; readonly user?: string | undefined; readonly sealed?: string | undefined }
  /** Only together with `ForgetCredentials` of the gateway table, which refuses it while a row uses them. */
  | { readonly type: 'RemoveCredentials' };

export type CredentialsRefusal = 'bad-credentials' | 'credentials-exist' | 'no-such-credentials' | 'unknown-credentials';

const refuse = (reason: CredentialsRefusal, detail?: string): never => {
  throw new Refusal<CredentialsRefusal>(reason, detail);
};

export const credentialsStream = (name: string): string => `credentials-${name}`;

/** @throws Refusal `bad-credentials` */
export function credentialsName(text: string): string {
  const name = text.toLowerCase();
  return CREDENTIALS_NAME.test(name) ? name : refuse('bad-credentials', 'name: expected 1 to 64 of a-z, 0-9, dot, hyphen and underscore');
}

/** UTF-16 units; access tokens of the big providers have up to 4,000. */
export const LONGEST_USER = 255;
export const LONGEST_SECRET = 8_192;

/**
 * Control characters part the fields of PLAIN (NUL) and XOAUTH2 (^A).
 * @throws Refusal `bad-credentials`, which never repeats the secret.
 */
export const checkSecret = (secret: string): string =>
  secret !== '' && secret.length <= LONGEST_SECRET && isPlain(secret) ? secret : refuse('bad-credentials', `secret: expected 1 to ${LONGEST_SECRET} characters, no control characters`);

const checkUser = (user: string): string =>
  user !== '' && user.length <= LONGEST_USER && isPlain(user) ? user : refuse('bad-credentials', `user: expected 1 to ${LONGEST_USER} characters, no control characters`);

const isPlain = (text: string): boolean => text.isWellFormed() && !/\p{Cc}/u.test(text);

export type CredentialsState = GatewayCredentials | 'removed' | undefined;

/** Each of these names must be in use. @throws Refusal `unknown-credentials` */
export function requireCredentials(states: ReadonlyMap<string, CredentialsState>, names: readonly string[]): void {
  const missing = names.find((name) => typeof states.get(name) !== 'object');
  if (missing !== undefined) refuse('unknown-credentials', missing);
}

export const credentialsDecider: Decider<CredentialsCommand, CredentialsEvent, CredentialsState> = {
  initial: undefined,

  decide(command, state) {
    if (command.type === 'AddCredentials') {
      const { name, mechanism, user, sealed, now } = command;
      if (typeof state === 'object') return refuse('credentials-exist', name);
      return [{ type: 'CredentialsAdded', data: { name, mechanism, user: checkUser(user), sealed, createdAt: now } }];
    }
    if (command.type === 'RemoveCredentials' && state === 'removed') return [];
    if (typeof state !== 'object') return refuse('no-such-credentials');
    if (command.type === 'RemoveCredentials') return [{ type: 'CredentialsRemoved', data: { name: state.name } }];
    const { mechanism = state.mechanism, user = state.user, sealed = state.sealed } = command;
    const changed = [
      ...(mechanism === state.mechanism ? [] : (['mechanism'] as const)), ...(user === state.user ? [] : (['user'] as const)),
      ...(sealed === state.sealed ? [] : (['secret'] as const)),
    ];
    return changed.length === 0 ? [] : [{ type: 'CredentialsChanged', data: { ...state, mechanism, user: checkUser(user), sealed, changed } }];
  },

  evolve(_, { type, data }) {
    if (type === 'CredentialsRemoved') return 'removed';
    const { name, mechanism, user, sealed, createdAt } = data;
    return { name, mechanism, user, sealed, createdAt };
  },
};
