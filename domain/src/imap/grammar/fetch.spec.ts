import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { FetchItem } from './fetch-item.js';
import { itemLabel } from './fetch-response.js';
import { read } from './testing.js';

const body = (part: readonly number[], text = 'all', fields: readonly string[] = [], more = {}) => ({ item: 'BODY[]', peek: false, section: { part, text, fields }, ...more });
const names = (...all: string[]) => all.map((item) => ({ item }));

describe('the items of FETCH', () => {
  it.each([
    ['ALL', names('FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE')],
    ['fast', names('FLAGS', 'INTERNALDATE', 'RFC822.SIZE')],
    ['FULL', names('FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY')],
    ['FLAGS', names('FLAGS')],
    ['(uid FLAGS uid)', names('UID', 'FLAGS')],
    ['(BODY BODYSTRUCTURE ENVELOPE INTERNALDATE)', names('BODY', 'BODYSTRUCTURE', 'ENVELOPE', 'INTERNALDATE')],
    ['(RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)', names('RFC822', 'RFC822.HEADER', 'RFC822.TEXT', 'RFC822.SIZE')],
    ['(MODSEQ SAVEDATE EMAILID THREADID)', names('MODSEQ', 'SAVEDATE', 'EMAILID', 'THREADID')],
    ['PREVIEW', [{ item: 'PREVIEW', lazy: false }]],
    ['(PREVIEW (LAZY) UID)', [{ item: 'PREVIEW', lazy: true }, { item: 'UID' }]],
    ['BODY[]', [body([])]],
    ['body.peek[]', [body([], 'all', [], { peek: true })]],
    ['BODY[]<0.1024>', [body([], 'all', [], { partial: { from: 0, count: 1024 } })]],
    ['BODY[1]', [body([1])]],
    ['BODY[4.1.MIME]', [body([4, 1], 'MIME')]],
    ['BODY[header]', [body([], 'HEADER')]],
    ['BODY[2.HEADER]', [body([2], 'HEADER')]],
    ['BODY[TEXT]', [body([], 'TEXT')]],
    ['BODY[2.TEXT]<5.6>', [body([2], 'TEXT', [], { partial: { from: 5, count: 6 } })]],
    ['BODY.PEEK[HEADER.FIELDS (From "To" {2}\r\nCc)]', [body([], 'HEADER.FIELDS', ['From', 'To', 'Cc'], { peek: true })]],
    ['BODY[1.HEADER.FIELDS.NOT (X-[a])]', [body([1], 'HEADER.FIELDS.NOT', ['X-[a]'])]],
    ['BINARY[1.2]', [{ item: 'BINARY[]', peek: false, part: [1, 2] }]],
    ['BINARY.PEEK[]<1.2>', [{ item: 'BINARY[]', peek: true, part: [], partial: { from: 1, count: 2 } }]],
    ['BINARY.SIZE[3]', [{ item: 'BINARY.SIZE', part: [3] }]],
  ])('%j are read', (text, items) => expect(read(`FETCH 1:* ${text}`)).toEqual({ uid: false, verb: 'FETCH', set: [1, 0], items, vanished: false }));

  it.each([
    '', '()', '(', '(ALL)', '(FLAGS', 'FLAGS UID', 'FOO', 'FLAGS)', 'ALL FLAGS', 'BODY[', 'BODY]', 'BODY[FOO]', 'BODY[MIME]', 'BODY[0]', 'BODY[1.]', 'BODY[.1]', 'BODY[1..2]', 'BODY[1.0]', 'BODY[HEADER.FIELDS]', 'BODY[HEADER.FIELDS ()]',
    'BODY[HEADER.FIELDS (a b]', 'BODY[HEADER.FIELDS ("a b")]', 'BODY[HEADER.FIELDS (a:)]', 'BODY[]<1>', 'BODY[]<1.0>', 'BODY[]<.1>', 'BODY[]<1.2', 'BODY[]<-1.2>', 'BODY[TEXT.MIME]', 'BINARY', 'BINARY[TEXT]', 'BINARY.SIZE[1]<0.1>', 'BINARY.SIZE', 'BODY.PEEK',
    'BODYSTRUCTURE[]', 'RFC822.SIZE[]', 'RFC822.PEEK', 'PREVIEW (EAGER)', '(FLAGS  UID)', '(FLAGS UID )', 'FLAGS ', 'FLAGS (CHANGEDSINCE)', 'FLAGS (FOO)', 'FLAGS ()', 'FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)', 'FLAGS (VANISHED)', 'FLAGS (CHANGEDSINCE 1 VANISHED)', 'FLAGS (PARTIAL 0:1)',
  ])('%j are refused', (text) => expect(read(`FETCH 1 ${text}`)).toMatchObject({ status: 'BAD', verb: 'FETCH' }));

  it('have the UID with UID FETCH, and MODSEQ with CHANGEDSINCE', () => {
    expect(read('UID FETCH $ FLAGS')).toEqual({ uid: true, verb: 'FETCH', set: '$', items: names('UID', 'FLAGS'), vanished: false });
    expect(read('UID FETCH $ (FLAGS uid)')).toEqual({ uid: true, verb: 'FETCH', set: '$', items: names('UID', 'FLAGS'), namesUid: true, vanished: false });
    expect(read('UID FETCH 1:* (FLAGS UID) (CHANGEDSINCE 12345 VANISHED)')).toEqual({
      uid: true, verb: 'FETCH', set: [1, 0], items: names('UID', 'FLAGS', 'MODSEQ'), namesUid: true, changedSince: 12345, vanished: true,
    });
    expect(read('FETCH 1:* ALL (CHANGEDSINCE 0)').items).toEqual(names('FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'MODSEQ'));
    expect(read('UID FETCH 1 PREVIEW (PARTIAL -1:-30)')).toMatchObject({ items: [{ item: 'UID' }, { item: 'PREVIEW', lazy: false }], partial: { first: -1, last: -30 } });
  });

  it('are as many as the limits allow', () => {
    expect(read(`FETCH 1 (${Array<string>(201).fill('UID').join(' ')})`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
    expect(read(`FETCH 1 BODY[HEADER.FIELDS (${Array<string>(201).fill('a').join(' ')})]`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
    expect(read(`FETCH 1 BODY[${Array<string>(51).fill('1').join('.')}]`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
  });
});

describe('the label of an item', () => {
  const part = fc.array(fc.integer({ min: 1, max: 4_294_967_295 }), { maxLength: 5 });
  const field = fc.string({ minLength: 1, maxLength: 20, unit: fc.integer({ min: 0x21, max: 0x7e }).filter((code) => code !== 0x3a).map((code) => String.fromCharCode(code)) });
  const partial = fc.option(fc.record({ from: fc.nat(), count: fc.integer({ min: 1 }) }), { nil: undefined });
  const section = fc.oneof(
    fc.record({ part, text: fc.constantFrom('all', 'HEADER', 'TEXT'), fields: fc.constant([]) }),
    fc.record({ part, text: fc.constantFrom('HEADER.FIELDS', 'HEADER.FIELDS.NOT'), fields: fc.array(field, { minLength: 1, maxLength: 5 }) }),
  );
  const item = fc.oneof(
    fc.record({ item: fc.constant('BODY[]'), peek: fc.constant(false), section, partial }),
    fc.record({ item: fc.constant('BINARY[]'), peek: fc.constant(false), part, partial }),
    fc.record({ item: fc.constant('BINARY.SIZE'), part }),
    fc.record({ item: fc.constantFrom('UID', 'FLAGS', 'RFC822.SIZE') }),
  ) as fc.Arbitrary<FetchItem>;

  it('asks for the same item when it is read back', () =>
    fc.assert(
      fc.property(item, (asked) => {
        const origin = 'partial' in asked && asked.partial ? `<${asked.partial.from}>` : '';
        const label = itemLabel(asked);
        expect(label.endsWith(origin)).toBe(true);
        const count = origin && 'partial' in asked ? `${origin.slice(0, -1)}.${asked.partial?.count}>` : '';
        const { items } = read(`FETCH 1 ${label.slice(0, label.length - origin.length)}${count}`);
        expect(JSON.parse(JSON.stringify(items))).toEqual([JSON.parse(JSON.stringify(asked))]);
      }),
    ));

  it('never says PEEK', () => expect(itemLabel({ item: 'BODY[]', peek: true, section: { part: [1], text: 'HEADER.FIELDS', fields: ['From', 'X (y)'] } })).toBe('BODY[1.HEADER.FIELDS (From "X (y)")]'));
});
