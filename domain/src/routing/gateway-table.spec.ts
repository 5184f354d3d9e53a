import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type GatewayLine, isRow, LARGEST_TABLE, LINE_ERRORS, MOST_LINES, parseRow, parseTable, printTable, rowOf, wordsOf } from './gateway-table.js';

/** As the administrators' notes of E-Post have it: all comment marks, blanks after commas, each kind of target. */
const SAMPLE = `' gateway.dat
;old entries
 * is for all the rest
# ours

*.xx.co.jp, gw1.example.jp, 25
01*.xx.co.jp,192.0.2.7,2525
User@Domain.JP,[2001:DB8:0::1],465*
*|account@tenant.onmicrosoft.com,tenant.mail.protection.outlook.com,25
*|日本語.jp, 日本語.jp ,587, O365
*,smarthost,25
`;

const parsed = (text: string): readonly GatewayLine[] => {
  const { lines, errors } = parseTable(text);
  expect(errors).toEqual([]);
  return lines;
};
const rows = (text: string) => parsed(text).filter(isRow);

describe('a gateway table', () => {
  it('is read with its comments, in its order', () => {
    const lines = parsed(SAMPLE);
    expect(lines.map((line) => (isRow(line) ? 'row' : line.comment))).toEqual(
      ["' gateway.dat", ';old entries', ' * is for all the rest', '# ours', '', 'row', 'row', 'row', 'row', 'row', 'row']);
    expect(lines.filter(isRow)).toEqual([
      { target: '*.xx.co.jp', host: 'gw1.example.jp', port: 25, implicitTls: false },
      { target: '01*.xx.co.jp', host: '192.0.2.7', port: 2525, implicitTls: false },
      { target: 'user@domain.jp', host: '2001:db8::1', port: 465, implicitTls: true },
      { target: '*', sender: 'account@tenant.onmicrosoft.com', host: 'tenant.mail.protection.outlook.com', port: 25, implicitTls: false },
      { target: '*', sender: 'xn--wgv71a119e.jp', host: 'xn--wgv71a119e.jp', port: 587, implicitTls: false, credentials: 'o365' },
      { target: '*', host: 'smarthost', port: 25, implicitTls: false },
    ]);
  });

  it('is printed in canonical form, and read again to the same', () => {
    const text = printTable(parsed(SAMPLE));
    expect(text).toContain('\nuser@domain.jp,[2001:db8::1],465*\n*|account@tenant');
    expect(parsed(text)).toEqual(parsed(SAMPLE));
  });

  it('may end its lines in LF, CRLF, CR or nothing, and begin with a mark', () => {
    for (const text of ['x.jp,gw,25\n\n*,gw,25\n', '\ufeffx.jp,gw,25\r\n\r\n*,gw,25', 'x.jp,gw,25\r\r*,gw,25\r'])
      expect(parsed(text)).toMatchObject([{ target: 'x.jp' }, { comment: '' }, { target: '*' }]);
    expect(parsed('')).toEqual([]);
    expect(parsed('\n')).toEqual([{ comment: '' }]);
  });

  it('knows conditions on the sender: address, domain, wildcard, anyone, and nobody at all', () => {
    expect(rows('x.jp|ann@y.jp,gw,25\nx.jp|*@y.jp,gw,25\nx.jp|*,gw,25\nx.jp|<>,gw,25').map((r) => r.sender)).toEqual(['ann@y.jp', '*@y.jp', undefined, '<>']);
  });

  it.each([
    ['fields', 'x.jp'],
    ['fields', 'x.jp,gw'],
    ['fields', 'x.jp,gw,25,name,more'],
    ['target', ',gw,25'],
    ['target', '|ann@x.jp,gw,25'],
    ['target', 'x..jp,gw,25'],
    ['target', 'a b@x.jp,gw,25'],
    ['target', '*@*@x.jp,gw,25'],
    ['target', '<>,gw,25'],
    ['target', 'x_*$.jp,gw,25'],
    ['target', '"a*"@x.jp,gw,25'],
    ['sender', 'x.jp|,gw,25'],
    ['sender', 'x.jp|a|b@y.jp,gw,25'],
    ['gateway', 'x.jp,,25'],
    ['gateway', 'x.jp,1.2.3,25'],
    ['gateway', 'x.jp,[gw.test],25'],
    ['gateway', 'x.jp,gw test,25'],
    ['gateway', 'x.jp,*.test,25'],
    ['port', 'x.jp,gw,'],
    ['port', 'x.jp,gw,0'],
    ['port', 'x.jp,gw,65536'],
    ['port', 'x.jp,gw,025'],
    ['port', 'x.jp,gw,25**'],
    ['port', 'x.jp,gw,smtp'],
    ['credentials', 'x.jp,gw,25,no name'],
    ['credentials', `x.jp,gw,25,${'x'.repeat(65)}`],
    ['characters', 'x.jp,gw,25\u0000'],
    ['characters', '; \ud800'],
    ['too-long', `; ${'x'.repeat(999)}`],
  ])('tells a line with a wrong %s: %j', (error, line) =>
    expect(parseTable(`*.ok.jp,gw,25\n${line}\n`).errors).toEqual([{ line: 2, error, detail: expect.any(String) }]));

  it('has words for each line at fault, but not for ever', () => {
    expect(wordsOf(parseTable('; fine\nx.jp,gw,smtp\n*,,25').errors)).toBe(`line 2: ${LINE_ERRORS.port} (smtp); line 3: ${LINE_ERRORS.gateway}`);
    expect(wordsOf(parseTable('x\n'.repeat(MOST_LINES)).errors)).toMatch(/line 20: [^;]*; and 9980 more$/);
  });

  it('has at most 10,000 lines and 2 million characters', () => {
    expect(parsed('*,gw,25\n'.repeat(MOST_LINES))).toHaveLength(MOST_LINES);
    expect(parseTable('*,gw,25\n'.repeat(MOST_LINES + 1)).errors).toEqual([{ line: MOST_LINES + 1, error: 'too-many', detail: '' }]);
    expect(parseTable(`;${'x'.repeat(900)}\n`.repeat(Math.ceil(LARGEST_TABLE / 900))).errors).toMatchObject([{ error: 'too-large' }]);
  });
});

const label = fc.stringMatching(/^[a-z0-9]{1,8}$/).map((text) => `${text}x`);
const domain = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const local = fc.constantFrom('ann', 'BOB', 'a+b', '"a b"', "o'hara", '日本', 'a..b');
const pattern = fc.oneof(
  domain, fc.constant('*'), domain.map((d) => `*.${d}`), domain.map((d) => `01*.${d}`), fc.tuple(local, domain).map(([l, d]) => `${l}@${d}`),
  domain.map((d) => `sales*@${d}`), domain.map((d) => `*@*.${d}`), fc.constant('ann@[192.0.2.1]'), domain.map((d) => d.toUpperCase()));
const row = fc.tuple(
  pattern, fc.option(fc.oneof(pattern, fc.constant('<>')), { nil: undefined }), fc.oneof(domain, fc.ipV4(), fc.ipV6().map((ip) => `[${ip}]`)), fc.integer({ min: 1, max: 65_535 }), fc.boolean(),
  fc.option(fc.constantFrom('isp', 'O365', 'a-b.c_d'), { nil: undefined }), fc.constantFrom('', ' ', '  '))
  .map(([target, sender, host, port, star, name, blank]) =>
    `${target}${sender === undefined ? '' : `|${sender}`},${blank}${host}${blank},${blank}${port}${star ? '*' : ''}${name === undefined ? '' : `,${blank}${name}`}`);
const comment = fc.tuple(fc.constantFrom("'", ';', '#', ' ', '\t'), fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.replace(/\p{Cc}/gu, '')))
  .map(([mark, text]) => `${mark}${text}`);

describe('any table', () => {
  it('that is read, printed and read again is the same', () => {
    fc.assert(fc.property(fc.array(fc.oneof(row, comment, fc.constant('')), { maxLength: 20 }), fc.constantFrom('\n', '\r\n'), (texts, end) => {
      const lines = parsed(texts.map((text) => `${text}${end}`).join(''));
      expect(lines).toHaveLength(texts.length);
      expect(lines.map((line) => (isRow(line) ? 'row' : line.comment))).toEqual(texts.map((text) => (/^[';# \t]|^$/.test(text) ? text : 'row')));
      expect(parsed(printTable(lines))).toEqual(lines);
    }));
  });

  it('of nonsense is read to errors, or to what prints and reads again, and never throws', () => {
    const nonsense = fc.string({ unit: fc.constantFrom(...'a1.*@,|[]:"\\ <>;\'#\n\r\té。'), maxLength: 60 });
    fc.assert(fc.property(nonsense, (text) => {
      const { lines, errors } = parseTable(text);
      if (errors.length === 0) expect(parsed(printTable(lines))).toEqual(lines);
    }), { numRuns: 1_000 });
  });
});

describe('a row made of its parts', () => {
  it('is what its line says', () => {
    expect(rowOf({ target: ' X.jp ', sender: '*', host: '::1', port: 25 })).toEqual({ target: 'x.jp', host: '::1', port: 25, implicitTls: false });
    expect(parseRow('X.jp|*,[::1],25')).toEqual({ target: 'x.jp', host: '::1', port: 25, implicitTls: false });
  });

  it.each(['a,b@x.jp', '"a,b"@x.jp', 'a|b@x.jp', "'ann@x.jp", '#ann@x.jp', ';@x.jp'])('is refused when the table could not say it: %s', (target) =>
    expect(rowOf({ target, host: 'gw', port: 25 })).toMatchObject({ error: 'target' }));
});
