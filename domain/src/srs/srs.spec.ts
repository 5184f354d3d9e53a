import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatAddress, parseAddress } from '../mail/address.js';
import { forward, looksRewritten, needsSrs, reverse, srsDomain, type Separator, type SrsKeys } from './srs.js';

const keysOf = (secret: string): SrsKeys => {
  const sign = (text: string): string => createHmac('sha256', secret).update(text).digest('base64url');
  return { sign, matches: (text, hash) => sign(text).toLowerCase().startsWith(hash.toLowerCase()) };
};
const keys = keysOf('secret');
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 5);

const rewritten = (sender: string, domain = 'fw.test', now = NOW): string => forward(sender, domain, now, keys) ?? `no rewriting of ${sender}`;

const atext = fc.constantFrom(..."abcXYZ019!#$%&'*+-/=?^_`{|}~.日");
const label = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/);
const domain = fc.tuple(label, label).map((l) => `${l[0]}.${l[1]}`);
const sender = fc.tuple(fc.array(atext, { minLength: 1, maxLength: 20 }).map((c) => c.join('')), domain)
  .map(([local, d]) => `${local}@${d}`).filter((a) => parseAddress(a) !== undefined && !looksRewritten(a));
const separator = fc.constantFrom<Separator>('=', '-', '+');
const instant = fc.integer({ min: NOW, max: NOW + 3000 * DAY });

describe('the sender of forwarded mail', () => {
  it('is rewritten to the forwarder, with hash, day, domain and local part', () => {
    expect(rewritten('Ann@Y.test')).toMatch(/^SRS0=[A-Za-z0-9_-]{6}=[A-Z2-7]{2}=y\.test=Ann@fw\.test$/);
  });

  it('comes back whole, whatever it was', () => {
    fc.assert(fc.property(sender, domain, separator, instant, (address, fw, sep, now) => {
      const there = forward(address, fw, now, keys, sep);
      fc.pre(there !== undefined);
      const parts = parseAddress(address);
      expect(reverse(there ?? '', now, keys)).toEqual({ kind: 'address', address: parts && formatAddress(parts) });
    }));
  });

  it('comes back through two more forwarders, which keep it short', () => {
    fc.assert(fc.property(sender, domain, separator, instant, (address, fw, sep, now) => {
      const first = forward(address, fw, now, keys, sep);
      const [k2, k3] = [keysOf('two'), keysOf('three')];
      const second = first && forward(first, 'b.test', now, k2, sep);
      const third = second && forward(second, 'c.test', now, k3, sep);
      fc.pre(third !== undefined);
      expect(third).toMatch(/^"?SRS1/);
      expect(reverse(second ?? '', now, k2)).toEqual({ kind: 'address', address: first });
      expect(reverse(third ?? '', now, k3)).toEqual({ kind: 'address', address: first }); // the second forwarder is left out
    }));
  });

  it('comes back from servers that change the case of addresses', () => {
    const there = rewritten('ann@y.test');
    for (const folded of [there.toLowerCase(), there.toUpperCase()])
      expect(reverse(folded, NOW, keys)).toMatchObject({ kind: 'address', address: expect.stringMatching(/^ann@y\.test$/i) });
  });

  it('is left alone where it would be too long for other servers, or is no domain name', () => {
    expect(forward(`${'a'.repeat(43)}@y.test`, 'fw.test', NOW, keys)).toBeUndefined();
    expect(parseAddress(rewritten(`${'a'.repeat(42)}@y.test`))?.local).toHaveLength(64);
    for (const odd of ['', 'ann', 'ann@[192.0.2.1]', 'a b@y.test', 'ann@y.test\r\nRCPT TO:<eve@z.test>']) expect(forward(odd, 'fw.test', NOW, keys)).toBeUndefined();
  });

  it('is rewritten for outside senders that an alias sends on, and nobody else', () => {
    const ours = (d: string): boolean => d === 'x.test';
    expect(needsSrs({ sender: 'ann@y.test', via: ['sales@x.test'], ours })).toBe(true);
    expect(needsSrs({ sender: 'ann@y.test', via: [], ours })).toBe(false);
    expect(needsSrs({ sender: 'Bob@X.TEST', via: ['sales@x.test'], ours })).toBe(false);
    expect(needsSrs({ sender: '', via: ['sales@x.test'], ours })).toBe(false);
    expect(needsSrs({ sender: 'ann@[192.0.2.1]', via: ['sales@x.test'], ours })).toBe(false);
    expect([srsDomain([]), srsDomain(['a@x.test', 'b@fw.test'])]).toEqual([undefined, 'fw.test']);
  });
});

describe('an address that somebody made up', () => {
  it('is refused when any character of a true one was changed', () => {
    fc.assert(fc.property(sender, instant, fc.nat(), fc.constantFrom(...'abz09_-=.+K\u212a'), (address, now, where, c) => {
      const there = forward(address, 'fw.test', now, keys);
      fc.pre(there !== undefined);
      const local = (there ?? '').slice(0, (there ?? '').lastIndexOf('@'));
      const at = where % local.length;
      const forged = `${local.slice(0, at)}${c}${local.slice(at + 1)}`;
      // The first separator is free, and case says nothing.
      const same = (t: string): string => t.replace(/^("?SRS0)[=+-]/i, '$1=').replace(/[A-Z]/g, (l) => l.toLowerCase());
      fc.pre(same(forged) !== same(local));
      expect(reverse(`${forged}@fw.test`, now, keys)?.kind).not.toBe('address');
    }), { numRuns: 500 });
  });

  it('is refused with the keys of somebody else, with a shorter hash, and with none', () => {
    const there = rewritten('ann@y.test');
    expect(reverse(there, NOW, keysOf('other'))).toEqual({ kind: 'refused', reason: 'wrong-hash' });
    expect(reverse(there.replace(/(SRS0=)(....)../, '$1$2'), NOW, keys)).toEqual({ kind: 'refused', reason: 'wrong-hash' });
    for (const bad of ['SRS0=@fw.test', 'SRS0=a=b=c=d@fw.test', 'SRS1=x@fw.test', 'SRS1=x=y.test=z@fw.test'])
      expect(reverse(bad, NOW, keys)).toEqual({ kind: 'refused', reason: 'malformed' });
  });

  it('never makes it fail', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      for (const address of [text, `SRS0=${text}@fw.test`, `SRS1=${text}`]) expect(['address', 'refused', undefined]).toContain(reverse(address, NOW, keys)?.kind);
    }));
  });

  it('is nothing special when it only looks a little like one', () => {
    for (const plain of ['ann@x.test', 'srs0@x.test', 'srs2=a@x.test', '']) expect(reverse(plain, NOW, keys)).toBeUndefined();
  });
});

describe('a rewritten address', () => {
  it('is good for 21 days, and a day before, since clocks differ', () => {
    const there = rewritten('ann@y.test');
    const kindAt = (days: number): string | undefined => reverse(there, NOW + days * DAY, keys)?.kind;
    expect([-2, -1, 0, 21, 22, 500].map(kindAt)).toEqual(['refused', 'address', 'address', 'address', 'refused', 'refused']);
  });

  it('is refused as expired across the turn of the day counter, too', () => {
    fc.assert(fc.property(instant, fc.integer({ min: 22, max: 1000 }), (now, days) => {
      expect(reverse(rewritten('ann@y.test', 'fw.test', now), now + days * DAY, keys)).toEqual({ kind: 'refused', reason: 'expired' });
    }));
  });
});
