import { describe, expect, it } from '@jest/globals';
import { parseDate } from './date.js';
import { messageIds } from './envelope.js';
import { summarise } from './summary.js';
import { structureOf } from './testing.js';

const iso = (value: string): string | undefined => {
  const sent = parseDate(value);
  return sent && new Date(sent.at).toISOString();
};

describe('a date', () => {
  it.each([
    ['Mon, 23 Nov 2026 10:00:00 +0900', '2026-11-23T01:00:00.000Z'],
    ['23 Nov 2026 10:00 -0330', '2026-11-23T13:30:00.000Z'],
    ['Mon, 23 Nov 2026 10:00:00 +0900 (JST)', '2026-11-23T01:00:00.000Z'],
    ['Mon, 23 Nov 2026 10:00:00 GMT', '2026-11-23T10:00:00.000Z'],
    ['Mon, 23 Nov 2026 10:00:00 EST', '2026-11-23T15:00:00.000Z'],
    ['Mon, 23 Nov 2026 10:00:00 JST', '2026-11-23T01:00:00.000Z'],
    ['Mon, 23 Nov 2026 10:00:00 XYZ', '2026-11-23T10:00:00.000Z'],
    ['Mon, 23 Nov 2026 10:00:00', '2026-11-23T10:00:00.000Z'],
    ['Mon,23 Nov 26 10:00:00 +0000', '2026-11-23T10:00:00.000Z'],
    ['23 Nov 99 10:00:00 +0000', '1999-11-23T10:00:00.000Z'],
    ['23 Nov 126 10:00:00 +0000', '2026-11-23T10:00:00.000Z'],
    ['(x) Mon , 23 Nov 2026 10:00:00 +0900', undefined],
    ['Monday, 23-November-2026 10.00.00 +09:00', '2026-11-23T01:00:00.000Z'],
    ['Mon Nov 23 10:00:00 2026', '2026-11-23T10:00:00.000Z'],
    ['Mon Nov  2 10:00:00 JST 2026', '2026-11-02T01:00:00.000Z'],
    ['23 Nov 2026', '2026-11-23T00:00:00.000Z'],
    ['31 Feb 2026 10:00:00 +0000', undefined],
    ['29 Feb 2028 23:59:60 +0000', '2028-03-01T00:00:00.000Z'],
    ['23 Foo 2026 10:00:00 +0000', undefined],
    ['23 Nov 2026 10:77:00 +0000', undefined],
    ['yesterday', undefined],
    ['', undefined],
    ['9'.repeat(100_000), undefined],
  ])('%j is %s', (value, expected) => expect(iso(value)).toBe(expected));

  it('has the day that the sender wrote', () =>
    expect(parseDate('Mon, 23 Nov 2026 00:30:00 +0900')).toEqual({ at: Date.UTC(2026, 10, 22, 15, 30), day: Date.UTC(2026, 10, 23) }));
});

describe('message ids', () => {
  it.each([
    ['<a@b> <c@d>', ['a@b', 'c@d']],
    ['<a@b><c@d>', ['a@b', 'c@d']],
    ['your message of <a@b>', ['a@b']],
    ['<"a.b"@c>', ['a.b@c']],
    ['<a @\tb>', ['a@b']],
    ['a@b', []],
    ['<>', []],
    ['<<a@b>', ['a@b']],
  ])('in %j are %j', (value, expected) => expect(messageIds(value)).toEqual(expected));
});

describe('a summary', () => {
  it('has what sorting, searching and threading ask for, decoded', () =>
    expect(
      summarise(
        structureOf(
          'Date: Mon, 23 Nov 2026 10:00:00 +0900',
          'Subject: Re: =?ISO-2022-JP?B?GyRCRnxLXDhsJE43b0w+GyhC?=',
          'From: =?utf-8?B?5bGx55Sw5aSq6YOO?= <taro@x.test>',
          'To: team: ann@x.test, "Lee, Bob" <bob@x.test>;',
          'Cc: c@x.test',
          'Message-ID: <m@x.test>',
          'In-Reply-To: Your message <i@x.test>',
          'References: <1@x.test>\r\n <2@x.test>',
          '',
          '',
        ),
      ),
    ).toEqual({
      subject: 'Re: 日本語の件名',
      from: [{ name: '山田太郎', mailbox: 'taro', host: 'x.test' }],
      to: [{ name: '', mailbox: 'ann', host: 'x.test' }, { name: 'Lee, Bob', mailbox: 'bob', host: 'x.test' }],
      cc: [{ name: '', mailbox: 'c', host: 'x.test' }],
      bcc: [],
      sent: { at: Date.UTC(2026, 10, 23, 1), day: Date.UTC(2026, 10, 23) },
      messageId: 'm@x.test',
      inReplyTo: ['i@x.test'],
      references: ['1@x.test', '2@x.test'],
    }));

  it('of nothing has nothing', () =>
    expect(summarise(structureOf('', ''))).toEqual({ subject: '', from: [], to: [], cc: [], bcc: [], inReplyTo: [], references: [] }));

  it('keeps the first and the last of many references', () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => `<${i}@x>`);
    const { references } = summarise(structureOf(`References: ${ids.join(' ')}`, '', ''));
    expect(references).toHaveLength(200);
    expect(references.slice(0, 2)).toEqual(['0@x', '801@x']);
    expect(references.at(-1)).toBe('999@x');
  });
});

describe('an envelope', () => {
  it('takes the first of fields that should be there once, and all recipients', () =>
    expect(structureOf('Subject: a', 'Subject: b', 'From: a@x', 'From: b@x', 'To: a@x', 'To: b@x', '', '').envelope).toMatchObject({
      subject: 'a',
      from: [{ mailbox: 'a' }],
      to: [{ mailbox: 'a' }, { mailbox: 'b' }],
    }));

  it('tells an empty field from none', () => {
    expect(structureOf('Subject:', '', '').envelope.subject).toBe('');
    expect(structureOf('', '').envelope).not.toHaveProperty('subject');
  });

  it('has values without folding, line ends and NULs', () =>
    expect(structureOf('Subject: a\r\n\tb\n c\rd\0e \t', '', '').envelope.subject).toBe('a\tb c de'));
});
