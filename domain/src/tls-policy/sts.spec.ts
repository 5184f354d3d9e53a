import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseStsPolicy, stsIdOf, stsNames } from './sts.js';

describe('the MTA-STS record', () => {
  it.each([
    [['v=STSv1; id=20160831085700Z;'], '20160831085700Z'],
    [['v=STSv1;id=1'], '1'],
    [['v=STSv1 ;\tid=a1 ; '], 'a1'],
    [['v=STSv1; ext=x:y; id=7; id=8'], '7'],
    [['v=spf1 -all', 'v=STSv1; id=7'], '7'],
  ])('%j has an id', (texts, id) => expect(stsIdOf(texts)).toBe(id));

  it.each([
    [[]],
    [['v=spf1 -all']],
    [['v=STSv1']],
    [['v=STSv1;']],
    [['v=STSv1; id=']],
    [['v=STSv1; id=a-b']],
    [[`v=STSv1; id=${'a'.repeat(33)}`]],
    [['v=STSv2; id=7']],
    [['V=stsv1; id=7']],
    [[' v=STSv1; id=7']],
    [['v=STSv1; id=7;; x=y']],
    [['v=STSv1; nonsense; id=7']],
    [['v=STSv1; id=7; x=a=b']],
    [['v=STSv1; id=7', 'v=STSv1; id=7']],
    [[`v=STSv1; id=7; x=${'a'.repeat(5000)}`]],
  ])('%j counts as none', (texts) => expect(stsIdOf(texts)).toBeUndefined());

  it('never throws, whatever it is', () =>
    fc.assert(fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.string().map((s) => `v=STSv1; ${s}`))), (texts) => {
      const id = stsIdOf(texts);
      expect(id === undefined || /^[A-Za-z0-9]{1,32}$/.test(id)).toBe(true);
    })));
});

const lines = (...all: string[]): string => all.join('\r\n');

describe('an MTA-STS policy', () => {
  it.each([
    [lines('version: STSv1', 'mode: enforce', 'mx: mail.example.com', 'mx: *.Example.NET', 'max_age: 604800', ''),
      { mode: 'enforce', mx: ['mail.example.com', '*.example.net'], maxAge: 604_800 }],
    ['version:STSv1\nmode:testing\nmax_age:\t1 \nmx:  日本語.jp', { mode: 'testing', mx: ['xn--wgv71a119e.jp'], maxAge: 1 }],
    ['version: STSv1\nmode: none\nmax_age: 0', { mode: 'none', mx: [], maxAge: 0 }],
    ['max_age: 9999999999\nmode: none\nversion: STSv1', { mode: 'none', mx: [], maxAge: 31_557_600 }],
    ['version: STSv1\nmode: none\nmode: enforce\nmax_age: 5\nmax_age: x\nnew_key: anything at all', { mode: 'none', mx: [], maxAge: 5 }],
  ])('%j is read', (text, policy) => expect(parseStsPolicy(text)).toEqual({ policy }));

  it.each([
    ['', 'version'],
    ['version: STSv2\nmode: none\nmax_age: 1', 'version'],
    ['Version: STSv1\nmode: none\nmax_age: 1', 'version'],
    ['version: STSv1\nmode: Enforce\nmx: a.test\nmax_age: 1', 'mode'],
    ['version: STSv1\nmx: a.test\nmax_age: 1', 'mode'],
    ['version: STSv1\nmode: enforce\nmax_age: 1', 'without any mx'],
    ['version: STSv1\nmode: none', 'max_age'],
    ['version: STSv1\nmode: none\nmax_age: -1', 'max_age'],
    ['version: STSv1\nmode: none\nmax_age: 12345678901', 'max_age'],
    ['version: STSv1\nmode: enforce\nmx: a.test b.test\nmax_age: 1', 'line 3: mx'],
    ['version: STSv1\nmode: enforce\nmx: mx.*.test\nmax_age: 1', 'line 3: mx'],
    ['version: STSv1\nmode: enforce\nmx: *\nmax_age: 1', 'line 3: mx'],
    ['version: STSv1\nmode: enforce\nmx: 192.0.2.1\nmax_age: 1', 'line 3: mx'],
    ['<html>\n<body>Not found</body>', 'line 1'],
    ['version: STSv1\nmode: none\nmax_age: 1\nx: \u0000', 'control'],
    [`version: STSv1\nmode: none\nmax_age: 1\nx: ${'x'.repeat(65_536)}`, 'longer'],
  ])('%j is refused in words', (text, problem) => expect(parseStsPolicy(text)).toEqual({ problem: expect.stringContaining(problem) }));

  it('never throws, whatever it is', () => {
    const key = fc.constantFrom('version', 'mode', 'mx', 'max_age', 'x');
    const value = fc.oneof(fc.constantFrom('STSv1', 'none', 'enforce', 'a.test', '*.a.test', '5'), fc.string({ unit: 'binary' }));
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.tuple(key, value)).map((all) => all.map((l) => l.join(': ')).join('\n'))), (text) => {
      const parsed = parseStsPolicy(text);
      if ('problem' in parsed) expect(parsed.problem).not.toBe('');
      else expect(parsed.policy.maxAge).toBeLessThanOrEqual(31_557_600);
    }));
  });

  it('is read back from what it says', () => {
    const mx = fc.domain().map((d) => d.toLowerCase()).chain((d) => fc.constantFrom(d, `*.${d}`));
    fc.assert(fc.property(fc.constantFrom('enforce', 'testing'), fc.array(mx, { minLength: 1 }), fc.nat(31_557_600), (mode, patterns, maxAge) => {
      const text = lines('version: STSv1', `mode: ${mode}`, ...patterns.map((p) => `mx: ${p}`), `max_age: ${maxAge}`);
      expect(parseStsPolicy(text)).toEqual({ policy: { mode, mx: patterns, maxAge } });
    }));
  });

  it.each([
    [['mx.x.test'], 'mx.x.test', true],
    [['mx.x.test'], 'mx2.x.test', false],
    [['*.x.test'], 'mx.x.test', true],
    [['*.x.test'], 'a.mx.x.test', false],
    [['*.x.test'], 'x.test', false],
    [['*.x.test'], 'mx.evilx.test', false],
    [['other.test', '*.x.test'], 'mx.x.test', true],
    [['*.test'], 'test', false],
    [[], 'mx.x.test', false],
  ])('with mx %j names %s: %s', (mx, host, named) => expect(stsNames({ mx }, host)).toBe(named));
});
