import { describe, expect, it } from '@jest/globals';
import type { Recorded } from '../kernel/event.js';
import { given } from '../kernel/given.js';
import { administrators } from './administrator-view.js';
import { administrator, type AdministratorEvent } from './administrator.js';

const name = 'ann';
const added: AdministratorEvent = { type: 'AdministratorAdded', data: { name } };
const token = (tokenId: string): AdministratorEvent => ({ type: 'TokenIssued', data: { name, tokenId, hash: `hash-${tokenId}` } });
const revoked = (tokenId: string): AdministratorEvent => ({ type: 'TokenRevoked', data: { name, tokenId } });
const removed: AdministratorEvent = { type: 'AdministratorRemoved', data: { name } };
const add = (tokenId: string, who = name) => ({ type: 'AddAdministrator', name: who, tokenId, hash: `hash-${tokenId}` }) as const;
const ensure = (tokenId: string) => ({ type: 'EnsureToken', name, tokenId, hash: `hash-${tokenId}` }) as const;

const history = given(administrator);

describe('an administrator', () => {
  it('is added with a first token', () => history().when(add('1')).then(added, token('1')));
  it('is not added twice', () => history(added, token('1')).when(add('2')).refuses('administrator-exists'));
  it('is added once when the same command comes again', () => history(added, token('1')).when(add('1')).thenNothing());
  it('can be added again after removal', () => history(added, token('1'), removed).when(add('2')).then(added, token('2')));
  it.each(['', 'Ann', 'a b', '../x', `${'a'.repeat(65)}`, 'ann-', 'a\n'])('is not called %j', (bad) => history().when(add('1', bad)).refuses('bad-administrator-name'));
  it('is removed by another', () => history(added, token('1')).when({ type: 'RemoveAdministrator', name, by: 'other' }).then(removed));
  it('does not remove himself', () => history(added, token('1')).when({ type: 'RemoveAdministrator', name, by: '1' }).refuses('own-token'));
  it('must be there to be removed', () => history().when({ type: 'RemoveAdministrator', name }).refuses('unknown-administrator'));
});

describe('a token', () => {
  it('is issued to an administrator', () => history(added).when({ type: 'IssueToken', name, tokenId: '2', hash: 'hash-2' }).then(token('2')));
  it('is not issued to a stranger', () => history().when({ type: 'IssueToken', name, tokenId: '2', hash: 'h' }).refuses('unknown-administrator'));
  it('is the twentieth at most', () => {
    const twenty = Array.from({ length: 20 }, (_, i) => token(`${i}`));
    history(added, ...twenty).when({ type: 'IssueToken', name, tokenId: '20', hash: 'hash-20' }).refuses('too-many-tokens');
    history(added, ...twenty.slice(1)).when({ type: 'IssueToken', name, tokenId: '20', hash: 'hash-20' }).then(token('20'));
  });
  it('is revoked alone', () => history(added, token('1'), token('2')).when({ type: 'RevokeTokens', name, tokenId: '2', by: '1' }).then(revoked('2')));
  it('is revoked with all others', () => history(added, token('1'), token('2')).when({ type: 'RevokeTokens', name, by: 'x' }).then(revoked('1'), revoked('2')));
  it('is not revoked by who is using it', () => history(added, token('1')).when({ type: 'RevokeTokens', name, by: '1' }).refuses('own-token'));
  it('must exist to be revoked', () => history(added).when({ type: 'RevokeTokens', name, tokenId: '9' }).refuses('unknown-token'));
});

describe('the token of the data folder', () => {
  it('makes the first administrator', () => history().when(ensure('1')).then(added, token('1')));
  it('is known at the next start', () => history(added, token('1')).when(ensure('1')).thenNothing());
  it('is a new one after its file was removed', () => history(added, token('1')).when(ensure('2')).then(token('2')));
  it('stays revoked', () => history(added, token('1'), revoked('1')).when(ensure('1')).thenNothing());
  it('does not bring a removed administrator back', () => history(added, token('1'), removed).when(ensure('1')).thenNothing());
});

describe('the view of administrators', () => {
  const fold = (...events: AdministratorEvent[]) =>
    events.reduce<ReturnType<typeof administrators.apply>>((row, event, i) => {
      const recorded: Recorded = { id: `${i}`, version: 1, at: 1_000 + i, actor: 'admin:bob', correlation: 'r', ...event };
      return administrators.apply(row ?? undefined, { position: i, key: '', event: recorded }, {});
    }, undefined);

  it('holds the tokens that let in', () => {
    expect(fold(added, token('1'), token('2'), revoked('1'))).toEqual({
      name, added_at: 1_000, tokens: JSON.stringify([{ id: '2', hash: 'hash-2', issuedAt: 1_002, issuedBy: 'admin:bob' }]),
    });
  });
  it('forgets who was removed', () => expect(fold(added, token('1'), removed)).toBeNull());
  it('knows every event of its stream', () => {
    const all: Record<AdministratorEvent['type'], true> = { AdministratorAdded: true, TokenIssued: true, TokenRevoked: true, AdministratorRemoved: true };
    expect([...administrators.types].sort()).toEqual(Object.keys(all).sort());
  });
});
