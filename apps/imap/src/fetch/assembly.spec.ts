import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Output } from '../output.js';
import { Assembly } from './assembly.js';

/** What a connection gets; a piece that is changed after it was written shows. */
function wire() {
  const pieces: { readonly data: Uint8Array; readonly copy: Buffer }[] = [];
  const write = (data: string | Uint8Array): void => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    pieces.push({ data: bytes, copy: Buffer.from(bytes) });
  };
  const output = new Output({ write, flush: () => undefined } as never);
  return { out: new Assembly(output), pieces, octets: () => Buffer.concat(pieces.map(({ data }) => data)) };
}

const pieces = fc.array(
  fc.oneof(
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 200 }),
    fc.nat(),
    fc.uint8Array({ maxLength: 3_000 }),
    fc.integer({ min: 3_000, max: 200_000 }).map((length) => 'y'.repeat(length)),
    fc.integer({ min: 3_000, max: 200_000 }).map((length) => new Uint8Array(length).fill(200)),
  ),
  { maxLength: 40 },
);

describe('an answer that is put together', () => {
  it('is what was put in, octet by octet', () => {
    fc.assert(fc.property(pieces, (parts) => {
      const { out, octets, pieces: written } = wire();
      for (const part of parts) {
        if (typeof part === 'string') out.text(part);
        else if (typeof part === 'number') out.number(part);
        else out.bytes(part);
      }
      out.send();
      const wanted = Buffer.concat(parts.map((part) => (part instanceof Uint8Array ? part : Buffer.from(String(part), 'latin1'))));
      expect(octets().equals(wanted)).toBe(true);
      expect(written.every(({ data, copy }) => copy.equals(data))).toBe(true);
    }), { numRuns: 60 });
  });

  it.each([0, 9, 10, 99, 100, 4_294_967_295, 4_294_967_296, Number.MAX_SAFE_INTEGER])('writes %d in decimal', (value) => {
    const { out, octets } = wire();
    out.number(value);
    out.send();
    expect(octets().toString()).toBe(String(value));
  });

  it('counts up the numbers of lines that are else the same', () =>
    fc.assert(fc.property(fc.nat(300), fc.array(fc.oneof(fc.nat(4_294_967_295), fc.string({ unit: 'grapheme-ascii', maxLength: 30 })), { maxLength: 5 }), (times, parts) => {
      const { out, octets } = wire();
      out.counted(times, parts);
      out.send();
      const lines = Array.from({ length: times }, (_, i) => parts.map((part) => (typeof part === 'number' ? part + i : part)).join(''));
      expect(octets().toString('latin1')).toBe(lines.join(''));
    }), { numRuns: 60 }));

  it('leaves in few pieces', () => {
    const { out, pieces: written } = wire();
    for (let i = 0; i < 20_000; i++) out.text(`* ${i} FETCH (FLAGS ())\r\n`);
    out.send();
    expect(written.length).toBeLessThan(12);
  });
});
