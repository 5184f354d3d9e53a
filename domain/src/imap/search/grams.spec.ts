import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fold } from './fold.js';
import { gramsOf, mayContain, Signer } from './grams.js';

const signer = new Signer();
const sign = (...texts: readonly string[]): Uint8Array => {
  for (const text of texts) signer.add(fold(text));
  return signer.finish();
};
const word = fc.constantFrom('meeting', 'invoice', '会議', '議事録', 'スケジュール', 'ｶﾀｶﾅ', '￥１０００', 'Re:', 'été', '😀', 'を', '\r\n');
const mail = fc.array(fc.oneof(word, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 80 }).map((words) => words.join(' '));

describe('a signature', () => {
  it('never rules out a text that contains the needle', () =>
    fc.assert(
      fc.property(mail, fc.nat(), fc.nat({ max: 20 }), (text, from, length) => {
        const folded = fold(text);
        const start = from % (folded.length + 1);
        expect(mayContain(sign(text), gramsOf(folded.slice(start, start + length)))).toBe(true);
      }),
    ));

  it('of several texts is that of each', () => {
    const both = sign('first text', '二番目');
    for (const needle of ['first', '二番']) expect(mayContain(both, gramsOf(fold(needle)))).toBe(true);
  });

  it('forgets one text before the next', () => {
    sign('漢字');
    expect(sign('')).toEqual(new Uint8Array());
    expect(sign('hello')).toEqual(sign('hello'));
  });

  it('rules out nearly all texts that do not contain an English or a Japanese word', () => {
    let wrong = 0;
    for (let i = 0; i < 1_000; i++) {
      const text = Array.from({ length: 400 }, (_, n) => `w${((i * 7919 + n * 104729) % 99991).toString(36)}`).join(' ') + '本日の予定をお送りします。';
      const signature = sign(text);
      if (mayContain(signature, gramsOf(fold('Besprechung')))) wrong++;
      if (mayContain(signature, gramsOf(fold('請求書')))) wrong++;
    }
    expect(wrong).toBeLessThan(20);
  });

  it('rules out a single ideograph, and nothing by one or two ASCII letters', () => {
    const signature = sign('来週の会議');
    expect(mayContain(signature, gramsOf('週'))).toBe(true);
    expect(mayContain(signature, gramsOf('税'))).toBe(false);
    expect(gramsOf('AB')).toEqual([]);
    expect(mayContain(signature, [])).toBe(true);
    expect(mayContain(sign(''), gramsOf('ABC'))).toBe(false);
  });

  it('stays small: under 1 KB for 3 KB of mail, 8 KiB for any', () => {
    const words = 'the project meeting about next quarter has moved please find attached minutes and slides regards'.split(' ');
    const mail3k = Array.from({ length: 430 }, (_, i) => words[(i * i + 3 * i) % words.length]! + (i % 9 === 0 ? i : '')).join(' ').slice(0, 3_000);
    expect(sign(mail3k).length).toBeLessThan(700);
    const japanese = Array.from({ length: 1_000 }, (_, i) => String.fromCharCode(0x4e00 + ((i * i * 31) % 1_500))).join('');
    expect(sign(japanese).length).toBeLessThan(1_000);
    expect(sign(Array.from({ length: 200_000 }, (_, i) => (i * 2654435761 % 4294967296).toString(36)).join('')).length).toBe(8_192);
  });
});

describe('the grams of a needle', () => {
  it('are at most twelve, spread over a long one', () => {
    const long = Array.from({ length: 5_000 }, (_, i) => String.fromCharCode(0x4e00 + i)).join('');
    expect(gramsOf(long)).toHaveLength(12);
  });
});
