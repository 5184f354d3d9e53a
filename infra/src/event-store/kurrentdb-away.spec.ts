import { describe, expect, it } from '@jest/globals';
import { asAway, KurrentAway } from './kurrentdb-away.js';

describe('a start that KurrentDB did not answer', () => {
  it.each([
    Object.assign(new Error('14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED. Resolution note: '), { code: 14 }),
    Object.assign(new Error('x'), { type: 'unavailable' }), Object.assign(new Error('x'), { type: 'not-leader' }), Object.assign(new Error('x'), { code: 'ENOTFOUND' }),
    new Error('KurrentDB did not answer within 10000 ms'), new Error('Failed to discover after 10 attempts.'),
  ])('may be tried again: %s', (error) => {
    expect(asAway(error)).toBeInstanceOf(KurrentAway);
    expect((asAway(error) as Error).message).not.toContain('Resolution note');
  });

  it.each([
    Object.assign(new Error('14 UNAVAILABLE: self-signed certificate'), { code: 14 }), Object.assign(new Error('x'), { type: 'access-denied' }),
    new Error('this KurrentDB server is too old'), new Error('PostgreSQL has a copy of another history than the one in this KurrentDB'),
  ])('need not be tried again: %s', (error) => {
    expect(asAway(error)).toBe(error);
  });
});
