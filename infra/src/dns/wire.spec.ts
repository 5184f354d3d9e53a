import { describe, expect, it } from '@jest/globals';
import { encode, type Answer } from 'dns-packet';
import fc from 'fast-check';
import { encodeQuery, isQueryName, Malformed, plainName, readReply } from './wire.js';

const QUESTION = { name: 'mail.x.test', type: 'A' } as const;
const query = encodeQuery(4711, QUESTION, true);
const A: Answer = { name: 'mail.x.test', type: 'A', class: 'IN', ttl: 60, data: '192.0.2.1' };
const reply = (changes: Partial<Parameters<typeof encode>[0]> = {}): Buffer => encode({ type: 'response', id: 4711, flags: 0, questions: [QUESTION], answers: [A], ...changes });

describe('a question', () => {
  it('asks for recursion and for the AD bit, and says how much UDP may carry', () => {
    expect(query.bytes.readUInt16BE(0)).toBe(4711);
    expect(query.bytes.readUInt16BE(2)).toBe(0x0120);
    expect([4, 6, 8, 10].map((at) => query.bytes.readUInt16BE(at))).toEqual([1, 0, 0, 1]);
    expect(query.bytes.subarray(-11, -6).toString('hex')).toBe('00002904d0');
  });

  it('goes without EDNS to servers that do not know it', () => {
    expect(encodeQuery(1, QUESTION, false).bytes.readUInt16BE(10)).toBe(0);
  });

  it.each(['', '.', 'a..b', '.a', 'a.', 'ä.test', 'a b.test', `${'a'.repeat(64)}.test`, `${'a.'.repeat(126)}aa`])('cannot be about %j', (name) =>
    expect(isQueryName(name)).toBe(false),
  );
  it.each(['localhost', '_25._tcp.mx.x.test', 'xn--wgv71a.test', `${'a'.repeat(63)}.test`, `${'a.'.repeat(126)}a`])('can be about %j', (name) =>
    expect(isQueryName(name)).toBe(true),
  );
});

describe('a reply', () => {
  it('is read', () => expect(readReply(reply(), query)).toMatchObject({ rcode: 0, truncated: false, authentic: false, answers: [A] }));

  it('may repeat the question in other letters', () =>
    expect(readReply(reply({ questions: [{ name: 'MAIL.x.Test', type: 'A' }] }), query)).toMatchObject({ answers: [A] }));

  it.each([
    ['has another id', reply({ id: 4712 })],
    ['is about another name', reply({ questions: [{ name: 'mail.y.test', type: 'A' }] })],
    ['is about another type', reply({ questions: [{ name: 'mail.x.test', type: 'AAAA' }] })],
    ['is about another class', reply({ questions: [{ name: 'mail.x.test', type: 'A', class: 'CH' }] })],
    ['has no question', reply({ questions: [] })],
    ['has two questions', reply({ questions: [QUESTION, QUESTION] })],
    ['is a question', query.bytes],
    ['is empty', Buffer.alloc(0)],
    ['ends in its header', reply().subarray(0, 11)],
    ['ends in the question', reply().subarray(0, 20)],
  ])('is none when it %s', (_, bytes) => expect(readReply(bytes, query)).toBeUndefined());

  it('without a question counts when it says that the question was not understood', () =>
    expect(readReply(reply({ questions: [], answers: [], flags: 1 }), query)).toMatchObject({ rcode: 1 }));

  it('has the upper bits of its code in the OPT record', () => {
    const opt: Answer = { type: 'OPT', name: '.', udpPayloadSize: 512, extendedRcode: 1, ednsVersion: 0, flags: 0, flag_do: false, options: [] };
    expect(readReply(reply({ additionals: [opt] }), query)?.rcode).toBe(16);
  });

  it('is refused when it claims thousands of records, before room is made for them', () => {
    const bytes = reply();
    bytes.writeUInt16BE(0xffff, 8);
    expect(() => readReply(bytes, query)).toThrow(Malformed);
  });

  it('is refused when it ends too early', () => expect(() => readReply(reply().subarray(0, -2), query)).toThrow(Malformed));

  it.each([
    ['goes on after its records', Buffer.concat([reply(), Buffer.of(0)])],
    ['has a record longer than it says', Buffer.concat([reply().subarray(0, -6), Buffer.of(0, 2, 192, 0, 2, 1, 9)])],
  ])('is refused when it %s', (_, bytes) => expect(() => readReply(bytes, query)).toThrow(Malformed));

  it('that was truncated anywhere is truncated', () => {
    const bytes = reply({ flags: 0x0200 });
    expect(readReply(bytes.subarray(0, -2), query)).toMatchObject({ truncated: true, answers: [] });
    expect(readReply(bytes, query)).toMatchObject({ truncated: true });
  });

  it('does no harm, whatever its bytes', () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 20 }), fc.uint8Array({ maxLength: 100 }), (changes, tail) => {
        const bytes = Buffer.concat([reply(), tail]);
        for (const [at, value] of changes) if (at >= 2 && at < bytes.length) bytes[at] = value;
        try {
          readReply(bytes, query);
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
      { numRuns: 1000 },
    ));
});

describe('a name', () => {
  it.each([
    ['MX1.x.Test.', 'mx1.x.test'],
    ['x.test', 'x.test'],
    ['.', '.'],
  ])('%j is kept as %j', (name, plain) => expect(plainName(name)).toBe(plain));
});
