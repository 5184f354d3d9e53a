import { describe, expect, it } from '@jest/globals';
import type { Cause } from '@kiroku/domain/delivery/queue-events.js';
import { DEFAULT_RETRY, FRESH, PMAIL_TABLE, type RetryPolicy, schedule } from '@kiroku/domain/delivery/retry.js';
import { VERBS, whyIn } from './queue-words.js';

describe('why the next try is then', () => {
  const NOON = Date.UTC(2026, 0, 5, 3);
  const said = (cause: Cause, policy: Partial<RetryPolicy> = {}, age = 0, tries = 0): string =>
    schedule({ ...DEFAULT_RETRY, ...policy }, { ...FRESH, tries, ...(cause !== 'local' && { cause }), run: tries, since: NOON - age }, cause, { now: NOON, acceptedAt: NOON - age, chance: 0.5 }).why;

  it.each([
    [said('line', {}, 60_000, 2), '回線障害: 3 回目、次回は 270 秒後、8 時間で断念'],
    [said('no-answer'), '応答なし: 1 回目、次回は 120 秒後、1 日で断念'],
    [said('line', { line: 8 * 86_400_000 }), '回線障害: 1 回目、次回は 120 秒後、受付から 5 日で断念'],
    [said('line', { line: 90_000 }), '回線障害: 1 回目、次回は 90 秒後、90 秒で断念'],
    [said('refused'), '拒否: 1 回目、直ちに断念'],
    [said('refused', { refused: 2 }), '拒否: 1 回目、次回は 120 秒後、3 回で断念'],
    [said('line', { table: PMAIL_TABLE }), '回線障害: 1 回目/全 8 回、次回は 300 秒後'],
    [said('no-answer', { table: [5] }, 0, 1), '応答なし: 2 回目、2 回で断念'],
    [said('line', {}, 1_800_000 * 16, 9), '回線障害: 10 回目、8 時間で断念'],
    [said('line', {}, 5 * 86_400_000, 9), '回線障害: 10 回目、受付から 5 日で断念'],
    [said('local'), 'このサーバー側の障害: 回数に含めない、次回は 60 秒後'],
    ['retry requested', '再試行の要求'],
    ['new', '新規'],
  ])('"%s" is said in Japanese', (english, japanese) => {
    expect(whyIn('ja', english)).toBe(japanese);
    expect(whyIn('en', english)).toBe(english);
  });

  it.each(['', 'as it pleases', 'cause unknown: try 3', 'line fault: try 3, and then some', 'line fault: '])('stays as it is where nobody knows the words: "%s"', (why) =>
    expect(whyIn('ja', why)).toBe(why));
});

describe('the orders', () => {
  it('ask for two numbers in both languages', () => {
    for (const { ask } of Object.values(VERBS)) expect([ask.en.split('{}').length, ask.ja.split('{}').length]).toEqual([3, 3]);
  });
});
