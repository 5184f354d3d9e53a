import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SORT_KEYS, type SortCriterion } from '../grammar/commands.js';
import { baseSubject } from './base-subject.js';
import { fold } from './fold.js';
import { octetOrder } from './order.js';
import { type HeaderKeys, type SortInput, sortNeeds, sortOrder } from './sort.js';

const header = (more: Partial<HeaderKeys> = {}): HeaderKeys =>
  ({ sentAt: undefined, subject: '', from: '', to: '', cc: '', displayFrom: '', displayTo: '', ...more });
const by = (...keys: readonly string[]): readonly SortCriterion[] =>
  keys.map((key) => ({ key: key.replace('-', '') as SortCriterion['key'], reverse: key.startsWith('-') }));

describe('sorting', () => {
  const input: SortInput = {
    receivedAt: [50, 40, 30, 20, 10],
    sizes: [3, 1, 2, 1, 3],
    headers: [
      header({ sentAt: 5, subject: 'Re: b', from: 'ann', displayFrom: 'Ｚｏｅ', to: 'x' }),
      header({ sentAt: 100, subject: 'B', from: 'BOB', displayFrom: 'bob@x.test', to: '' }),
      header({ subject: '[l] a', from: '', displayFrom: '', to: 'y', cc: 'c' }),
      header({ sentAt: 5, subject: '会議', from: 'Ann', displayFrom: '山田', to: 'X' }),
      header({ sentAt: 7, subject: '', from: 'carl', displayFrom: 'zoe', to: 'x' }),
    ],
  };
  it.each([
    [['ARRIVAL'], [4, 3, 2, 1, 0]],
    [['-ARRIVAL'], [0, 1, 2, 3, 4]],
    [['SIZE'], [1, 3, 2, 0, 4]],
    [['-SIZE'], [0, 4, 2, 1, 3]],
    [['SIZE', 'ARRIVAL'], [3, 1, 2, 4, 0]],
    [['DATE'], [0, 3, 4, 2, 1]], // 2 has no Date: INTERNALDATE 30
    [['-DATE'], [1, 2, 4, 0, 3]],
    [['SUBJECT'], [4, 2, 0, 1, 3]],
    [['FROM'], [2, 0, 3, 1, 4]],
    [['TO', '-FROM'], [1, 4, 0, 3, 2]],
    [['CC'], [0, 1, 3, 4, 2]],
    [['DISPLAYFROM'], [2, 1, 0, 4, 3]],
  ])('by %j', (keys, expected) => expect([...sortOrder(5, input, by(...keys))]).toEqual(expected));

  it('asks for the columns it needs and no others', () => {
    expect(sortNeeds(by('ARRIVAL'))).toEqual({ sizes: false, headers: false });
    expect(sortNeeds(by('-SIZE', 'DISPLAYTO'))).toEqual({ sizes: true, headers: true });
  });

  it('of nothing is nothing', () => expect([...sortOrder(0, { receivedAt: [] }, by('ARRIVAL'))]).toEqual([]));

  const text = fc.string({ unit: fc.constantFrom('a', 'B', 'é', '漢', '😀', '\uffee', 'Ａ', '\ue000', ' '), maxLength: 3 });
  const keys: fc.Arbitrary<HeaderKeys> = fc.record({
    sentAt: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    subject: text, from: text, to: text, cc: text, displayFrom: text, displayTo: text,
  });
  it('is stable, and what comparing text by text as UTF-8 gives', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(keys, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })), { maxLength: 40 }),
        fc.array(fc.record({ key: fc.constantFrom(...SORT_KEYS), reverse: fc.boolean() }), { minLength: 1, maxLength: 3 }),
        (messages, order) => {
          const sorted = sortOrder(messages.length, { receivedAt: messages.map((m) => m[1]), sizes: messages.map((m) => m[2]), headers: messages.map((m) => m[0]) }, order);
          const bytes = (t: string): string => Buffer.from(fold(t)).toString('latin1');
          const valueOf = ([h, received, size]: (typeof messages)[number], { key }: SortCriterion): string | number =>
            ({
              ARRIVAL: received, SIZE: size, DATE: h.sentAt ?? received, SUBJECT: bytes(baseSubject(h.subject).text), FROM: bytes(h.from), TO: bytes(h.to),
              CC: bytes(h.cc), DISPLAYFROM: bytes(h.displayFrom), DISPLAYTO: bytes(h.displayTo),
            })[key];
          const naive = messages.map((m, i) => ({ m, i })).sort((a, b) => {
            for (const criterion of order) {
              const [x, y] = [valueOf(a.m, criterion), valueOf(b.m, criterion)];
              if (x !== y) return x < y === criterion.reverse ? 1 : -1;
            }
            return a.i - b.i;
          });
          expect([...sorted]).toEqual(naive.map(({ i }) => i));
        },
      ),
    ));
});

describe('the order of folded texts', () => {
  it('puts U+10000 and above after U+FFFD, as their octets do', () => {
    expect(['😀', '\ufffd'].sort(octetOrder(['😀', '\ufffd']))).toEqual(['\ufffd', '😀']);
    expect(['a', 'AB', 'A'].sort(octetOrder(['a']))).toEqual(['A', 'AB', 'a']);
  });
});
