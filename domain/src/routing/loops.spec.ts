import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { deliveredTo, tooManyHops, wasDeliveredTo } from './loops.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a message that has passed many servers', () => {
  it('goes on up to the limit, and not beyond', () => {
    expect(tooManyHops(25, 25)).toBeUndefined();
    expect(tooManyHops(26, 25)).toBe('554 5.4.6 Passed 26 servers, more than 25: it seems to loop');
  });
  it('goes on for ever without a limit', () => expect(tooManyHops(1_000_000, 0)).toBeUndefined());
});

describe('a message that has been in mailboxes', () => {
  const header = bytes(
    'Delivered-To: Ann@X.test\r\nReceived: from a by b\r\n\tDelivered-To: inner@x.test\r\nX-Delivered-To: other@x.test\r\ndelivered-TO :\r\n bob@x.test\r\nDelivered-To: <cid@x.test>\r\nDelivered-To: nonsense\r\n\r\nDelivered-To: body@x.test\r\n',
  );

  it('names them, folded or not, in any case', () => expect(deliveredTo(header)).toEqual(['ann@x.test', 'bob@x.test', 'cid@x.test']));

  it('is not sent on from one of them again', () => {
    expect(wasDeliveredTo(header, 'ANN@x.test')).toBe(true);
    expect(wasDeliveredTo(header, 'dan@x.test')).toBe(false);
    expect(wasDeliveredTo(header, 'body@x.test')).toBe(false);
    expect(wasDeliveredTo(header, 'nonsense')).toBe(false);
  });

  it('may have its lines ended by LF alone', () => expect(deliveredTo(bytes('A: b\nDelivered-To: ann@x.test\n\nDelivered-To: body@x.test'))).toEqual(['ann@x.test']));

  it('is looked at up to a hundred of them', () =>
    expect(deliveredTo(bytes(Array.from({ length: 200 }, (_, n) => `Delivered-To: u${n}@x.test\r\n`).join('')))).toHaveLength(100));

  it('may be anything', () => fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (any) => Array.isArray(deliveredTo(any)))));

  it('is found wherever the field stands', () =>
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[A-Za-z-]{1,10}: [ -~]{0,40}$/)), fc.array(fc.stringMatching(/^[A-Za-z-]{1,10}: [ -~]{0,40}$/)), (before, after) =>
        expect(wasDeliveredTo(bytes([...before, 'Delivered-To: ann@x.test', ...after, '', ''].join('\r\n')), 'ann@x.test')).toBe(true),
      ),
    ));
});
