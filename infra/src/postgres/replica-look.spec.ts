import { describe, expect, it } from '@jest/globals';
import { judge, type PrimaryFacts, type ReplicaFacts } from './replica-look.js';

const NOW = Date.UTC(2026, 0, 5);
const HOUR = 3_600_000;
const primary: PrimaryFacts = { system: '7', database: '5', written: 1_000, now: NOW };
const replica: ReplicaFacts = { system: '7', database: '5', following: true, readable: true, replayed: 1_000, lastCommit: NOW - HOUR };

describe('the lag of a replica', () => {
  it('is none when it has all that was written, however long ago the last commit was', () =>
    expect(judge(primary, replica)).toEqual({ kind: 'following', lag: 0 }));

  it('is none when it has received more since the primary was asked', () =>
    expect(judge(primary, { ...replica, replayed: 1_001 })).toEqual({ kind: 'following', lag: 0 }));

  it('is the age of the last commit that it has, by the clock of the primary', () =>
    expect(judge(primary, { ...replica, replayed: 999, lastCommit: NOW - 4_000 })).toEqual({ kind: 'following', lag: 4_000 }));

  it('is no longer than since it had everything: the primary may have been idle before', () =>
    expect(judge(primary, { ...replica, replayed: 999 }, 2_000)).toEqual({ kind: 'following', lag: 2_000 }));

  it('is unknown when it lacks something and has replayed no commit', () =>
    expect(judge(primary, { ...replica, replayed: 999, lastCommit: null })).toEqual({ kind: 'following', lag: Infinity }));

  it('is never negative', () =>
    expect(judge(primary, { ...replica, replayed: 999, lastCommit: NOW + 5 })).toEqual({ kind: 'following', lag: 0 }));
});

describe('a server that is no replica of this database', () => {
  it.each([
    ['another-server', { system: '8' }],
    ['another-server', { system: '8', following: false }],
    ['not-following', { following: false, replayed: null }],
    ['another-database', { database: '6' }],
    ['no-rights', { readable: false }],
  ] as const)('is told apart: %s', (problem, facts) => expect(judge(primary, { ...replica, ...facts })).toEqual({ kind: 'wrong', problem }));
});
