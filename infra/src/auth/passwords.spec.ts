import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkPassword, hashPassword, impossibleHash, impossibleScramKeys, preparePassword, scramKeys, verifyPassword } from './passwords.js';

describe('a password', () => {
  it.each([
    ['one character', 'x'],
    ['128 characters', 'x'.repeat(128)],
    ['256 bytes', 'é'.repeat(128)],
    ['spaces and umlauts', ' correct hörse '],
    ['emoji', '🐎🔋'],
  ])('may be %s', (_, password) => expect(checkPassword(password)).toBe(password));

  it.each([
    ['empty', ''],
    ['129 characters', 'x'.repeat(129)],
    ['257 bytes', 'é'.repeat(127) + '€'],
    ['with a control character', 'a\tb'],
    ['with NUL', 'a\0b'],
    ['with DEL', 'a\x7f'],
    ['with a line separator', 'a\u2028b'],
    ['only invisible', '\u200b'],
    ['broken UTF-16', '\ud800'],
    ['endless', 'x'.repeat(1e6)],
  ])('is refused when %s', (_, password) => expect(() => checkPassword(password)).toThrow('bad-password'));

  it('is the same from every keyboard (RFC 4013 §3)', () => {
    expect(preparePassword('I\u00adX')).toBe('IX');
    expect(preparePassword('\u00aa')).toBe('a');
    expect(preparePassword('\u2168')).toBe('IX');
    expect(preparePassword('a\u00a0b')).toBe('a b');
    expect(preparePassword('\u0007')).toBeUndefined();
  });

  it('is prepared once and for all', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 150 }), (text) => {
        const prepared = preparePassword(text);
        if (prepared !== undefined && !prepared.includes('\u00ad')) expect(preparePassword(prepared)).toBe(prepared);
      }),
    ));
});

describe('a password hash', () => {
  it('fits its password only, names its costs and never repeats', async () => {
    const [a, b] = await Promise.all([hashPassword('correct horse'), hashPassword('correct horse')]);
    expect(a).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(a).not.toBe(b);
    expect(await verifyPassword(a, 'correct horse')).toBe(true);
    expect(await verifyPassword(a, 'correct horsf')).toBe(false);
  });

  it('made where Node has no argon2 is understood', async () => {
    // scrypt of 'pleaseletmein' with N = 2^14, r = 8, p = 1: RFC 7914 §12, cut to 32 bytes.
    const key = Buffer.from('7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2', 'hex').toString('base64').replace(/=+$/, '');
    const salt = Buffer.from('SodiumChloride').toString('base64').replace(/=+$/, '');
    expect(await verifyPassword(`$scrypt$ln=14,r=8,p=1$${salt}$${key}`, 'pleaseletmein')).toBe(true);
  });

  it('that nobody has is checked like any other', async () => expect(await verifyPassword(impossibleHash(), '')).toBe(false));

  it.each(['', 'plain', '$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA', '$2b$10$abc'])(
    'of an unknown form is an error: %j',
    (hash) => expect(verifyPassword(hash, 'x')).rejects.toThrow('unknown form'),
  );
});

describe('SCRAM keys', () => {
  it('are those of RFC 7677 §3', async () => {
    const keys = await scramKeys('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096);
    expect(keys).toEqual({
      salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
      iterations: 4096,
      storedKey: 'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=',
      serverKey: 'wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    });
  });

  it('of an unknown login are constant, of the usual shape, and different for each login and installation', async () => {
    const secret = Buffer.alloc(32, 1);
    const keys = impossibleScramKeys(secret, 'eve@x.test');
    expect(impossibleScramKeys(secret, 'eve@x.test')).toEqual(keys);
    expect(impossibleScramKeys(secret, 'ann@x.test').salt).not.toBe(keys.salt);
    expect(impossibleScramKeys(Buffer.alloc(32, 2), 'eve@x.test').salt).not.toBe(keys.salt);
    const real = await scramKeys('pencil');
    const shape = (k: object) => Object.entries(k).map(([name, value]) => [name, typeof value === 'string' ? value.length : (value as number)]);
    expect(shape(keys)).toEqual(shape(real));
  });
});
