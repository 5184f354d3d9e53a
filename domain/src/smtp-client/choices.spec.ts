import { describe, expect, it } from '@jest/globals';
import { chooseMechanism } from './login-choice.js';
import { isUsable } from './tlsa.js';
import { WORDS, words } from './words.js';

describe('the login mechanism', () => {
  it.each([
    ['any', ['CRAM-MD5', 'LOGIN', 'PLAIN'], true, 'PLAIN'],
    ['any', ['CRAM-MD5', 'LOGIN', 'PLAIN'], false, 'CRAM-MD5'],
    ['any', ['XOAUTH2', 'LOGIN'], true, 'LOGIN'],
    ['any', ['XOAUTH2', 'GSSAPI'], true, undefined],
    ['XOAUTH2', ['XOAUTH2', 'PLAIN'], true, 'XOAUTH2'],
    ['CRAM-MD5', ['PLAIN'], true, undefined],
  ] as const)('for %s out of %j, encrypted %s, is %s', (wanted, offered, encrypted, expected) => {
    expect(chooseMechanism(offered, { mechanism: wanted }, encrypted)).toBe(expected);
  });
  it.each([
    ['any', ['PLAIN', 'XOAUTH2', 'OAUTHBEARER'], 'OAUTHBEARER'],
    ['any', ['LOGIN', 'XOAUTH2'], 'XOAUTH2'],
    ['any', ['PLAIN', 'LOGIN', 'CRAM-MD5'], undefined],
    ['XOAUTH2', ['OAUTHBEARER', 'XOAUTH2'], 'XOAUTH2'],
    ['PLAIN', ['PLAIN'], undefined],
  ] as const)('for a token that is to go by %s, out of %j, is %s', (mechanism, offered, expected) => {
    expect(chooseMechanism(offered, { mechanism, token: true }, true)).toBe(expected);
  });
});

describe('a TLSA record', () => {
  const sha256 = 'ab'.repeat(32);
  it.each([
    [3, 1, 1, sha256, true],
    [2, 0, 2, 'ab'.repeat(64), true],
    [2, 0, 0, 'abcd', true],
    [0, 1, 1, sha256, false],
    [1, 1, 1, sha256, false],
    [4, 1, 1, sha256, false],
    [3, 2, 1, sha256, false],
    [3, 1, 3, sha256, false],
    [3, 1, 1, 'ab'.repeat(31), false],
    [3, 1, 2, sha256, false],
    [3, 0, 0, '', false],
    [3, 0, 0, 'xy', false],
  ])('%d %d %d %s is usable: %s', (usage, selector, matching, data, expected) => {
    expect(isUsable({ usage, selector, matching, data })).toBe(expected);
  });
});

describe("the client's own words", () => {
  it('are replies whose codes agree', () => {
    for (const text of Object.values(WORDS)) expect(text).toMatch(/^(?:4\d\d 4|5\d\d 5)\.\d+\.\d+ [ -~]+$/);
  });

  it('take a detail, printable and short', () => {
    expect(words('local')).toBe(WORDS.local);
    expect(words('local', 'a\r\nb')).toBe(`${WORDS.local}: a b`);
    expect(words('local', 'x'.repeat(999)).length).toBe(WORDS.local.length + 202);
  });
});
