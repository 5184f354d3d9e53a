import { createHash, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { TlsaRecord } from '@kiroku/domain/smtp-client/tlsa.js';
import { makeCertificate, type Pair } from '../rig/test-ca.js';
import { verifyDane } from './tls-verify.js';

const NOON = Date.UTC(2026, 5, 1, 12);
const DAY = 86_400_000;
const valid = { from: NOON - DAY, to: NOON + DAY };

const made: Record<string, X509Certificate> = {};
beforeAll(async () => {
  const pairs: Record<string, Pair> = {};
  const make = async (name: string, wish: Parameters<typeof makeCertificate>[0]) => {
    pairs[name] = await makeCertificate({ ...valid, ...wish });
    made[name] = new X509Certificate(pairs[name].cert);
  };
  await make('root', { commonName: 'root', ca: true });
  await make('middle', { commonName: 'middle', ca: true, issuer: pairs.root! });
  await make('leaf', { names: ['mx.y.test'], issuer: pairs.middle! });
  await make('wild', { names: ['*.y.test'], issuer: pairs.middle! });
  await make('nameless', { commonName: 'mx.y.test', issuer: pairs.middle! });
  await make('old', { names: ['mx.y.test'], issuer: pairs.middle!, to: NOON - 1000 });
  await make('own', { names: ['mx.y.test'] });
  await make('stranger', { commonName: 'middle', ca: true });
  await make('notCa', { commonName: 'not a CA', issuer: pairs.root! });
  await make('belowNotCa', { names: ['mx.y.test'], issuer: pairs.notCa! });
});

/** What a record about this certificate holds. */
function record(usage: number, selector: number, matching: number, name: string): TlsaRecord {
  const certificate = made[name]!;
  const bytes = selector === 0 ? certificate.raw : certificate.publicKey.export({ format: 'der', type: 'spki' });
  const value = matching === 0 ? bytes : createHash(matching === 1 ? 'sha256' : 'sha512').update(bytes).digest();
  return { usage, selector, matching, data: value.toString('hex') };
}
const judge = (chain: readonly string[], records: readonly TlsaRecord[], names: readonly string[] = ['mx.y.test'], now = NOON) =>
  verifyDane(chain.map((name) => made[name]!), names, records, now);

const SELECTORS = [0, 1] as const;
const MATCHINGS = [0, 1, 2] as const;
const ALL = SELECTORS.flatMap((selector) => MATCHINGS.map((matching) => [selector, matching] as const));
const UNTRUSTED = 'no TLSA record matches';

describe('DANE', () => {
  it.each(ALL)('3 %d %d is the server\'s own certificate, whatever its name and dates', (selector, matching) => {
    expect(judge(['leaf', 'middle'], [record(3, selector, matching, 'leaf')])).toBeUndefined();
    expect(judge(['old'], [record(3, selector, matching, 'old')], ['other.test'])).toBeUndefined();
    expect(judge(['leaf', 'middle'], [record(3, selector, matching, 'middle')])).toBe(UNTRUSTED);
  });

  it.each(ALL)('2 %d %d is one that vouches for it', (selector, matching) => {
    expect(judge(['leaf', 'middle', 'root'], [record(2, selector, matching, 'root')])).toBeUndefined();
    expect(judge(['leaf', 'middle', 'root'], [record(2, selector, matching, 'middle')])).toBeUndefined();
    expect(judge(['leaf', 'root', 'middle'], [record(2, selector, matching, 'root')])).toBeUndefined(); // sent in the wrong order
    expect(judge(['own'], [record(2, selector, matching, 'own')])).toBeUndefined();
    expect(judge(['leaf', 'middle', 'root'], [record(2, selector, matching, 'stranger')])).toBe(UNTRUSTED);
    expect(judge(['leaf', 'stranger'], [record(2, selector, matching, 'stranger')])).toBe(UNTRUSTED); // same name, did not sign
    expect(judge(['own', 'root'], [record(2, selector, matching, 'root')])).toBe(UNTRUSTED); // sent along, did not sign
    expect(judge(['belowNotCa', 'notCa', 'root'], [record(2, selector, matching, 'root')])).toBe(UNTRUSTED);
  });

  it.each(SELECTORS)('2 %d 0 need not be sent along', (selector) => {
    expect(judge(['leaf', 'middle'], [record(2, selector, 0, 'root')])).toBeUndefined();
    expect(judge(['leaf', 'middle'], [record(2, selector, 1, 'root')])).toBe(UNTRUSTED);
    expect(judge(['leaf', 'middle'], [record(2, selector, 0, 'stranger')])).toBe(UNTRUSTED);
  });

  it('with usage 2 minds names and dates', () => {
    const records = [record(2, 1, 1, 'root')];
    const chain = ['middle', 'root'];
    expect(judge(['leaf', ...chain], records, ['y.test'])).toBe('certificate is not for y.test');
    expect(judge(['leaf', ...chain], records, ['y.test', 'mx.y.test'])).toBeUndefined();
    expect(judge(['wild', ...chain], records)).toBeUndefined();
    expect(judge(['wild', ...chain], records, ['y.test'])).toBe('certificate is not for y.test');
    expect(judge(['wild', ...chain], records, ['a.mx.y.test'])).toBe('certificate is not for a.mx.y.test');
    expect(judge(['nameless', ...chain], records)).toBeUndefined();
    expect(judge(['old', ...chain], records)).toBe(UNTRUSTED);
    expect(judge(['leaf', ...chain], records, ['mx.y.test'], NOON + 2 * DAY)).toBe(UNTRUSTED);
  });

  it('passes over records that it cannot use, and one good record is enough', () => {
    expect(judge(['leaf'], [record(0, 0, 1, 'leaf'), record(1, 1, 1, 'leaf')])).toBe('no usable TLSA record');
    expect(judge(['leaf'], [])).toBe('no usable TLSA record');
    expect(judge(['leaf'], [record(3, 1, 1, 'own'), record(1, 0, 1, 'leaf'), { usage: 2, selector: 0, matching: 0, data: '00ff' }, record(3, 0, 2, 'leaf')])).toBeUndefined();
    expect(judge([], [record(3, 1, 1, 'leaf')])).toBe('no certificate');
  });
});
