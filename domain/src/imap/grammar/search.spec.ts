import { describe, expect, it } from '@jest/globals';
import { bytes, hear, raw, read } from './testing.js';
import { SEARCH_LIMITS } from './search-key.js';

const flag = (name: string) => ({ key: 'FLAG', flag: name });
const not = (of: unknown) => ({ key: 'not', of });

describe('a search key', () => {
  it.each([
    ['ALL', { key: 'ALL' }],
    ['answered', flag('\\Answered')],
    ['UNANSWERED', not(flag('\\Answered'))],
    ['DELETED', flag('\\Deleted')],
    ['UNDELETED', not(flag('\\Deleted'))],
    ['DRAFT', flag('\\Draft')],
    ['UNDRAFT', not(flag('\\Draft'))],
    ['FLAGGED', flag('\\Flagged')],
    ['UNFLAGGED', not(flag('\\Flagged'))],
    ['SEEN', flag('\\Seen')],
    ['UNSEEN', not(flag('\\Seen'))],
    ['RECENT', flag('\\Recent')],
    ['OLD', not(flag('\\Recent'))],
    ['NEW', { key: 'and', of: [flag('\\Recent'), not(flag('\\Seen'))] }],
    ['KEYWORD $Junk', flag('$Junk')],
    ['UNKEYWORD work', not(flag('work'))],
    ['FROM ann', { key: 'ENVELOPE', field: 'from', text: 'ann' }],
    ['TO "ann b"', { key: 'ENVELOPE', field: 'to', text: 'ann b' }],
    ['CC {3}\r\nann', { key: 'ENVELOPE', field: 'cc', text: 'ann' }],
    ['BCC ""', { key: 'ENVELOPE', field: 'bcc', text: '' }],
    ['SUBJECT "見積"', { key: 'ENVELOPE', field: 'subject', text: '見積' }],
    ['HEADER X-Spam yes', { key: 'HEADER', field: 'x-spam', text: 'yes' }],
    ['BODY x', { key: 'BODY', text: 'x' }],
    ['TEXT NIL', { key: 'TEXT', text: 'NIL' }],
    ['BEFORE 1-Jan-1970', { key: 'DAY', of: 'internal', when: 'before', day: 0 }],
    ['ON "02-feb-1970"', { key: 'DAY', of: 'internal', when: 'on', day: 32 }],
    ['SINCE 31-Dec-1969', { key: 'DAY', of: 'internal', when: 'since', day: -1 }],
    ['SENTBEFORE 29-Feb-2024', { key: 'DAY', of: 'sent', when: 'before', day: 19_782 }],
    ['SENTON 1-Jan-1970', { key: 'DAY', of: 'sent', when: 'on', day: 0 }],
    ['SENTSINCE 1-Jan-1970', { key: 'DAY', of: 'sent', when: 'since', day: 0 }],
    ['SAVEDBEFORE 1-Jan-1970', { key: 'DAY', of: 'saved', when: 'before', day: 0 }],
    ['SAVEDON 1-Jan-1970', { key: 'DAY', of: 'saved', when: 'on', day: 0 }],
    ['SAVEDSINCE 1-Jan-1970', { key: 'DAY', of: 'saved', when: 'since', day: 0 }],
    ['SAVEDATESUPPORTED', { key: 'SAVEDATESUPPORTED' }],
    ['OLDER 3600', { key: 'AGE', than: 'older', seconds: 3600 }],
    ['YOUNGER 1', { key: 'AGE', than: 'younger', seconds: 1 }],
    ['LARGER 0', { key: 'SIZE', than: 'larger', octets: 0 }],
    ['SMALLER 9000000000', { key: 'SIZE', than: 'smaller', octets: 9_000_000_000 }],
    ['UID 1:*', { key: 'UID', set: [1, 0] }],
    ['UID $', { key: 'UID', set: '$' }],
    ['UIDAFTER 25000', { key: 'UID', set: [25_001, 4_294_967_295] }],
    ['uidafter 4294967295', { key: 'UID', set: [] }],
    ['UIDBEFORE 2', { key: 'UID', set: [1, 1] }],
    ['UIDBEFORE 1', { key: 'UID', set: [] }],
    ['2,4:7', { key: 'SEQUENCE', set: [2, 2, 4, 7] }],
    ['*', { key: 'SEQUENCE', set: [0, 0] }],
    ['$', { key: 'SEQUENCE', set: '$' }],
    ['MODSEQ 620162338', { key: 'MODSEQ', modSeq: 620162338 }],
    ['MODSEQ 0', { key: 'MODSEQ', modSeq: 0 }],
    ['MODSEQ "/flags/\\\\draft" all 620162338', { key: 'MODSEQ', modSeq: 620162338, flag: '\\draft' }],
    ['EMAILID M6d99ac3275bb4e', { key: 'EMAILID', id: 'M6d99ac3275bb4e' }],
    ['THREADID T_-1', { key: 'THREADID', id: 'T_-1' }],
    ['NOT SEEN', not(flag('\\Seen'))],
    ['OR SEEN (DRAFT)', { key: 'or', of: [flag('\\Seen'), flag('\\Draft')] }],
    ['OR NOT 1 OR 2 3', { key: 'or', of: [not({ key: 'SEQUENCE', set: [1, 1] }), { key: 'or', of: [{ key: 'SEQUENCE', set: [2, 2] }, { key: 'SEQUENCE', set: [3, 3] }] }] }],
    ['SEEN (DRAFT NOT (ALL 1))', { key: 'and', of: [flag('\\Seen'), { key: 'and', of: [flag('\\Draft'), not({ key: 'and', of: [{ key: 'ALL' }, { key: 'SEQUENCE', set: [1, 1] }] })] }] }],
  ])('%j is read', (keys, search) => {
    expect(read(`SEARCH ${keys}`)).toEqual({ uid: false, verb: 'SEARCH', search });
    expect(read(`UID SEARCH RETURN () CHARSET UTF-8 ${keys}`)).toMatchObject({ uid: true, verb: 'SEARCH', search });
  });

  it.each([
    '', ' ', 'FOO', '()', '(SEEN', 'SEEN)', 'SEEN  DRAFT', 'SEEN ', 'NOT', 'NOT ', 'OR SEEN', 'OR SEEN ', 'FROM', 'FROM ', 'HEADER X', 'HEADER "a b" x', 'HEADER "" x', 'HEADER é x', 'KEYWORD', 'KEYWORD \\Seen', 'BEFORE x',
    'BEFORE 30-Feb-2024', 'BEFORE 29-Feb-2023', 'BEFORE 0-Jan-2024', 'BEFORE 1-Foo-2024', 'BEFORE 1-Jan-24', 'BEFORE "1-Jan-2024', 'BEFORE 1-Jan-2024"', 'BEFORE 111-Jan-2024', 'OLDER 0', 'OLDER x', 'LARGER -1', 'LARGER 1x',
    'UID', 'UID 0', 'UID x', 'UIDAFTER 0', 'UIDAFTER *', 'UIDBEFORE 1:2', 'UIDBEFORE', 'UIDAFTER 4294967296', 'MODSEQ x', 'MODSEQ "/flags/x" foo 1', 'MODSEQ "/foo/x" all 1', 'EMAILID "x"', 'EMAILID a.b', '1:', 'SEEN(DRAFT)', 'TEXT "\xff', 'RETURN (ALL)', 'CHARSET UTF-8', 'CHARSET UTF-8 ', 'ALL CHARSET UTF-8', 'CONSTRUCTOR',
  ])('%j is refused', (keys) => expect(read(`SEARCH ${keys}`)).toMatchObject({ status: 'BAD', verb: 'SEARCH' }));

  it('may be nested and many up to the limits', () => {
    const nested = (depth: number) => `${'('.repeat(depth)}ALL${')'.repeat(depth)}`;
    expect(read(`SEARCH ${nested(SEARCH_LIMITS.depth)}`)).toMatchObject({ search: { key: 'ALL' } });
    expect(read(`SEARCH ${nested(SEARCH_LIMITS.depth + 1)}`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
    expect(read(`SEARCH ${'NOT '.repeat(30_00)}ALL`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
    expect(read(`SEARCH ${Array<string>(SEARCH_LIMITS.keys).fill('ALL').join(' ')}`)).toMatchObject({ verb: 'SEARCH' });
    expect(read(`SEARCH ${Array<string>(SEARCH_LIMITS.keys + 1).fill('ALL').join(' ')}`)).toMatchObject({ status: 'NO', code: 'LIMIT' });
  });
});

describe('the text of a search', () => {
  const japanese = {
    'ISO-2022-JP': '\x1b$B8+@Q\x1b(B',
    shift_jis: '\x8c\xa9\x90\xcf',
    'euc-jp': '\xb8\xab\xc0\xd1',
    'utf-8': '\xe8\xa6\x8b\xe7\xa9\x8d',
  };

  it.each(Object.entries(japanese))('is decoded from %s, as a literal and quoted', (name, octets) => {
    const heard = hear(raw(`t SEARCH CHARSET ${name} SUBJECT {${octets.length}}\r\n${octets}\r\nt SEARCH CHARSET "${name}" SUBJECT "${octets}"\r\n`));
    for (const said of heard.said) expect(said).toMatchObject({ search: { key: 'ENVELOPE', field: 'subject', text: '見積' } });
    expect(heard.said).toHaveLength(2);
  });

  it.each([['US-ASCII', '\xe9'], ['UTF-8', '\xe9'], ['EUC-JP', '\xb8'], ['SHIFT_JIS', '\x8c'], ['ISO-2022-JP', '\x1b$B8\x1b(B'], ['ISO-2022-JP', '\xb8\xab']])('that is no %s is refused, and the next is not harmed by it', (name, octets) => {
    const { said } = hear(raw(`a SEARCH CHARSET ${name} BODY {${octets.length}}\r\n${octets}\r\nb SEARCH CHARSET ${name} BODY abc\r\n`));
    expect(said).toMatchObject([{ tag: 'a', status: 'BAD' }, { tag: 'b', search: { key: 'BODY', text: 'abc' } }]);
  });

  it('in an unknown charset is refused with those that are known', () =>
    expect(read('SEARCH CHARSET KOI8-R BODY x')).toMatchObject({ status: 'NO', code: 'BADCHARSET (US-ASCII UTF-8 ISO-2022-JP SHIFT_JIS EUC-JP)' }));

  it('names no charset once UTF8=ACCEPT is enabled', () =>
    expect(read('SEARCH CHARSET UTF-8 ALL', { utf8: true, utf8Accept: true })).toMatchObject({ status: 'BAD' }));

  it('of a Japanese mailbox has the same bytes as it was typed', () => expect(hear(bytes('t SEARCH TEXT "日本 \\"語\\""\r\n')).said).toMatchObject([{ search: { text: '日本 "語"' } }]));
});

describe('what a search returns', () => {
  const no = { min: false, max: false, all: false, count: false, save: false };

  it.each([
    ['RETURN () ', { ...no, all: true }],
    ['RETURN (MIN max COUNT) ', { ...no, min: true, max: true, count: true }],
    ['RETURN (SAVE) ', { ...no, save: true }],
    ['RETURN (ALL SAVE) ', { ...no, all: true, save: true }],
    ['RETURN (PARTIAL 1:100) ', { ...no, partial: { first: 1, last: 100 } }],
    ['RETURN (PARTIAL 100:1 COUNT) ', { ...no, count: true, partial: { first: 1, last: 100 } }],
    ['RETURN (PARTIAL -1:-100) ', { ...no, partial: { first: -1, last: -100 } }],
    ['', undefined],
  ])('%jis read', (text, returns) => {
    expect(read(`SEARCH ${text}ALL`).returns).toEqual(returns);
    expect(read(`UID SORT ${text}(ARRIVAL) UTF-8 ALL`).returns).toEqual(returns);
  });

  it.each(['RETURN', 'RETURN (FOO)', 'RETURN (ALL', 'RETURN ALL', 'RETURN (PARTIAL)', 'RETURN (PARTIAL 1)', 'RETURN (PARTIAL 0:1)', 'RETURN (PARTIAL 1:-1)', 'RETURN (PARTIAL 1:4294967296)', 'RETURN (ALL PARTIAL 1:2)', 'RETURN (PARTIAL 1:2 PARTIAL 1:2)', 'RETURN (UPDATE)'])(
    '%j is refused', (text) => expect(read(`SEARCH ${text} ALL`)).toMatchObject({ status: 'BAD' }));
});

describe('SORT and THREAD', () => {
  it.each([
    ['SORT (SUBJECT reverse DATE) UTF-8 SINCE 1-Jan-1970', {
      verb: 'SORT', order: [{ key: 'SUBJECT', reverse: false }, { key: 'DATE', reverse: true }], search: { key: 'DAY', of: 'internal', when: 'since', day: 0 },
    }],
    ['SORT (REVERSE DISPLAYFROM DISPLAYTO ARRIVAL CC FROM SIZE TO) US-ASCII ALL', {
      verb: 'SORT', search: { key: 'ALL' },
      order: [{ key: 'DISPLAYFROM', reverse: true }, ...['DISPLAYTO', 'ARRIVAL', 'CC', 'FROM', 'SIZE', 'TO'].map((key) => ({ key, reverse: false }))],
    }],
    ['THREAD references UTF-8 SEEN DRAFT', { verb: 'THREAD', algorithm: 'REFERENCES', search: { key: 'and', of: [flag('\\Seen'), flag('\\Draft')] } }],
    ['THREAD ORDEREDSUBJECT US-ASCII TEXT "x y"', { verb: 'THREAD', algorithm: 'ORDEREDSUBJECT', search: { key: 'TEXT', text: 'x y' } }],
  ])('%j is read', (line, command) => expect(read(line)).toEqual({ uid: false, ...command }));

  it.each(['SORT', 'SORT ALL', 'SORT () UTF-8 ALL', 'SORT (FOO) UTF-8 ALL', 'SORT (REVERSE) UTF-8 ALL', 'SORT (DATE) UTF-8', 'SORT (REVERSE REVERSE DATE) UTF-8 ALL', 'SORT (DATE ARRIVAL ) UTF-8 ALL', 'THREAD', 'THREAD FOO UTF-8 ALL', 'THREAD REFERENCES UTF-8', 'THREAD REFERENCESX UTF-8 ALL'])(
    '%j is refused', (line) => expect(read(line)).toMatchObject({ status: 'BAD', verb: line.split(' ')[0] }));

  it('need a charset that is known', () => expect(read('SORT (DATE) KOI8-R ALL').code).toMatch(/^BADCHARSET/));
});
