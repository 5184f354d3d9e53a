import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { SearchKey } from '../grammar/search-key.js';
import { contains, fold } from './fold.js';
import { compileSearch, runSearch, type SearchContext } from './program.js';
import type { SearchSource, SourceTest } from './source.js';

const DAY = 86_400_000;
const NOW = 100 * DAY;

interface Mail {
  readonly uid: number; readonly modSeq: number; readonly flags: readonly string[]; readonly size: number; readonly receivedAt: number; readonly savedAt: number;
  readonly sentDay?: number; readonly emailId: string; readonly header: Readonly<Record<string, string>>; readonly body: string;
}
const mail = (uid: number, more: Partial<Mail> = {}): Mail =>
  ({ uid, modSeq: uid * 10, flags: [], size: 100, receivedAt: NOW - uid, savedAt: NOW, emailId: `E${uid}`, header: {}, body: '', ...more });

/** Reads each message, as the tests of a source are defined. */
function passes(m: Mail, test: SourceTest): boolean {
  switch (test.by) {
    case 'receivedAt':
    case 'savedAt':
    case 'size':
      return m[test.by] >= test.from && m[test.by] < test.before;
    case 'sent': return m.sentDay !== undefined && m.sentDay >= test.from && m.sentDay < test.before;
    case 'emailId': return m.emailId === test.id;
    case 'header': return m.header[test.field] !== undefined && contains(fold(m.header[test.field] ?? ''), test.needle);
    case 'text': return contains(fold(`${test.in === 'all' ? JSON.stringify(m.header) : ''}\n${m.body}`), test.needle);
  }
}

/** Tells what it was asked for how many messages. */
class Reading implements SearchSource {
  readonly asked: (readonly [number, ...string[]])[] = [];
  constructor(private readonly mails: readonly Mail[]) {}
  async matching(uids: Uint32Array, tests: readonly SourceTest[]): Promise<Uint32Array> {
    this.asked.push([uids.length, ...tests.map((t) => t.by)]);
    const wanted = new Set(uids);
    return Uint32Array.from(this.mails.filter((m) => wanted.has(m.uid) && tests.every((t) => passes(m, t))).map((m) => m.uid));
  }
}

function contextOf(mails: readonly Mail[], more: Partial<SearchContext> = {}): SearchContext & { readonly source: Reading } {
  const sets = [...new Set(mails.map((m) => m.flags.join(' ')))];
  return {
    snapshot: {
      uids: Uint32Array.from(mails, (m) => m.uid), modSeqs: Float64Array.from(mails, (m) => m.modSeq),
      flags: Uint32Array.from(mails, (m) => sets.indexOf(m.flags.join(' '))), flagSets: sets.map((s) => s.split(' ').filter((f) => f !== '')),
    },
    numbers: { size: mails.length, uid: (seq) => mails[seq - 1]?.uid as number },
    saved: new Uint32Array(), now: NOW, startOfDay: (day) => day * DAY,
    ...more, source: new Reading(mails),
  };
}
const found = async (key: SearchKey, context: SearchContext) => [...(await runSearch(compileSearch(key), context))];
const flag = (f: string): SearchKey => ({ key: 'FLAG', flag: f });

describe('a search', () => {
  const mails = [
    mail(3, { flags: ['$Work', '\\Seen'], header: { subject: '会議のお知らせ', from: 'Ann <ann@x.test>' }, sentDay: 98, body: 'hello' }),
    mail(5, { flags: ['\\Seen'], size: 200, receivedAt: 99 * DAY - 1, header: { subject: 'Ｒｅ： lunch', 'x-empty': '' }, sentDay: 99 }),
    mail(9, { size: 300, receivedAt: 98 * DAY, savedAt: 97 * DAY, body: 'ｶﾞｲﾄﾞ' }),
    mail(12, { flags: ['\\Flagged'], emailId: 'E3' }),
  ];
  it.each<readonly [SearchKey, readonly number[]]>([
    [{ key: 'ALL' }, [3, 5, 9, 12]],
    [{ key: 'SAVEDATESUPPORTED' }, [3, 5, 9, 12]],
    [flag('\\seen'), [3, 5]],
    [flag('$WORK'), [3]],
    [flag('\\Recent'), [5]],
    [{ key: 'not', of: flag('\\Seen') }, [9, 12]],
    [{ key: 'and', of: [] }, [3, 5, 9, 12]],
    [{ key: 'or', of: [flag('\\Flagged'), flag('$Work')] }, [3, 12]],
    [{ key: 'UID', set: [4, 9] }, [5, 9]],
    [{ key: 'UID', set: [9, 4, 12, 12, 5, 5] }, [5, 9, 12]],
    [{ key: 'UID', set: [1000, 0] }, [12]],
    [{ key: 'UID', set: '$' }, [5, 12]],
    [{ key: 'SEQUENCE', set: '$' }, [5, 12]],
    [{ key: 'SEQUENCE', set: [2, 3] }, [5, 9]],
    [{ key: 'SEQUENCE', set: [0, 3] }, [9, 12]],
    [{ key: 'SEQUENCE', set: [77, 99] }, []],
    [{ key: 'MODSEQ', modSeq: 90 }, [9, 12]],
    [{ key: 'SIZE', than: 'larger', octets: 200 }, [9]],
    [{ key: 'SIZE', than: 'smaller', octets: 200 }, [3, 12]],
    [{ key: 'AGE', than: 'older', seconds: 86_400 }, [5, 9]],
    [{ key: 'AGE', than: 'younger', seconds: 86_400 }, [3, 12]],
    [{ key: 'DAY', of: 'internal', when: 'before', day: 99 }, [5, 9]],
    [{ key: 'DAY', of: 'internal', when: 'on', day: 98 }, [5, 9]],
    [{ key: 'DAY', of: 'internal', when: 'since', day: 99 }, [3, 12]],
    [{ key: 'DAY', of: 'saved', when: 'before', day: 98 }, [9]],
    [{ key: 'DAY', of: 'sent', when: 'on', day: 98 }, [3]],
    [{ key: 'DAY', of: 'sent', when: 'since', day: 0 }, [3, 5]],
    [{ key: 'EMAILID', id: 'E3' }, [3, 12]],
    [{ key: 'THREADID', id: 'T1' }, []],
    [{ key: 'ENVELOPE', field: 'subject', text: 'RE: L' }, [5]],
    [{ key: 'ENVELOPE', field: 'from', text: '' }, [3]],
    [{ key: 'HEADER', field: 'x-empty', text: '' }, [5]],
    [{ key: 'BODY', text: 'ガイド' }, [9]],
    [{ key: 'TEXT', text: '会議' }, [3]],
    [{ key: 'BODY', text: '会議' }, []],
    [{ key: 'BODY', text: '' }, [3, 5, 9, 12]],
  ])('for %j finds %j', async (key, expected) => {
    const context = contextOf(mails, { saved: Uint32Array.of(5, 7, 12), isRecent: (uid) => uid === 5 });
    expect(await found(key, context)).toEqual(expected);
  });

  it('asks for text last, and only of what all else has left', async () => {
    const context = contextOf(mails);
    const key: SearchKey = {
      key: 'and', of: [
        { key: 'TEXT', text: 'x' }, { key: 'ENVELOPE', field: 'subject', text: 'e' }, { key: 'SIZE', than: 'larger', octets: 1 },
        { key: 'and', of: [flag('\\Seen'), { key: 'DAY', of: 'sent', when: 'since', day: 1 }, { key: 'EMAILID', id: 'E5' }] },
      ],
    };
    await found(key, context);
    expect(context.source.asked).toEqual([[2, 'size', 'emailId'], [1, 'header', 'sent'], [1, 'text']]);
  });

  it('does not ask for the text of what a cheaper alternative has found', async () => {
    const context = contextOf(mails);
    await found({ key: 'or', of: [{ key: 'BODY', text: 'x' }, flag('\\Seen')] }, context);
    expect(context.source.asked).toEqual([[2, 'text']]);
  });

  it('asks nobody for what flags answer, or when nothing is left', async () => {
    const context = contextOf(mails);
    await found({ key: 'and', of: [{ key: 'TEXT', text: 'x' }, flag('\\Draft')] }, context);
    expect(context.source.asked).toEqual([]);
  });

  it('does not find what the session has not been told of, and no message in an empty mailbox', async () => {
    expect(await found({ key: 'ALL' }, contextOf(mails, { numbers: { size: 2, uid: (seq) => mails[seq - 1]?.uid as number } }))).toEqual([3, 5]);
    expect(await found({ key: 'ALL' }, contextOf(mails, { count: 1 }))).toEqual([3]);
    expect(await found({ key: 'UID', set: [1, 0] }, contextOf([]))).toEqual([]);
    expect(await found({ key: 'SEQUENCE', set: [1, 0] }, contextOf([]))).toEqual([]);
  });

  it('knows whether it asks for MODSEQ', () => {
    expect(compileSearch({ key: 'or', of: [{ key: 'ALL' }, { key: 'not', of: { key: 'MODSEQ', modSeq: 1 } }] }).asksModSeq).toBe(true);
    expect(compileSearch({ key: 'ALL' }).asksModSeq).toBe(false);
  });
});

/** RFC 9051 §6.4.4 read word by word. */
function matches(key: SearchKey, m: Mail, seq: number, largest: { uid: number; seq: number }): boolean {
  const inSet = (set: readonly number[] | '$', n: number, star: number): boolean =>
    set !== '$' && set.some((_, i) => i % 2 === 0 && between(n, set[i] || star, set[i + 1] || star));
  switch (key.key) {
    case 'and': return key.of.every((k) => matches(k, m, seq, largest));
    case 'or': return key.of.some((k) => matches(k, m, seq, largest));
    case 'not': return !matches(key.of, m, seq, largest);
    case 'FLAG': return m.flags.some((f) => f.toLowerCase() === key.flag.toLowerCase());
    case 'UID': return inSet(key.set, m.uid, largest.uid);
    case 'SEQUENCE': return inSet(key.set, seq, largest.seq);
    case 'MODSEQ': return m.modSeq >= key.modSeq;
    case 'SIZE': return key.than === 'larger' ? m.size > key.octets : m.size < key.octets;
    case 'BODY': return fold(m.body).includes(fold(key.text));
    case 'ENVELOPE': return m.header[key.field] !== undefined && fold(m.header[key.field] ?? '').includes(fold(key.text));
    default: return true;
  }
}
const between = (n: number, a: number, b: number): boolean => n >= Math.min(a, b) && n <= Math.max(a, b);

const word = fc.constantFrom('', 'a', 'ab', '会', '会議', 'カ', 'ガ', 'ｶﾞ');
const number = fc.nat({ max: 12 });
const set = fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 4 }).map((pairs) => pairs.flat());
const { tree } = fc.letrec<{ tree: SearchKey }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('\\Seen', '\\Flagged', 'K').map(flag),
    set.map((s): SearchKey => ({ key: 'UID', set: s })),
    set.map((s): SearchKey => ({ key: 'SEQUENCE', set: s })),
    number.map((n): SearchKey => ({ key: 'MODSEQ', modSeq: n })),
    number.map((n): SearchKey => ({ key: 'SIZE', than: 'larger', octets: n })),
    number.map((n): SearchKey => ({ key: 'SIZE', than: 'smaller', octets: n })),
    word.map((text): SearchKey => ({ key: 'BODY', text })),
    word.map((text): SearchKey => ({ key: 'ENVELOPE', field: 'subject', text })),
    fc.array(tie('tree'), { maxLength: 4 }).map((of): SearchKey => ({ key: 'and', of })),
    fc.array(tie('tree'), { minLength: 2, maxLength: 2 }).map((of): SearchKey => ({ key: 'or', of })),
    tie('tree').map((of): SearchKey => ({ key: 'not', of })),
  ),
}));
const mailbox = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 10 }).chain((uids) =>
  fc.tuple(...uids.sort((a, b) => a - b).map((uid) =>
    fc.record({ modSeq: number, size: number, flags: fc.subarray(['\\Flagged', '\\Seen', 'k']), body: word, subject: fc.option(word, { nil: undefined }) })
      .map(({ subject, ...m }) => mail(uid, { ...m, header: subject === undefined ? {} : { subject } })))));

describe('any search in any mailbox', () => {
  it('finds what looking at one message after the other finds', () =>
    fc.assert(
      fc.asyncProperty(tree, mailbox, async (key, mails) => {
        const largest = { uid: mails.at(-1)?.uid ?? 0, seq: mails.length };
        expect(await found(key, contextOf(mails))).toEqual(mails.filter((m, i) => matches(key, m, i + 1, largest)).map((m) => m.uid));
      }),
      { numRuns: 500 },
    ));
});

describe('a mailbox of 1,000,000', () => {
  const N = 1_000_000;
  const snapshot = {
    uids: Uint32Array.from({ length: N }, (_, i) => i * 2 + 1), modSeqs: Float64Array.from({ length: N }, (_, i) => i),
    flags: Uint32Array.from({ length: N }, (_, i) => (i * 7) % 5), flagSets: [[], ['\\Seen'], ['\\Flagged', '\\Seen'], ['\\Deleted'], ['$Junk']],
  };
  it('is searched by flags in well under a tenth of a second', async () => {
    const context = { ...contextOf([]), snapshot, numbers: { size: N, uid: (seq: number) => seq * 2 - 1 } };
    const program = compileSearch({ key: 'and', of: [{ key: 'not', of: flag('\\Seen') }, { key: 'not', of: flag('\\Deleted') }] });
    let best = Infinity; // of several: the machine may have other work
    for (let i = 0; i < 60 && best >= 100; i++) {
      const started = performance.now();
      expect((await runSearch(program, context)).length).toBe(400_000);
      best = Math.min(best, performance.now() - started);
    }
    expect(best).toBeLessThan(100);
  }, 60_000);
});
