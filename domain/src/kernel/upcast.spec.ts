import { describe, expect, it } from '@jest/globals';
import { upcast, type Upgrades, versionOf } from './upcast.js';

describe('an event with a past', () => {
  const upgrades: Upgrades = {
    MessageHeld: [
      ({ approver, ...rest }: { approver: string }) => ({ ...rest, approvers: [approver] }),
      (held: object) => ({ ...held, reason: 'unknown' }),
    ],
  };
  const stored = (version: number, data: unknown) => ({ type: 'MessageHeld', version, data });

  it('is written in its newest version', () => {
    expect(versionOf('MessageHeld', upgrades)).toBe(3);
    expect(versionOf('NeverChanged', upgrades)).toBe(1);
  });

  it('is brought to the newest shape from any older one', () => {
    expect(upcast(stored(1, { approver: 'ann', n: 1 }), upgrades)).toEqual(stored(3, { approvers: ['ann'], n: 1, reason: 'unknown' }));
    expect(upcast(stored(2, { approvers: ['ann'] }), upgrades)).toEqual(stored(3, { approvers: ['ann'], reason: 'unknown' }));
  });

  it('is left as it is when it has the newest shape', () => {
    const event = stored(3, { approvers: [] });
    expect(upcast(event, upgrades)).toBe(event);
    expect(upcast({ type: 'NeverChanged', version: 1, data: 7 }, upgrades).data).toBe(7);
  });

  it('is refused when a newer program wrote it', () => {
    expect(() => upcast(stored(4, {}), upgrades)).toThrow(RangeError);
    expect(() => upcast({ type: 'NeverChanged', version: 2, data: 0 }, upgrades)).toThrow('newer than this program');
  });
});
