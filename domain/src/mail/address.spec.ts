import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonical, canonicalDomain, domainOf, isLiteral, isWildcard, parseAddress, parseWildcard, splitTag } from './address.js';

const local = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]{1,64}$/),
  fc.stringMatching(/^"([ !#-[\]-~]|\\[ -~]){1,30}"$/),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
);
const domain = fc.oneof(
  fc.domain(),
  fc.constantFrom('日本語.jp', 'BÜCHER.test', 'faß.de', 'ａ。ｂ', '[192.0.2.1]', '[IPv6:2001:DB8::1]', '1.2.3.4', '127。1'),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
);
const address = fc.tuple(local, domain).map((parts) => parts.join('@'));

describe('an address', () => {
  it.each([
    ['Ann@X.Test', 'ann@x.test'],
    ['"ann"@x.test', 'ann@x.test'],
    ['"an\\n"@x.test', 'ann@x.test'],
    ['"Ann Lee"@x.test', '"ann lee"@x.test'],
    ['"a\\"b\\\\c"@x.test', '"a\\"b\\\\c"@x.test'],
    ['"a@b"@x.test', '"a@b"@x.test'],
    ['a..b@docomo.test', '"a..b"@docomo.test'],
    ['a.@docomo.test', '"a."@docomo.test'],
    ['ann@Bücher.TEST', 'ann@xn--bcher-kva.test'],
    ['ann@XN--BCHER-KVA.test', 'ann@xn--bcher-kva.test'],
    ['花子@日本語.jp', '花子@xn--wgv71a119e.jp'],
    ['JOSE\u0301@x.test', 'josé@x.test'],
    ['ann@ｅｘ。ｊｐ', 'ann@ex.jp'],
    ['ann@X_y.test', 'ann@x_y.test'],
    ['ann@[192.0.2.1]', 'ann@[192.0.2.1]'],
    ['ann@[IPV6:2001:DB8:0::1]', 'ann@[ipv6:2001:db8::1]'],
    ['ann@[IPv6:::ffff:192.0.2.1]', 'ann@[192.0.2.1]'],
  ])('%s is known as %s', (written, known) => expect(canonical(written)).toBe(known));

  it.each([
    '', '@', 'ann', '@x.test', 'ann@', 'ann @x.test', 'a\u0000b@x.test', 'ann@x..test', 'ann@x.test.', 'ann@-x.test', 'ann@x-.test',
    'ann@1.2.3.4', 'ann@127.1', 'ann@x%41.test', 'ann@é/x', 'ann@é:80', 'ann@é?', 'ann@é#', 'ann@é\t.jp', 'u@é@', 'ann@a／b', '""@x.test', '"a@x.test',
    '"a"b@x.test', '"a\r\nb"@x.test', 'a\u2028b@x.test', '\ud800@x.test', 'ann@\ud800.test', 'ann@[192.0.2]', 'ann@[2001:db8::1]', 'ann@[IPv6:192.0.2.1]',
    'ann@[IPv6:fe80::1%eth0]', 'ann@[x-tag:y]', 'Ann <ann@x.test>', 'a,b@x.test', 'ann(comment)@x.test',
  ])('is not %j', (text) => expect(canonical(text)).toBeUndefined());

  it('has 64 octets of local part at most, counted in UTF-8', () => {
    expect(canonical(`${'a'.repeat(64)}@x.test`)).toBeDefined();
    expect(canonical(`${'a'.repeat(65)}@x.test`)).toBeUndefined();
    expect(canonical(`${'é'.repeat(32)}@x.test`)).toBeDefined();
    expect(canonical(`${'é'.repeat(33)}@x.test`)).toBeUndefined();
  });

  it('has 63 octets in a label and 254 in all at most', () => {
    const labels = (n: number) => Array<string>(n).fill('x'.repeat(62)).join('.');
    expect(canonical(`ann@${'x'.repeat(63)}.test`)).toBeDefined();
    expect(canonical(`ann@${'x'.repeat(64)}.test`)).toBeUndefined();
    expect(canonical(`${'a'.repeat(2)}@${labels(3)}.${'x'.repeat(62)}`)).toHaveLength(254);
    expect(canonical(`${'a'.repeat(3)}@${labels(3)}.${'x'.repeat(62)}`)).toBeUndefined();
  });

  it('keeps the written case of its local part apart from the canonical form', () =>
    expect(parseAddress('"Ann Lee"@X.test')).toEqual({ local: 'Ann Lee', domain: 'x.test' }));

  it('is its own canonical form once it is canonical', () =>
    fc.assert(
      fc.property(address, (text) => {
        const once = canonical(text);
        if (once !== undefined) expect(canonical(once)).toBe(once);
      }),
      { numRuns: 2000 },
    ));

  it.each(['Ann.Lee+X@Example.Test', '"A b"@Example.Test', 'ΑΝΝΑΣ@x.test', 'ЁЖИК@x.test', 'ÉTÉ@BÜCHER.test'])('is %s in any case', (text) => {
    expect(canonical(text.toLowerCase())).toBe(canonical(text));
    expect(canonical(text.toUpperCase())).toBe(canonical(text));
  });

  it('is the same in any case of ASCII', () =>
    fc.assert(
      fc.property(address, (text) => {
        fc.pre(!text.includes('\\'));
        const upper = text.replace(/[a-z]/g, (c) => c.toUpperCase());
        const lower = text.replace(/[A-Z]/g, (c) => c.toLowerCase());
        expect(canonical(upper)).toBe(canonical(lower));
      }),
    ));

  it('is refused, not thrown at, when it is rubbish', () =>
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string().map((s) => `a@${s}`)), (text) => void canonical(text)), { numRuns: 1000 }));

  it('never carries a control character or line end', () =>
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (noise) => expect(canonical(`a${noise}b@x.test`) ?? '').not.toMatch(/\p{Cc}|\p{Zl}|\p{Zp}/u))));
});

describe('a domain', () => {
  it('is taken with one label or many', () => {
    expect(canonicalDomain('LocalHost')).toBe('localhost');
    expect(canonicalDomain('a.b.c.d.test')).toBe('a.b.c.d.test');
  });
  it('is found in its address', () => {
    expect(domainOf('"a@b"@x.test')).toBe('x.test');
    expect(isLiteral(domainOf('ann@[192.0.2.1]'))).toBe(true);
  });
});

describe('a tag', () => {
  it.each([
    ['ann+news@x.test', '+', 'ann@x.test'],
    ['ann+a+b@x.test', '+', 'ann@x.test'],
    ['ann-a+b@x.test', '+-', 'ann@x.test'],
    ['"ann lee+x"@x.test', '+', '"ann lee"@x.test'],
    ['"ann+x y"@x.test', '+', 'ann@x.test'],
    ['ann@x.test', '+', undefined],
    ['+ann@x.test', '+', undefined],
    ['ann+news@x.test', '', undefined],
    ['ann@x+y.test', '+', undefined],
  ])('of %s by %j leaves %s', (text, separators, rest) => expect(splitTag(text, separators)).toBe(rest));

  it('leaves a canonical address', () =>
    fc.assert(
      fc.property(address, (text) => {
        const rest = splitTag(canonical(text) ?? '', '+-.');
        if (rest !== undefined) expect(canonical(rest)).toBe(rest);
      }),
    ));
});

describe('a wildcard', () => {
  it('stands for the end of a local part', () => {
    expect(parseWildcard('*@x.test')).toEqual({ prefix: '', domain: 'x.test' });
    expect(parseWildcard('sales*@x.test')).toEqual({ prefix: 'sales', domain: 'x.test' });
    expect(isWildcard('sales*@x.test')).toBe(true);
  });
  it.each(['ann@x.test', '*ann@x.test', '**@x.test', '"a b*"@x.test', 'a*b*@x.test'])('is not %s', (text) => expect(parseWildcard(text)).toBeUndefined());
});
