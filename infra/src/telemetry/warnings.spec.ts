import { describe, expect, it } from '@jest/globals';
import { certificateWarnings, diskWarnings, LITTLE_SPACE, NO_RESTARTS, replicaWarnings, restartWarnings } from './warnings.js';

const NOW = Date.UTC(2026, 0, 5);
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

describe('a process that is started again', () => {
  it('is worth a warning from the third time within ten minutes on', () => {
    const restarts = (...minutesAgo: number[]) => restartWarnings({ total: 9, lately: minutesAgo.map((m) => NOW - m * MINUTE) }, NOW);
    expect(restarts(9, 5, 1)).toEqual([{ kind: 'restarts', times: 3 }]);
    expect(restarts(9, 5)).toEqual([]);
    expect(restarts(10, 9, 1)).toEqual([]);
    expect(restartWarnings(NO_RESTARTS, NOW)).toEqual([]);
  });
});

describe('a certificate', () => {
  it('is spoken of when it ends within three weeks, or has ended', () => {
    const found = certificateWarnings([{ name: 'old', expiresAt: NOW - 1 }, { name: 'soon', expiresAt: NOW + 21 * DAY - 1 }, { name: 'good', expiresAt: NOW + 21 * DAY }], NOW);
    expect(found).toEqual([{ kind: 'certificate', name: 'old', expiresAt: NOW - 1 }, { kind: 'certificate', name: 'soon', expiresAt: NOW + 21 * DAY - 1 }]);
  });
});

describe('the disk', () => {
  it('is almost full below twice the reserve, and below 1 GiB in any case', () => {
    expect(diskWarnings(LITTLE_SPACE, 0)).toEqual([]);
    expect(diskWarnings(LITTLE_SPACE - 1, 0)).toEqual([{ kind: 'disk', freeBytes: LITTLE_SPACE - 1 }]);
    expect(diskWarnings(2 * LITTLE_SPACE, LITTLE_SPACE + 1)).toEqual([{ kind: 'disk', freeBytes: 2 * LITTLE_SPACE }]);
    expect(diskWarnings(Infinity, 0)).toEqual([]);
  });
});

describe('a replica for reports', () => {
  it('is spoken of when it is away, is none, or is further behind than it may be', () => {
    expect(replicaWarnings({ kind: 'following', lag: 30_000 }, 30_000)).toEqual([]);
    expect(replicaWarnings({ kind: 'following', lag: 30_600 }, 30_000)).toEqual([{ kind: 'replica', state: 'behind', behind: 31 }]);
    expect(replicaWarnings({ kind: 'following', lag: Infinity }, 30_000)).toEqual([{ kind: 'replica', state: 'behind', behind: -1 }]);
    expect(replicaWarnings({ kind: 'away', why: 'ECONNREFUSED' }, 30_000)).toEqual([{ kind: 'replica', state: 'away', detail: 'ECONNREFUSED' }]);
    expect(replicaWarnings({ kind: 'wrong', problem: 'not-following' }, 30_000)).toEqual([{ kind: 'replica', state: 'not-following' }]);
  });
});
