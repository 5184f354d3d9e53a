import { describe, expect, it } from '@jest/globals';
import { partitionOf } from '@kiroku/domain/kernel/event-log.js';
import { fixedClock, fixedIds, systemIds } from '../ids/ids.js';
import { idsInRuns } from './kafka-ids.js';

const PARTITIONS = 12;
const NOON = Date.UTC(2026, 10, 22, 12);

const partitionsOf = (ids: readonly string[]): ReadonlySet<number> => new Set(ids.map((id) => partitionOf(id, PARTITIONS)));

describe('queue ids of a server whose log is Kafka', () => {
  it('fall into one partition when they are made at the same time', () => {
    const ids = idsInRuns(systemIds(fixedClock(NOON)), PARTITIONS, () => 0);
    expect(partitionsOf(Array.from({ length: 100 }, () => ids.queueId())).size).toBe(1);
  });

  it('come through all partitions, each about as often', () => {
    let elapsed = 0;
    const ids = idsInRuns(fixedIds(), PARTITIONS, () => elapsed, 7);
    const runs = Array.from({ length: 1200 }, () => {
      elapsed += 200;
      return partitionOf(ids.queueId(), PARTITIONS);
    });
    const counts = Array.from({ length: PARTITIONS }, (_, partition) => runs.filter((its) => its === partition).length);
    expect(Math.min(...counts)).toBeGreaterThan(50);
    expect(Math.max(...counts)).toBeLessThan(150);
  });

  it('are different between processes as to where they go', () => {
    const ofProcess = (first: number) => {
      let elapsed = 0;
      const ids = idsInRuns(fixedIds(first), PARTITIONS, () => (elapsed += 200), first);
      return Array.from({ length: 20 }, () => partitionOf(ids.queueId(), PARTITIONS));
    };
    expect(ofProcess(1)).not.toEqual(ofProcess(2));
  });

  it('are still each another, and sort by their time', () => {
    const ids = idsInRuns(systemIds(fixedClock(NOON)), PARTITIONS, () => 0);
    const made = Array.from({ length: 2_000 }, () => ids.queueId());
    expect(new Set(made).size).toBe(made.length);
    expect(made.toSorted()).toEqual(made);
  });

  it('are given out also where there are more partitions than ids to choose from', () => {
    const ids = idsInRuns(systemIds(fixedClock(NOON)), 1_000_000, () => 0);
    expect(ids.queueId()).toMatch(/^[0-9A-HJKMNP-TV-Z]{15}$/);
  });
});
