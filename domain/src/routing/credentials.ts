import { type Decider, Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import { CREDENTIALS_NAME } from './gateway-table.js';
import { type KeptOAuthClient, type OAuthClient, oauthProblem, sameClient } from './oauth-client.js';

/** `any`: the strongest that the gateway offers. */
export const MECHANISMS = ['any', 'PLAIN', 'LOGIN', 'CRAM-MD5', 'XOAUTH2', 'OAUTHBEARER'] as const;
export type Mechanism = (typeof MECHANISMS)[number];
/** Those that a token may go by. */
const FOR_TOKENS: readonly Mechanism[] = ['any', 'XOAUTH2', 'OAUTHBEARER'];

/** How to log in at a gateway. Stream `credentials-<name>`; every event but `CredentialsRemoved` carries them whole. */
export interface GatewayCredentials {
  readonly name: string;
  readonly mechanism: Mechanism;
  readonly user: string;
  /** Password or fixed access token; with `oauth` the client's secrets. Sealed with the server key for this stream: see docs/decisions/005. */
  readonly sealed: string;
  /** Epoch ms. */
  readonly createdAt: number;
  /** Where access tokens come from; absent where the secret itself is sent. */
  readonly oauth?: KeptOAuthClient;
}

export type CredentialsEvent =
  | Fact<'CredentialsAdded', GatewayCredentials>
  | Fact<'CredentialsChanged', GatewayCredentials & { readonly changed: readonly ('mechanism' | 'user' | 'secret' | 'oauth')[] }>
  /** The authorization server gave another refresh token in exchange for the one before. */
  | Fact<'RefreshTokenReplaced', GatewayCredentials>
  | Fact<'CredentialsRemoved', { readonly name: string }>;

export type CredentialsCommand =
  | {
      readonly type: 'AddCredentials'; readonly name: string; readonly mechanism: Mechanism; readonly user: string; readonly sealed: string; readonly now: number;
      readonly oauth?: OAuthClient | undefined;
    }
  /** `oauth`: null = from now on a fixed secret; that, and another client, need `sealed` too. */
  | {
      readonly type: 'ChangeCredentials'; readonly mechanism?: Mechanism | undefined; readonly user?: string | undefined; readonly sealed?: string | undefined; readonly now: number;
      readonly oauth?: OAuthClient | null | undefined;
    }
  /** `used`: the sealed text whose refresh token was exchanged. Nothing happens when an administrator has set others meanwhile. */
  | { readonly type: 'ReplaceRefreshToken'; readonly used: string; readonly sealed: string }
  /** Only together with `ForgetCredentials` of the gateway table, which refuses it while a row uses them. */
  | { readonly type: 'RemoveCredentials' };

export type CredentialsRefusal = 'bad-credentials' | 'credentials-exist' | 'no-such-credentials' | 'unknown-credentials' | 'fixed-secret' | 'no-access-token';

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

/** @throws Refusal `bad-credentials` */
function checkOAuth(oauth: OAuthClient, mechanism: Mechanism): OAuthClient {
  const { tokenUrl, clientId, scope, grant } = oauth;
  const problem = oauthProblem(oauth) ?? (FOR_TOKENS.includes(mechanism) ? undefined : `mechanism: access tokens go by ${FOR_TOKENS.join(', ')}`);
  return problem === undefined ? { tokenUrl, clientId, scope, grant } : refuse('bad-credentials', problem);
}

type Change = Extract<CredentialsCommand, { readonly type: 'ChangeCredentials' }>;

/** The client after a change, undefined when there is none any more. @throws Refusal `bad-credentials` */
function clientAfter({ oauth, sealed, now }: Change, state: GatewayCredentials, mechanism: Mechanism): KeptOAuthClient | undefined {
  const before = state.oauth;
  const wish = oauth === undefined ? before : (oauth ?? undefined);
  // Who may change where secrets go could read them there: they are given anew.
  if (sealed === undefined && (wish === undefined) !== (before === undefined)) return refuse('bad-credentials', 'another kind of secret: give it too');
  if (sealed === undefined && wish && before && !sameClient(wish, before)) return refuse('bad-credentials', 'another token URL, client or grant: give the secrets too');
  if (!wish) return undefined;
  const checked = checkOAuth(wish, mechanism);
  const same = before !== undefined && sealed === undefined && checked.scope === before.scope;
  return { ...checked, setAt: same ? before.setAt : Math.max(now, (before?.setAt ?? 0) + 1) };
}

function change(command: Change, state: GatewayCredentials): readonly CredentialsEvent[] {
  const { mechanism = state.mechanism, user = state.user, sealed = state.sealed } = command;
  const { oauth: before, ...rest } = state;
  const oauth = clientAfter(command, state, mechanism);
  const changed = [
    ...(mechanism === state.mechanism ? [] : (['mechanism'] as const)), ...(user === state.user ? [] : (['user'] as const)),
    ...(sealed === state.sealed ? [] : (['secret'] as const)),
    ...(oauth === before || (oauth && before && sameClient(oauth, before) && oauth.scope === before.scope) ? [] : (['oauth'] as const)),
  ];
  if (changed.length === 0) return [];
  return [{ type: 'CredentialsChanged', data: { ...rest, mechanism, user: checkUser(user), sealed, ...(oauth && { oauth }), changed } }];
}

export const credentialsDecider: Decider<CredentialsCommand, CredentialsEvent, CredentialsState> = {
  initial: undefined,

  decide(command, state) {
    if (command.type === 'AddCredentials') {
      const { name, mechanism, user, sealed, oauth, now } = command;
      if (typeof state === 'object') return refuse('credentials-exist', name);
      const client = oauth && { ...checkOAuth(oauth, mechanism), setAt: now };
      return [{ type: 'CredentialsAdded', data: { name, mechanism, user: checkUser(user), sealed, createdAt: now, ...(client && { oauth: client }) } }];
    }
    if (command.type === 'ReplaceRefreshToken') {
      const mine = typeof state === 'object' && state.oauth?.grant === 'refresh-token' && state.sealed === command.used;
      return mine ? [{ type: 'RefreshTokenReplaced', data: { ...state, sealed: command.sealed } }] : [];
    }
    if (command.type === 'RemoveCredentials' && state === 'removed') return [];
    if (typeof state !== 'object') return refuse('no-such-credentials');
    if (command.type === 'RemoveCredentials') return [{ type: 'CredentialsRemoved', data: { name: state.name } }];
    return change(command, state);
  },

  evolve(_, { type, data }) {
    if (type === 'CredentialsRemoved') return 'removed';
    const { name, mechanism, user, sealed, createdAt, oauth } = data;
    return { name, mechanism, user, sealed, createdAt, ...(oauth && { oauth }) };
  },
};
