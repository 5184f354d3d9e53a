import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Columns, packColumns, unpackColumns } from './packed.js';

const FLAG_SETS = [[], ['\\Seen'], ['\\Flagged', '\\Seen'], ['日本']];
/** Runs of neighbours, as mailboxes are made of them. */
const run = fc.record({ gap: fc.nat({ max: 3 }), length: fc.integer({ min: 1, max: 6 }), modSeq: fc.integer({ min: 1, max: 2 ** 50 }), step: fc.nat({ max: 1 }), set: fc.nat({ max: FLAG_SETS.length - 1 }) });
const columns = fc.array(run, { maxLength: 12 }).map((runs): Columns => {
  const [uids, modSeqs, flags]: [number[], number[], number[]] = [[], [], []];
  let uid = 1;
  for (const { gap, length, modSeq, step, set } of runs) {
    uid += gap;
    for (let i = 0; i < length; i++) {
      uids.push(uid++);
      modSeqs.push(modSeq + i * step);
      flags.push(set);
    }
  }
  return { uids: Uint32Array.from(uids), modSeqs: Float64Array.from(modSeqs), flags: Uint32Array.from(flags), flagSets: FLAG_SETS };
});
const said = ({ uids, modSeqs, flags, flagSets }: Columns) => Array.from(uids, (uid, i) => [uid, modSeqs[i], flagSets[flags[i] as number]]);

describe('packed columns', () => {
  it('say what was packed', () =>
    fc.assert(fc.property(columns, (given) => {
      const back = unpackColumns(packColumns(given));
      expect(back && said(back)).toEqual(said(given));
    }), { numRuns: 1_000 }));

  it('are small where messages came one after another', () => {
    const n = 100_000;
    const given = { uids: Uint32Array.from({ length: n }, (_, i) => i + 1), modSeqs: Float64Array.from({ length: n }, (_, i) => i + 2), flags: new Uint32Array(n), flagSets: [[]] };
    expect(packColumns(given).length).toBeLessThan(30);
  });

  it('are nothing where bytes are missing, added or changed, and never fail', () =>
    fc.assert(fc.property(columns, fc.nat(), fc.nat({ max: 255 }), (given, place, byte) => {
      const bytes = packColumns(given);
      expect(unpackColumns(bytes.subarray(0, place % bytes.length))).toBeUndefined();
      expect(unpackColumns(Uint8Array.of(...bytes, byte))).toBeUndefined();
      const other = bytes.slice();
      other[place % bytes.length] = byte;
      const back = unpackColumns(other);
      if (back) expect(back.uids.length).toBe(back.flags.length);
    }), { numRuns: 1_000 }));

  it('of another release are nothing', () => expect(unpackColumns(Uint8Array.of(2, 0, 2, 91, 93))).toBeUndefined());
});
