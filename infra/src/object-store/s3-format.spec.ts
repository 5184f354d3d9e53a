import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PACKED_MAX } from './files-record.js';
import { decodeTail, type DirectoryEntry, encodeTail, FOOTER_BYTES, tailBytes, tailNeeded } from './s3-format.js';

const packed = fc.array(fc.record({ sha256: fc.stringMatching(/^[0-9a-f]{64}$/), size: fc.nat(PACKED_MAX), storedAt: fc.nat({ max: 2 ** 48 - 1 }) }), { maxLength: 20 });

function laidOut(bodies: readonly Omit<DirectoryEntry, 'offset'>[]): { readonly entries: DirectoryEntry[]; readonly size: number } {
  let offset = 0;
  const entries = bodies.map((body) => {
    const entry = { ...body, offset };
    offset += body.size;
    return entry;
  });
  return { entries, size: offset + tailBytes(entries.length) };
}

describe('the end of an object', () => {
  it('tells what the object holds', () =>
    fc.assert(
      fc.property(packed, (bodies) => {
        const { entries, size } = laidOut(bodies);
        const tail = encodeTail(entries);
        expect(tailNeeded(tail.subarray(-FOOTER_BYTES), size)).toBe(tail.length);
        expect(decodeTail(Buffer.concat([Buffer.alloc(9), tail]), size)).toEqual({ entries, damaged: 0 });
      }),
    ));

  it('holds a body of many gigabytes', () => {
    const entry = { sha256: 'ab'.repeat(32), size: 40_000_000_000, storedAt: 1_800_000_000_000, offset: 0 };
    expect(decodeTail(encodeTail([entry]), entry.size + tailBytes(1)).entries).toEqual([entry]);
  });

  it('is not believed for an object of another length', () => {
    const { entries, size } = laidOut([{ sha256: '00'.repeat(32), size: 5, storedAt: 1 }]);
    expect(tailNeeded(encodeTail(entries), size + 1)).toBeUndefined();
    expect(decodeTail(encodeTail(entries), size - 1)).toEqual({ entries: [], damaged: 0 });
  });

  it('with one byte changed never tells anything that was not so', () =>
    fc.assert(
      fc.property(packed, fc.nat(), fc.integer({ min: 1, max: 255 }), (bodies, where, by) => {
        const { entries, size } = laidOut(bodies);
        const tail = encodeTail(entries);
        const at = where % tail.length;
        tail.writeUInt8(tail.readUInt8(at) ^ by, at);
        const read = decodeTail(tail, size);
        expect(entries).toEqual(expect.arrayContaining([...read.entries]));
        if (at < tail.length - FOOTER_BYTES) expect([read.entries.length, read.damaged]).toEqual([entries.length - 1, 1]);
        else expect(tailNeeded(tail, size)).toBeUndefined();
      }),
    ));

  it('of whatever bytes is nothing', () =>
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expect(tailNeeded(Buffer.from(bytes), bytes.length)).toBeUndefined())));
});
