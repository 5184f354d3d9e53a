import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { baseSubject } from './base-subject.js';

describe('the base subject', () => {
  it.each([
    ['hello', 'HELLO', false],
    ['', '', false],
    ['   ', '', false],
    ['Re: hello', 'HELLO', true],
    ['RE:RE:FWD: hello', 'HELLO', true],
    ['Fw: hello', 'HELLO', true],
    ['re [1]: hello', 'HELLO', true],
    ['Re[2]: hello', 'HELLO', true],
    ['[list] hello', 'HELLO', false],
    ['[list] Re: [list] hello', 'HELLO', true],
    ['[a][b] [c]Re: hello', 'HELLO', true],
    ['[list]', '[LIST]', false],
    ['[a] [b]', '[B]', false],
    ['Re: [list]', '[LIST]', true],
    ['hello (fwd)', 'HELLO', true],
    ['hello (FWD) (fwd) ', 'HELLO', true],
    ['[fwd: hello]', 'HELLO', true],
    ['[Fwd: Re: [Fwd: hello (fwd)]]', 'HELLO', true],
    ['[fwd:]', '', true],
    ['[fwd: a] b', 'B', false],
    ['a\tb\r\n c   d', 'A B C D', false],
    ['reply: hello', 'REPLY: HELLO', false],
    ['re hello', 're hello'.toUpperCase(), false],
    ['Ｒｅ： 会議', '会議', true],
    ['[社内] Re: 会議', '会議', true],
    ['(fwd)', '', true],
    ['[unclosed re: x', '[UNCLOSED RE: X', false],
    ['re[[x]: y', 'RE[[X]: Y', false],
  ])('of %j is %j, a reply: %s', (subject, text, isReply) => expect(baseSubject(subject)).toEqual({ text, isReply }));

  const piece = fc.constantFrom('re:', 'fwd:', '[x]', '[', ']', '(fwd)', ' ', '[fwd:', 'a', ':', '会', 'fw', '\t');
  it('has none left to take off, whatever it was', () =>
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const { text } = baseSubject(pieces.join(''));
        expect(baseSubject(text)).toEqual({ text, isReply: false });
        expect(baseSubject(`Re: ${text}`)).toEqual({ text, isReply: true });
      }),
    ));

  it('of a hostile subject takes no longer than of any other', () => {
    for (const hostile of ['[a]', '[', 're:[', '[fwd:', '(fwd)', 're[a]', ' ']) {
      const started = performance.now();
      for (let i = 0; i < 20; i++) baseSubject(hostile.repeat(100_000));
      expect(performance.now() - started).toBeLessThan(1_000);
    }
  });
});
