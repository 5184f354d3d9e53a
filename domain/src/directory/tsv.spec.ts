import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { exportRow, MOST_ROWS, parseList, type ParsedRow, planImport } from './tsv.js';
import { decodeList, linesOf } from './tsv-text.js';

const ID = '10000000-0000-7000-8000-000000000001';
const SAMPLE = 'user\tpass1234\tuser\tdomain.jp\tHome\t1\t1\t0\t1\t1';
const USER = {
  address: 'user@domain.jp',
  password: { kind: 'plain', password: 'pass1234' },
  settings: { fullName: 'user', smtp: true, reversible: true, quota: 0, pop3: true, imap: true },
};
const parse = (text: string, domain?: string): readonly ParsedRow[] => [...parseList(text, domain)];
const row = (changes: Partial<Record<number, string>>): string => SAMPLE.split('\t').map((value, i) => changes[i] ?? value).join('\t');
/** 山田 in Shift_JIS. */
const YAMADA = [0x8e, 0x52, 0x93, 0x63];
const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];

describe('an account list', () => {
  it('is E-Post’s own sample', () => expect(parse(SAMPLE)).toEqual([{ line: 1, ok: true, account: USER }]));

  it('of 8 columns leaves POP3 and IMAP4 on', () =>
    expect(parse('user\tpass1234\tuser\tdomain.jp\tHome\t1\t1\t0')).toEqual([{ line: 1, ok: true, account: USER }]));

  it('may end its lines in LF, CRLF or nothing, and have blank ones', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const rows = parse([SAMPLE, '', row({ 0: 'bob' }), '  ', row({ 0: 'cid' })].join(end));
      expect(rows.map((r) => [r.line, r.ok && r.account.address])).toEqual([[1, 'user@domain.jp'], [3, 'bob@domain.jp'], [5, 'cid@domain.jp']]);
    }
    expect(parse('')).toEqual([]);
  });

  it('may come from a spreadsheet: quotes put around what holds a comma or a quote are taken off, all others stay', () => {
    const read = (name: string, password = 'pw') => {
      const [parsed] = parse(row({ 1: password, 2: name }));
      return parsed?.ok ? [parsed.account.settings.fullName, (parsed.account.password as { password?: string }).password] : undefined;
    };
    expect(read('"Lee, Ann"', '"a""b"')).toEqual(['Lee, Ann', 'a"b']);
    expect(read('"Lee ""Ann"""', '"a,b"')).toEqual(['Lee "Ann"', 'a,b']);
    expect(read('"Ann"', '"pass"')).toEqual(['"Ann"', '"pass"']);
    expect(read('Lee, Ann', '"a"b,"')).toEqual(['Lee, Ann', '"a"b,"']);
    expect(parse(row({ 0: '"ann,lee"' }))).toMatchObject([{ account: { address: '"ann,lee"@domain.jp' } }]);
  });

  it('passes over rows of nothing but tabs, which spreadsheets leave at the end', () =>
    expect(parse(`${SAMPLE}\r\n\t\t\t\t\t\t\t\r\n\r\n`)).toHaveLength(1));

  it('reads every flag and the limit in bytes', () => {
    expect(parse(row({ 5: '0', 6: '0', 7: '104857600', 8: '0', 9: '0' }))).toMatchObject([
      { account: { settings: { smtp: false, reversible: false, quota: 104_857_600, pop3: false, imap: false } } },
    ]);
    expect(parse(row({ 5: '', 6: '', 7: '', 8: '', 9: '' }))).toMatchObject([
      { account: { settings: { smtp: true, reversible: false, quota: 0, pop3: true, imap: true } } },
    ]);
  });

  it('goes into the domain that it is imported into', () => expect(parse(SAMPLE, 'Other.JP')).toMatchObject([{ account: { address: 'user@other.jp' } }]));

  it('folds account and domain to their canonical form, and keeps the password as it is', () =>
    expect(parse(row({ 0: ' Ann.Lee ', 1: ' Pass ', 3: '日本語.jp' }))).toMatchObject([
      { account: { address: 'ann.lee@xn--wgv71a119e.jp', password: { password: ' Pass ' } } },
    ]));

  it.each([
    ['columns', SAMPLE.split('\t').slice(0, 9).join('\t')],
    ['columns', `${SAMPLE}\t1`],
    ['columns', 'user,pass'],
    ['too-long', row({ 4: 'x'.repeat(12_000) })],
    ['bad-account', row({ 0: '' })],
    ['bad-account', row({ 0: 'a b' })],
    ['bad-account', row({ 0: '*' })],
    ['bad-account', row({ 0: 'ann@domain.jp' })],
    ['bad-domain', row({ 3: '' })],
    ['bad-domain', row({ 3: 'x..jp' })],
    ['no-password', row({ 1: '' })],
    ['bad-password', row({ 1: 'x'.repeat(129) })],
    ['bad-password', row({ 1: 'a\u0000b' })],
    ['bad-password', row({ 1: '{KIROKU}damaged' })],
    ['bad-name', row({ 2: 'x'.repeat(201) })],
    ['bad-name', row({ 2: 'a\u0007b' })],
    ['bad-flag', row({ 5: 'yes' })],
    ['bad-flag', row({ 9: '2' })],
    ['bad-limit', row({ 7: '10MB' })],
    ['bad-limit', row({ 7: '-1' })],
    ['bad-limit', row({ 7: '9'.repeat(20) })],
  ])('tells a row with %s and reads on', (error, bad) =>
    expect(parse(`${bad}\n${SAMPLE}`)).toMatchObject([{ line: 1, ok: false, error }, { line: 2, ok: true }]));

  it('never repeats a password in an error', () =>
    expect(JSON.stringify(parse([row({ 1: 'hunter2\u0001' }), row({ 1: '{KIROKU}hunter2' })].join('\n')))).not.toContain('hunter2'));

  it('ends after 100,000 rows', () => {
    const rows = parse(`${SAMPLE}\n`.repeat(MOST_ROWS + 2));
    expect(rows).toHaveLength(MOST_ROWS + 1);
    expect(rows.at(-1)).toMatchObject({ line: MOST_ROWS + 1, ok: false, error: 'too-many-rows' });
  });

  it('is read without an exception whatever it holds', () =>
    fc.assert(
      fc.property(fc.array(fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 11 }), { maxLength: 5 }), (table) =>
        void parse(table.map((columns) => columns.join('\t')).join('\n'))),
    ));

  it('has exactly the lines that were joined', () =>
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[^\r\n]+$/)), fc.constantFrom('\n', '\r\n', '\r'), (lines, end) =>
        expect([...linesOf(lines.join(end))].map((l) => l.line)).toEqual(lines)),
    ));
});

describe('the charset of an account list', () => {
  const text = row({ 2: '山田' });
  const [before, after] = text.split('山田') as [string, string];

  it.each([
    ['utf-8', bytes(text)],
    ['utf-8', [0xef, 0xbb, 0xbf, ...bytes(text)]],
    ['shift_jis', [...bytes(before), ...YAMADA, ...bytes(after)]],
    ['utf-16le', [0xff, 0xfe, ...[...text].flatMap((c) => [c.charCodeAt(0) & 0xff, c.charCodeAt(0) >> 8])]],
  ] as const)('%s is seen', (charset, raw) => expect(decodeList(Uint8Array.from(raw))).toEqual({ text, charset }));

  it('of half-width katakana is Shift_JIS', () => expect(decodeList(Uint8Array.from([0xd4, 0xcf, 0xc0, 0xde]))).toEqual({ text: 'ﾔﾏﾀﾞ', charset: 'shift_jis' }));
  it('is none when the bytes are none of these', () => expect(decodeList(Uint8Array.from([0x80, 0xff, 0xfd]))).toBeUndefined());
});

describe('the plan of an import', () => {
  const domains = new Map([['domain.jp', { accounts: 1, accountLimit: 0 }], ['small.jp', { accounts: 1, accountLimit: 2 }]]);
  const plan = (...lines: string[]) => planImport(parse(lines.join('\n')), { taken: new Set(['ann@domain.jp']), domains });

  it('says of each row whether it is new, there already or wrong', () => {
    expect(plan(row({}), row({ 0: 'ANN' }), row({ 0: 'User' }), row({ 3: 'far.jp' }), 'nonsense')).toMatchObject([
      { line: 1, result: 'new', account: USER },
      { line: 2, result: 'duplicate', address: 'ann@domain.jp' },
      { line: 3, result: 'duplicate', address: 'user@domain.jp', first: 1 },
      { line: 4, result: 'error', error: 'no-such-domain', detail: 'far.jp' },
      { line: 5, result: 'error', error: 'columns' },
    ]);
  });

  it('stops at the limit of a domain', () =>
    expect(plan(row({ 3: 'small.jp' }), row({ 0: 'bob', 3: 'small.jp' }), row({ 0: 'cid' })).map((r) => r.result)).toEqual(['new', 'error', 'new']));
});

describe('an exported account', () => {
  const account = {
    accountId: ID, address: 'ann@x.test', domain: 'x.test', fullName: '山田 花子', credentials: 'v1.sealed', smtp: true, reversible: true,
    quota: 5000, pop3: false, imap: true,
  };

  it('has ten columns and no readable password', () =>
    expect(exportRow(account)).toBe(`ann\t{KIROKU}${ID}:v1.sealed\t山田 花子\tx.test\t\t1\t1\t5000\t0\t1\n`));

  it('comes back with its name, whatever quotes that has', () =>
    fc.assert(fc.property(fc.stringMatching(/^[a-c",]{1,8}$/), (fullName) => {
      expect(parse(exportRow({ ...account, fullName }))).toMatchObject([{ ok: true, account: { settings: { fullName } } }]);
    })));

  it.each(['ann@x.test', '"ann lee"@x.test', '"a@b\\"c"@x.test', '花子@xn--wgv71a119e.jp'])('comes back as it was: %s', (address) => {
    const { fullName, smtp, reversible, quota, pop3, imap } = account;
    expect(parse(exportRow({ ...account, address, domain: address.slice(address.lastIndexOf('@') + 1) }))).toEqual([{
      line: 1, ok: true,
      account: { address, password: { kind: 'protected', owner: ID, sealed: 'v1.sealed' }, settings: { fullName, smtp, reversible, quota, pop3, imap } },
    }]);
  });
});
