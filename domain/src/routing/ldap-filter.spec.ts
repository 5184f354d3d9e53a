import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BadFilter, DEFAULT_FILTER, escapeValue, fillTemplate, type LdapFilter, LONGEST_FILTER, parseFilter, parseTemplate, printFilter } from './ldap-filter.js';

const filled = (template: string, address: string): string => printFilter(fillTemplate(parseTemplate(template), address));

describe('a filter for one recipient', () => {
  it('is the template with its places filled in', () => {
    expect(filled(DEFAULT_FILTER, 'ann@x.test')).toBe('(|(mail=ann@x.test)(proxyAddresses=smtp:ann@x.test))');
    expect(filled('(&(uid={local})(associatedDomain={domain}))', 'ann@x.test')).toBe('(&(uid=ann)(associatedDomain=x.test))');
    expect(filled('uid={local}', '"a b"@x.test')).toBe('(uid=a b)');
    expect(filled('(mail=*:{address}*)', 'ann@x.test')).toBe('(mail=*:ann@x.test*)');
  });

  it.each([
    ['*@x.test', '(mail=\\2a@x.test)'],
    ['a)(uid=*@x.test', '(mail=a\\29\\28uid=\\2a@x.test)'],
    ['a\\2a@x.test', '(mail=a\\5c2a@x.test)'],
    ['a\u0000@x.test', '(mail=a\\00@x.test)'],
    ['{local}{domain}@x.test', '(mail={local}{domain}@x.test)'],
    ['$&$1@x.test', '(mail=$&$1@x.test)'],
    ['アン@x.test', '(mail=アン@x.test)'],
  ])('holds the address %j as a value and nothing else', (address, text) => {
    expect(filled('(mail={address})', address)).toBe(text);
    expect(parseFilter(text)).toEqual({ kind: 'equal', attribute: 'mail', value: address });
  });

  it('has the shape of its template, and the address in every place, whatever the address', () => {
    const template = parseTemplate('(&(objectClass=user)(|(mail={address})(proxyAddresses=smtp:{address}))(!(cn:caseExactMatch:={address}))(x=a*{address}*b))');
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('*', '(', ')', '\\', '\0', '=', '{local}', '|', '&', '!', 'a', 'é', '$&') })), (address) => {
      const value = address.isWellFormed() && address !== '' ? address : 'x'; // no address is empty
      expect(parseFilter(printFilter(fillTemplate(template, value)))).toEqual({
        kind: 'and', of: [
          { kind: 'equal', attribute: 'objectClass', value: 'user' },
          { kind: 'or', of: [{ kind: 'equal', attribute: 'mail', value }, { kind: 'equal', attribute: 'proxyAddresses', value: `smtp:${value}` }] },
          { kind: 'not', of: { kind: 'matches', attribute: 'cn', dn: false, rule: 'caseExactMatch', value } },
          { kind: 'substrings', attribute: 'x', parts: ['a', value, 'b'] },
        ],
      });
    }));
  });

  it('escapes to what RFC 4515 lets a value have', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (value) => expect(escapeValue(value)).toMatch(/^(?:[^*()\\\0]|\\[0-9a-f]{2})*$/)));
  });
});

describe('the text of a filter', () => {
  const attribute = fc.constantFrom('mail', 'proxyAddresses', 'x;lang-ja', '1.2.840.113556');
  const value = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed());
  const { filter } = fc.letrec<{ filter: LdapFilter }>((tie) => ({
    filter: fc.oneof(
      { depthSize: 'small', maxDepth: 4 },
      fc.record({ kind: fc.constantFrom('equal', 'approx', 'at-least', 'at-most'), attribute, value }),
      fc.record({ kind: fc.constant('present'), attribute }),
      fc.tuple(attribute, value, fc.array(value.filter((v) => v !== ''), { maxLength: 3 }), value)
        .map(([name, first, middle, last]): LdapFilter => ({ kind: 'substrings', attribute: name, parts: [first, ...middle, last] }))
        .filter((f) => f.kind === 'substrings' && f.parts.join('') !== ''), // a lone star asks whether there is any value
      fc.record({ kind: fc.constant('matches'), attribute, dn: fc.boolean(), rule: fc.constantFrom('', '1.2.840.113556.1.4.803'), value }),
      fc.record({ kind: fc.constantFrom('and', 'or'), of: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ kind: fc.constant('not'), of: tie('filter') }),
    ),
  }));

  it('reads back as the same filter', () => {
    fc.assert(fc.property(filter, (written) => expect(parseFilter(printFilter(written))).toEqual(written)));
  });

  it('never makes the reader fail in any other way than by saying what is wrong', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('(', ')', '&', '|', '!', '=', '*', '\\', '2', 'a', ':', '~', '>', ' ', 'é') }), (text) => {
      try {
        parseFilter(text);
      } catch (error) {
        expect(error).toBeInstanceOf(BadFilter);
      }
    }));
  });

  it('may have white space between its parts', () =>
    expect(printFilter(parseFilter(' ( &\n  (a=1)\n  ( ! (b=2) )\n)\n'))).toBe('(&(a=1)(!(b=2)))'));

  it('has octets of UTF-8 behind its backslashes', () =>
    expect(parseFilter('(cn=\\c3\\a9t\\c3\\A9)')).toEqual({ kind: 'equal', attribute: 'cn', value: 'été' }));
});

describe('a template', () => {
  it.each([
    '', '()', '(mail={address}', '(mail={address}))', '(mail={address})(a=b)', '(&)', '(&a=b)', '(!(a={local})(b=c))', '({address}=mail)', '(mail {address})', '(:={address})', '(a=\\zz{address})',
    '(a=\\ff{address})', '(a=**{address})', '(a>=*{address})', '(mail=ann@x.test)', '(mail={adress})', '(a={address})(', `(mail={address}${'x'.repeat(LONGEST_FILTER)})`, `${'(!'.repeat(11)}(a={address})${')'.repeat(11)}`,
  ])('is not %j', (text) => expect(() => parseTemplate(text)).toThrow(BadFilter));

  it('may ask Active Directory by its own rules', () =>
    expect(filled('(&(mail={address})(!(userAccountControl:1.2.840.113556.1.4.803:=2)))', 'ann@x.test')).toBe('(&(mail=ann@x.test)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))'));
});
