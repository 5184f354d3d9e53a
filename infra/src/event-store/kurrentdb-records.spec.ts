import { describe, expect, it } from '@jest/globals';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import fc from 'fast-check';
import { keptOf, type KurrentRecord, recordOf, StreamNames } from './kurrentdb-records.js';

const names = new StreamNames('kiroku');

describe('the name of a stream in KurrentDB', () => {
  it.each([
    ['mailbox-0192f0c1-7000', 'kiroku.mailbox-0192f0c1-7000'],
    ['address-ann@x.test', 'kiroku.address-ann_040x.test'],
    ['message-1QX', 'kiroku.message-1_q_x'],
    ['a_b', 'kiroku.a_05fb'],
    ['é', 'kiroku._0c3_0a9'],
  ])('of %s is %s', (stream, name) => {
    expect(names.nameOf(stream)).toBe(name);
    expect(names.streamOf(name)).toBe(stream);
  });

  it('has only characters that the server takes, and gives back the stream, whatever it was', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (stream) => {
      const name = names.nameOf(stream);
      expect(name).toMatch(/^[a-z0-9_.-]+$/);
      expect(names.streamOf(name)).toBe(stream);
    }));
  });

  it('differs in more than case where the streams differ', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (one, other) => {
      expect(names.nameOf(one).toLowerCase() === names.nameOf(other).toLowerCase()).toBe(one === other);
    }));
    expect(names.nameOf('A')).not.toBe(names.nameOf('a'));
  });

  it('is never that of the order of appends', () => {
    expect(names.streamOf(names.order)).toBeUndefined();
    fc.assert(fc.property(fc.string(), (stream) => names.nameOf(stream) !== names.order));
    expect(names.nameOf('_order')).not.toBe(names.order);
  });

  it('is of nobody else', () => {
    for (const name of ['orders-1', '$all', '$$kiroku.a', 'kirokux.a', 'kiroku', 'kiroku.a_']) expect(names.streamOf(name)).toBeUndefined();
  });

  it('begins with a prefix that the server takes', () => {
    for (const prefix of ['', 'Kiroku', 'a.b', 'a_b', '$a', 'a'.repeat(62)]) expect(() => new StreamNames(prefix)).toThrow(RangeError);
  });
});

describe('an event in KurrentDB', () => {
  /** As the server gives back what it was given: data and metadata went through JSON. */
  const storedAs = (event: Recorded, batch: number, revision = 4): KurrentRecord => ({
    ...(JSON.parse(JSON.stringify(recordOf(event, batch))) as ReturnType<typeof recordOf>), stream: names.nameOf('box-1'), revision, position: { commit: 9, prepare: 9 },
  });
  const event: Recorded = { id: '0192f0c1-0000-7000-8000-000000000001', type: 'Noted', version: 2, at: 1_767_571_200_000, actor: 'system:test', correlation: 'c', data: { n: 1 } };

  it('comes back as it was, with its place', () => {
    expect(keptOf(storedAs(event, 7), names)).toEqual({ batch: 7, stream: 'box-1', version: 5, event });
    expect(keptOf(storedAs({ ...event, causation: 'x' }, 7), names)?.event).toEqual({ ...event, causation: 'x' });
    expect(keptOf(storedAs(event, 7), names)?.event).not.toHaveProperty('causation');
  });

  it('comes back as it was, whatever it says', () => {
    const anyEvent = fc.record({
      id: fc.uuid(), type: fc.constantFrom('Noted', 'Counted'), version: fc.integer({ min: 1, max: 99 }), at: fc.maxSafeNat(), actor: fc.string(), correlation: fc.string(), data: fc.jsonValue(),
    });
    fc.assert(fc.property(anyEvent, fc.integer({ min: 1 }), (any, batch) => {
      expect(keptOf(storedAs(any, batch), names)?.event).toEqual({ ...any, data: JSON.parse(JSON.stringify(any.data)) as unknown });
    }));
  });

  it('has text only in its metadata', () => {
    expect(Object.values(recordOf({ ...event, causation: 'x' }, 3).metadata).map((value) => typeof value)).toEqual(Array.from({ length: 6 }, () => 'string'));
  });

  it('is nobody’s when its metadata are not ours', () => {
    const record = storedAs(event, 7);
    for (const metadata of [undefined, null, {}, [], 'x', { ...(record.metadata as object), batch: '0' }, { ...(record.metadata as object), at: 'noon' }, { ...(record.metadata as object), actor: 1 }])
      expect(keptOf({ ...record, metadata }, names)).toBeUndefined();
    expect(keptOf({ ...record, stream: 'orders-1' }, names)).toBeUndefined();
  });
});
