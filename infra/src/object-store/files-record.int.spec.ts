import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeHeader, encodeHeader, HEADER_BYTES, type Header, PACKED_MAX, scan } from './files-record.js';
import { sha256Of } from './parts.js';
import { bytesOf } from './test-bytes.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiroku-records-'));
});
afterAll(() => rm(folder, { recursive: true }));

function recordOf(body: Uint8Array): Buffer {
  const record = Buffer.alloc(HEADER_BYTES + body.length);
  encodeHeader({ sha256: sha256Of([body]), size: body.length, storedAt: 1_750_000_000_000 }, record, 0);
  record.set(body, HEADER_BYTES);
  return record;
}

async function scanned(segment: Uint8Array, from = 0): Promise<{ offset: number; sha256: string; body: string }[]> {
  await writeFile(join(folder, 'segment'), segment);
  const file = await open(join(folder, 'segment'));
  const found = [];
  for await (const { offset, sha256, body } of scan(file.fd, from)) found.push({ offset, sha256, body: Buffer.from(body).toString('hex') });
  await file.close();
  return found;
}

const bodyArb = fc.uint8Array({ maxLength: 200 });

describe('a record’s header', () => {
  it('reads back as written', () => {
    const header = fc.record<Header>({
      sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      size: fc.integer({ min: 0, max: PACKED_MAX }),
      storedAt: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    });
    fc.assert(
      fc.property(header, fc.integer({ min: 0, max: 9 }), (written, at) => {
        const buffer = Buffer.alloc(HEADER_BYTES + 9, 0xff);
        encodeHeader(written, buffer, at);
        expect(decodeHeader(buffer, at)).toEqual(written);
      }),
    );
  });

  it('with any bit changed is no header', () => {
    const header = recordOf(Buffer.from('x')).subarray(0, HEADER_BYTES);
    for (let bit = 0; bit < HEADER_BYTES * 8; bit++) {
      const changed = Buffer.from(header);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeHeader(changed, 0)).toBeUndefined();
    }
  });

  it('that promises more than a packed body may have is no header', () => {
    const header = Buffer.alloc(HEADER_BYTES);
    encodeHeader({ sha256: '00'.repeat(32), size: PACKED_MAX + 1, storedAt: 0 }, header, 0);
    expect(decodeHeader(header, 0)).toBeUndefined();
  });
});

describe('a segment', () => {
  it('torn at any byte of its last record holds exactly the records before', async () => {
    const records = [Buffer.alloc(0), bytesOf(100, 1), bytesOf(150, 2)].map(recordOf);
    const whole = Buffer.concat(records);
    const complete = await scanned(whole);
    expect(complete.map(({ offset }) => offset)).toEqual([0, 64, 228]);
    for (let length = 228; length < whole.length; length++) {
      expect(await scanned(whole.subarray(0, length))).toEqual(complete.slice(0, 2));
    }
  });

  it('torn anywhere holds exactly the complete records', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bodyArb, { maxLength: 8 }), fc.double({ min: 0, max: 1, noNaN: true }), async (bodies, share) => {
        const records = bodies.map(recordOf);
        const whole = Buffer.concat(records);
        const length = Math.floor(whole.length * share);
        const ends = records.map((_, i) => records.slice(0, i + 1).reduce((sum, r) => sum + r.length, 0));
        const expected = bodies.filter((_, i) => ends[i]! <= length).map((body) => Buffer.from(body).toString('hex'));
        expect((await scanned(whole.subarray(0, length))).map((r) => r.body)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('with one damaged byte loses no record but the one it is in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bodyArb, { minLength: 1, maxLength: 8 }), fc.nat(), async (bodies, where) => {
        const whole = Buffer.concat(bodies.map(recordOf));
        const complete = await scanned(whole);
        const at = where % whole.length;
        whole[at]! ^= 0x40;
        const hit = complete.findLast(({ offset }) => offset <= at);
        expect(await scanned(whole)).toEqual(complete.filter((record) => record !== hit));
      }),
      { numRuns: 60 },
    );
  });

  it('with a run of zeros in the middle, longer than a read, is read on behind it', async () => {
    const [first, last] = [recordOf(bytesOf(10, 3)), recordOf(bytesOf(20, 4))];
    const found = await scanned(Buffer.concat([first, Buffer.alloc(2_500_000), last]));
    expect(found.map(({ offset }) => offset)).toEqual([0, first.length + 2_500_000]);
  });

  it('can be read on from where the last reading stopped', async () => {
    const records = [bytesOf(PACKED_MAX, 5), bytesOf(PACKED_MAX, 6), bytesOf(7, 7)].map(recordOf);
    const found = await scanned(Buffer.concat(records), records[0]!.length);
    expect(found.map(({ sha256 }) => sha256)).toEqual([sha256Of([bytesOf(PACKED_MAX, 6)]), sha256Of([bytesOf(7, 7)])]);
  });
});
