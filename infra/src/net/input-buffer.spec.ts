import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LineTooLong } from './connection.js';
import { InputBuffer } from './input-buffer.js';

const filled = (...chunks: (string | Buffer)[]) => {
  const input = new InputBuffer();
  for (const chunk of chunks) input.push(Buffer.from(chunk as string));
  return input;
};
const line = (input: InputBuffer, limit = 1000) => {
  try {
    return input.takeLine(limit)?.toString('latin1');
  } catch (error) {
    expect(error).toBeInstanceOf(LineTooLong);
    return 'too long';
  }
};

describe('a line', () => {
  it('ends with CRLF and nothing else', () => {
    const input = filled('a\nb\rc\r\rd\n\r\r\ne');
    expect(line(input)).toBe('a\nb\rc\r\rd\n\r');
    expect(line(input)).toBeUndefined();
    expect(input.length).toBe(1);
  });

  it('may be empty', () => {
    const input = filled('\r\n\r\n');
    expect([line(input), line(input), line(input)]).toEqual(['', '', undefined]);
  });

  it('may have exactly as many bytes as allowed', () => {
    const input = filled('12345\r\n123456\r\n1234\r\n');
    expect([line(input, 5), line(input, 5), line(input, 5)]).toEqual(['12345', 'too long', '1234']);
  });

  it('may have its CR and LF in different chunks', () => {
    const input = filled('abc\r');
    expect(line(input, 3)).toBeUndefined();
    input.push(Buffer.from('\nx'));
    expect(line(input, 3)).toBe('abc');
  });
});

describe('a line that does not end', () => {
  it('is not kept beyond the limit, and the next one is read', () => {
    const input = new InputBuffer();
    for (let i = 0; i < 100; i++) {
      input.push(Buffer.alloc(10_000, 'x'));
      expect(line(input)).toBeUndefined();
      expect(input.length).toBeLessThanOrEqual(1001);
    }
    input.push(Buffer.from('\r'));
    expect(line(input)).toBeUndefined();
    input.push(Buffer.from('\nnext\r\n'));
    expect([line(input), line(input)]).toEqual(['too long', 'next']);
  });

  it('is skipped by whoever reads bytes next, too', () => {
    const input = filled('x'.repeat(2000));
    expect(line(input)).toBeUndefined();
    expect(input.takeSome(10)).toBeUndefined();
    input.push(Buffer.from('yyy\r\nnext'));
    expect(input.takeSome(10)?.toString()).toBe('next');
  });

  it('costs no Buffer per byte when it comes byte by byte', () => {
    const input = new InputBuffer();
    for (let i = 0; i < 60_000; i++) input.push(Buffer.from('x'));
    expect((input as unknown as { chunks: Buffer[] }).chunks.length).toBeLessThan(20);
    expect(input.length).toBe(60_000);
  });
});

describe('bytes', () => {
  it('come as they arrived, at most as many as wanted', () => {
    const input = filled('abcdef', Buffer.alloc(2000, 'x'));
    expect(input.takeSome(4)?.toString()).toBe('abcd');
    expect(input.takeSome(10)?.toString()).toBe('ef');
    expect(input.takeSome(9999)).toHaveLength(2000);
    expect(input.takeSome(1)).toBeUndefined();
  });

  it('given back are read next', () => {
    const input = filled('body.QUIT\r\n');
    const bytes = input.takeSome(99)!;
    input.unread(bytes.subarray(5));
    expect(line(input)).toBe('QUIT');
  });

  it('handed out stay as they are when more arrive', () => {
    const input = filled('a', 'b', 'c\r\n');
    const taken = line(input);
    const some = filled('1', '2', '3');
    const first = some.takeSome(9)!;
    const second = some.takeSome(9)!;
    some.push(Buffer.from('4'));
    some.push(Buffer.from('5'));
    expect([taken, first.toString(), second.toString()]).toEqual(['abc', '1', '23']);
  });
});

describe('reading', () => {
  const text = fc.array(fc.constantFrom('\r\n', '\r', '\n', 'a', 'bc', 'x'.repeat(30), 'y'.repeat(1500)), { maxLength: 60 });
  const cuts = fc.array(fc.nat(3000), { maxLength: 40 });

  it('gives the same lines however the bytes were cut', () =>
    fc.assert(
      fc.property(text, cuts, fc.constantFrom(20, 100, 5000), (parts, sizes, limit) => {
        const whole = parts.join('');
        const expected = whole.split('\r\n').slice(0, -1).map((l) => (l.length > limit ? 'too long' : l));
        const input = new InputBuffer();
        const lines: string[] = [];
        const read = () => {
          for (let l; (l = line(input, limit)) !== undefined; ) lines.push(l);
        };
        let at = 0;
        for (const size of [...sizes, whole.length]) {
          input.push(Buffer.from(whole.slice(at, at + size)));
          at += size;
          if (size % 3 > 0) read();
        }
        read();
        expect(lines).toEqual(expected);
      }),
    ));

  it('loses and invents no byte, whatever is read how', () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.uint8Array({ maxLength: 1500 }), fc.nat(900), fc.nat(50))), (steps) => {
        const input = new InputBuffer();
        const [sent, got]: Uint8Array[][] = [[], []];
        for (const [bytes, max, back] of steps) {
          sent!.push(bytes);
          if (bytes.length > 0) input.push(Buffer.from(bytes));
          const some = input.takeSome(max + 1);
          if (!some) continue;
          const keep = Math.max(some.length - back, 0);
          got!.push(some.subarray(0, keep));
          input.unread(some.subarray(keep));
        }
        for (let some; (some = input.takeSome(4096)); ) got!.push(some);
        expect(Buffer.concat(got!).equals(Buffer.concat(sent!))).toBe(true);
        expect(input.length).toBe(0);
      }),
    ));
});
