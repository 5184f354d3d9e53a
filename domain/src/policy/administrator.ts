import { type Decider, Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import type { Aggregate } from '../kernel/execute.js';

/**
 * Stream `administrator-<name>`: who may use the admin API. Tokens are kept as SHA-256 (hex) of 256 random bits, so the history
 * lets nobody in.
 */
export type AdministratorEvent =
  | Fact<'AdministratorAdded', { readonly name: string }>
  | Fact<'TokenIssued', { readonly name: string; readonly tokenId: string; readonly hash: string }>
  | Fact<'TokenRevoked', { readonly name: string; readonly tokenId: string }>
  | Fact<'AdministratorRemoved', { readonly name: string }>;

/** `by` names the token that asks; a system part has none. */
export type AdministratorCommand =
  /** A new administrator with a first token. */
  | { readonly type: 'AddAdministrator'; readonly name: string; readonly tokenId: string; readonly hash: string }
  | { readonly type: 'IssueToken'; readonly name: string; readonly tokenId: string; readonly hash: string }
  /** One token, or all of them. */
  | { readonly type: 'RevokeTokens'; readonly name: string; readonly tokenId?: string; readonly by?: string }
  | { readonly type: 'RemoveAdministrator'; readonly name: string; readonly by?: string }
  /** The token of the data folder's file, told at each start of the API. Revoked is revoked: a start does not bring it back. */
  | { readonly type: 'EnsureToken'; readonly name: string; readonly tokenId: string; readonly hash: string };

export type AdministratorRefusal =
  | 'bad-administrator-name'
  | 'administrator-exists'
  | 'unknown-administrator'
  | 'unknown-token'
  | 'own-token'
  | 'too-many-tokens';

export interface Administrator {
  readonly exists: boolean;
  readonly tokens: ReadonlyMap<string, string>;
  /** Hashes ever issued, also before a removal. */
  readonly hashes: ReadonlySet<string>;
}

const MOST_TOKENS = 20;
/** Safe in stream names, actors and logs. */
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;

export const administratorStream = (name: string): string => `administrator-${name}`;

const issued = (command: { readonly name: string; readonly tokenId: string; readonly hash: string }): AdministratorEvent => ({
  type: 'TokenIssued',
  data: { name: command.name, tokenId: command.tokenId, hash: command.hash },
});

export const administrator: Decider<AdministratorCommand, AdministratorEvent, Administrator> = {
  initial: { exists: false, tokens: new Map(), hashes: new Set() },

  decide(command, state) {
    if (!NAME.test(command.name)) throw new Refusal<AdministratorRefusal>('bad-administrator-name');
    const added: AdministratorEvent = { type: 'AdministratorAdded', data: { name: command.name } };
    switch (command.type) {
      case 'AddAdministrator':
        if (state.hashes.has(command.hash)) return [];
        if (state.exists) throw new Refusal<AdministratorRefusal>('administrator-exists', command.name);
        return [added, issued(command)];
      case 'EnsureToken':
        if (state.hashes.has(command.hash)) return [];
        return state.exists ? [issued(command)] : [added, issued(command)];
      case 'IssueToken':
        if (!state.exists) throw new Refusal<AdministratorRefusal>('unknown-administrator', command.name);
        if (state.hashes.has(command.hash)) return [];
        if (state.tokens.size >= MOST_TOKENS) throw new Refusal<AdministratorRefusal>('too-many-tokens', `at most ${MOST_TOKENS}`);
        return [issued(command)];
      case 'RevokeTokens':
        return revoke(command, state);
      case 'RemoveAdministrator':
        if (!state.exists) throw new Refusal<AdministratorRefusal>('unknown-administrator', command.name);
        refuseOwn(command, state, [...state.tokens.keys()]);
        return [{ type: 'AdministratorRemoved', data: { name: command.name } }];
    }
  },

  evolve(state, { type, data }) {
    switch (type) {
      case 'AdministratorAdded':
        return { ...state, exists: true };
      case 'TokenIssued':
        return { ...state, tokens: new Map(state.tokens).set(data.tokenId, data.hash), hashes: new Set(state.hashes).add(data.hash) };
      case 'TokenRevoked':
        return { ...state, tokens: new Map([...state.tokens].filter(([id]) => id !== data.tokenId)) };
      case 'AdministratorRemoved':
        return { ...state, exists: false, tokens: new Map() };
    }
  },
};

function revoke(
  command: Extract<AdministratorCommand, { type: 'RevokeTokens' }>,
  state: Administrator,
): readonly AdministratorEvent[] {
  const { name, tokenId } = command;
  if (!state.exists) throw new Refusal<AdministratorRefusal>('unknown-administrator', name);
  if (tokenId !== undefined && !state.tokens.has(tokenId)) throw new Refusal<AdministratorRefusal>('unknown-token', tokenId);
  const doomed = tokenId === undefined ? [...state.tokens.keys()] : [tokenId];
  refuseOwn(command, state, doomed);
  return doomed.map((id) => ({ type: 'TokenRevoked', data: { name, tokenId: id } }));
}

/** Nobody locks himself out, so somebody can always get in. */
function refuseOwn({ by }: { readonly by?: string }, { tokens }: Administrator, doomed: readonly string[]): void {
  if (by !== undefined && tokens.has(by) && doomed.includes(by)) throw new Refusal<AdministratorRefusal>('own-token');
}

export const administratorAggregate: Aggregate<AdministratorCommand, AdministratorEvent, Administrator> = { decider: administrator, upgrades: {} };
