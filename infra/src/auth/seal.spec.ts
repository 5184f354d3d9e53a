import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { makeCredentials, openCredentials, sealCredentials } from './credentials.js';
import { loadServerKey, seal, SealBroken, unseal } from './seal.js';

const KEY = Buffer.alloc(32, 7);

describe('a sealed text', () => {
  it('opens with its key for its owner', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, owner) => {
        const sealed = seal(text, KEY, owner);
        expect(sealed).toMatch(/^v1\.[\w-]+$/);
        expect(unseal(sealed, KEY, owner)).toBe(text);
      }),
    ));

  it('does not open for another owner, with another key, or changed anywhere', () => {
    const sealed = seal('secret', KEY, 'account-1');
    expect(() => unseal(sealed, KEY, 'account-2')).toThrow(SealBroken);
    expect(() => unseal(sealed, Buffer.alloc(32, 8), 'account-1')).toThrow(SealBroken);
    for (let i = 0; i < sealed.length - 1; i++) {
      const other = sealed[i] === 'A' ? 'B' : 'A';
      expect(() => unseal(sealed.slice(0, i) + other + sealed.slice(i + 1), KEY, 'account-1')).toThrow(SealBroken);
      expect(() => unseal(sealed.slice(0, i), KEY, 'account-1')).toThrow(SealBroken);
    }
  });

  it('never looks the same twice', () => expect(seal('x', KEY, 'a')).not.toBe(seal('x', KEY, 'a')));
});

describe('the server key from the environment', () => {
  it('is base64 of 32 bytes', async () => {
    expect(await loadServerKey('/nowhere', KEY.toString('base64'))).toEqual(KEY);
    expect(await loadServerKey('/nowhere', ` ${KEY.toString('base64url')}\n`)).toEqual(KEY);
  });

  it.each(['short', KEY.toString('hex'), `${KEY.toString('base64').slice(0, 43)}!`])('is not %s', (text) =>
    expect(loadServerKey('/nowhere', text)).rejects.toThrow('KIROKU_SERVER_KEY must be base64 of 32 bytes'),
  );
});

describe('credentials', () => {
  it('survive sealing, and hold the password itself only when asked to', async () => {
    const [hashed, reversible] = await Promise.all([
      makeCredentials('pencil', { reversible: false }),
      makeCredentials('pencil', { reversible: true }),
    ]);
    expect(JSON.stringify(hashed)).not.toContain('pencil');
    expect(reversible.secret).toBe('pencil');
    for (const credentials of [hashed, reversible])
      expect(openCredentials(sealCredentials(credentials, KEY, 'a-1'), KEY, 'a-1')).toEqual(credentials);
  });

  it('of another shape do not open', () => expect(() => openCredentials(seal('{"hash":1}', KEY, 'a-1'), KEY, 'a-1')).toThrow(SealBroken));

  it('are not made of a bad password', () => expect(makeCredentials('', { reversible: true })).rejects.toThrow('bad-password'));
});
