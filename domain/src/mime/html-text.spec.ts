import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { HtmlText, htmlToText } from './html-text.js';

describe('HTML', () => {
  it.each([
    ['', ''],
    ['plain', 'plain'],
    ['<p>one</p><p>two</p>', 'one\ntwo'],
    ['one<br>two<br/>three', 'one\ntwo\nthree'],
    ['<b>bo</b>ld <i>it</i>alic', 'bold italic'],
    ['<td>a</td><td>b</td>', 'a\nb'],
    ['a &amp; b &lt;c&gt; &#12354;&#x3042; &eacute;&nbsp;&yen;', 'a & b <c> ああ é ¥'],
    ['&unknown; &amp &#0; &#xD800; &#99999999; &', '&unknown; &amp &#99999999; &'],
    ['<style>p{a:b}</style>x<script>if (a<b) "</p>"</script>y<title>t</title>', 'x\ny'],
    ['<SCRIPT>x</Script>y', 'y'],
    ['a<!-- <b> > -->b', 'ab'],
    ['a<!-- never ends', 'a'],
    ['<style>never ends', ''],
    ['<a href="x>y" title=\'a>b\'>link</a>', 'link'],
    ['<p title=it\'s>one</p> two\'s', 'one\ntwo\'s'],
    ['1 < 2 and 3 > 2', '1 < 2 and 3 > 2'],
    ['a <', 'a <'],
    ['a <b never ends', 'a'],
    ['<!DOCTYPE html><?xml version="1"?><html><body>x', 'x'],
    ['  many \r\n\t blanks  ', 'many blanks'],
    ['zero\u200bwidth\u00ad', 'zerowidth'],
    ['日本<ruby>語<rt>ご</rt></ruby>', '日本語ご'],
  ])('%j is read', (html, expected) => expect(htmlToText(html)).toBe(expected));

  it('is read up to a limit', () => expect(htmlToText('<b>abcdef</b>', 6)).toBe('abc'));

  it('with a huge attribute is read on behind it', () => expect(htmlToText(`a<img src="${'x'.repeat(100_000)}">b`)).toBe('ab'));

  it.each([
    ['tags that never end', '<a '.repeat(200_000)],
    ['attributes that never end', `${'<a x="'.repeat(100_001)}`],
    ['closing tags', '</'.repeat(200_000)],
    ['comments', '<!--'.repeat(200_000)],
    ['ampersands', '&'.repeat(400_000)],
    ['styles that never end', '<style></'.repeat(100_000)],
    ['blanks', ' '.repeat(400_000)],
  ])('with many %s takes no more time than it is long', (_, html) => {
    const before = process.cpuUsage();
    htmlToText(html);
    expect(process.cpuUsage(before).user).toBeLessThan(3_000_000);
  });

  it('gives the same text however it was cut', () =>
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('<', '<p>', '</p>', '<b', '>', '<style>', '</style>', '<!--', '-->', '&amp;', '&', '&#123', ';', '"', '=', ' ', '\n', 'word', '/', "='x'"), { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 }),
        (pieces, sizes) => {
          const html = pieces.join('');
          const reader = new HtmlText();
          let text = '';
          for (let at = 0, i = 0; at < html.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            text += reader.push(html.slice(at, at + size));
            at += size;
          }
          expect(text + reader.end()).toBe(htmlToText(html));
        },
      ),
      { numRuns: 3_000 },
    ));
});
