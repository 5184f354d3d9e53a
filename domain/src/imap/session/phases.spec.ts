import { describe, expect, it } from '@jest/globals';
import type { Verb } from '../grammar/commands.js';
import { mayExpunge, outOfOrder, type Phase } from './phases.js';

describe('the order of commands', () => {
  const cases: readonly (readonly [Phase, readonly Verb[], string | undefined])[] = [
    ['not-authenticated', ['CAPABILITY', 'NOOP', 'LOGOUT', 'ID', 'LOGIN', 'AUTHENTICATE', 'STARTTLS'], undefined],
    ['not-authenticated', ['SELECT', 'LIST', 'APPEND', 'IDLE', 'ENABLE', 'COMPRESS', 'NOTIFY', 'FETCH', 'CLOSE'], 'Log in first'],
    ['authenticated', ['SELECT', 'EXAMINE', 'LIST', 'APPEND', 'IDLE', 'ENABLE', 'UNAUTHENTICATE', 'GETACL'], undefined],
    ['authenticated', ['FETCH', 'STORE', 'SEARCH', 'SORT', 'THREAD', 'COPY', 'MOVE', 'EXPUNGE', 'CLOSE', 'UNSELECT', 'CHECK', 'REPLACE'], 'Select a mailbox first'],
    ['authenticated', ['LOGIN', 'AUTHENTICATE', 'STARTTLS'], 'Already logged in'],
    ['selected', ['FETCH', 'SELECT', 'LIST', 'IDLE', 'CLOSE', 'NOOP'], undefined],
    ['selected', ['LOGIN', 'STARTTLS'], 'Already logged in'],
  ];
  it.each(cases)('%s: %s', (phase, verbs, problem) => {
    for (const verb of verbs) expect([verb, outOfOrder(phase, verb)]).toEqual([verb, problem]);
  });

  it('knows no command after the end', () => {
    for (const verb of ['NOOP', 'LOGOUT', 'FETCH'] as const) expect(outOfOrder('logout', verb)).toBeDefined();
  });
});

describe('EXPUNGE responses', () => {
  it('are withheld while commands speak in sequence numbers', () => {
    for (const verb of ['FETCH', 'STORE', 'SEARCH', 'SORT', 'THREAD'] as const) expect([mayExpunge(verb, false), mayExpunge(verb, true)]).toEqual([false, true]);
  });

  it('are sent with all others', () => {
    for (const verb of ['NOOP', 'CHECK', 'COPY', 'MOVE', 'EXPUNGE', 'IDLE', 'APPEND', 'LIST'] as const) expect(mayExpunge(verb, false)).toBe(true);
  });
});
