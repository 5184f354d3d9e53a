import { describe, expect, it } from '@jest/globals';
import { isRefusal, type Language, LANGUAGES, languageFor, render, REPLIES, type ReplyName } from './replies.js';

const all = Object.keys(REPLIES) as ReplyName[];
const languages = Object.keys(LANGUAGES) as Language[];
/** RFC 2449 §8, RFC 3206, RFC 6856 §5. */
const CODES = ['[IN-USE]', '[AUTH]', '[SYS/TEMP]', '[SYS/PERM]', '[UTF8]'];

describe('a reply', () => {
  it.each(all)('%s is one line of at most 512 octets in every language', (name) => {
    for (const language of languages) {
      const line = render(name, language, ['a'.repeat(63), '9'.repeat(100)]);
      expect(line).toMatch(/^(\+OK|-ERR) \P{Cc}+$/u);
      expect(line).not.toMatch(/\{\d\}|undefined/);
      expect(new TextEncoder().encode(line).length + 2).toBeLessThanOrEqual(512);
    }
  });

  it.each(all)('%s is ASCII in English, and has the same arguments in Japanese', (name) => {
    const [, en, ja] = REPLIES[name];
    expect(en).toMatch(/^[ -~]+$/);
    const holes = (text: string) => [...new Set(text.match(/\{\d\}/g))].sort();
    expect(holes(ja)).toEqual(holes(en));
  });

  it.each(all)('%s has a registered response code or none', (name) => {
    const [status] = REPLIES[name];
    expect(['+OK', '-ERR', ...CODES.map((code) => `-ERR ${code}`)]).toContain(status);
    expect(isRefusal(name)).toBe(status !== '+OK');
  });

  it.each(all)('%s cannot be taken for a response code by accident', (name) => {
    for (const text of REPLIES[name].slice(1)) expect(text.startsWith('[')).toBe(false);
  });
});

describe('a language range', () => {
  it.each([
    ['ja', 'ja'],
    ['JA', 'ja'],
    ['ja-JP', 'ja'],
    ['en-GB-oed', 'en'],
    ['*', 'en'],
    ['i-default', 'en'],
    ['fr', undefined],
    ['jam', undefined],
    ['__proto__', undefined],
  ])('%s means %s', (range, language) => expect(languageFor(range)).toBe(language));
});
