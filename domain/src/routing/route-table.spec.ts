import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type GatewayLine, isRow, parseTable } from './gateway-table.js';
import { routeKey } from './hosts.js';
import { matches, parsePattern, PatternIndex, subjectOf } from './pattern.js';
import { gatewayOf, routeOf, RouteTable } from './route-table.js';

const table = (text: string): RouteTable => {
  const { lines, errors } = parseTable(text);
  expect(errors).toEqual([]);
  return new RouteTable(lines);
};
const to = (text: string, address: string, sender = 'me@ours.test'): string => routeKey(routeOf({ address, sender }, table(text)));

describe('a pattern', () => {
  it.each([
    ['*', 'ann@x.jp', true],
    ['x.jp', 'ann@x.jp', true],
    ['x.jp', 'ann@sub.x.jp', false],
    ['*.x.jp', 'ann@sub.x.jp', true],
    ['*.x.jp', 'ann@a.b.x.jp', true],
    ['*.x.jp', 'ann@x.jp', false],
    ['*x.jp', 'ann@x.jp', true],
    ['01*.x.jp', 'ann@01-a.x.jp', true],
    ['01*.x.jp', 'ann@1.x.jp', false],
    ['*a*b*.jp', 'ann@xaxbx.jp', true],
    ['*a*b*.jp', 'ann@xbxax.jp', false],
    ['ann@x.jp', 'ANN@X.JP', true],
    ['ann@x.jp', 'bann@x.jp', false],
    ['s*s@x.jp', 'sales@x.jp', true],
    ['s*s@x.jp', 's@x.jp', false],
    ['*@*.jp', 'ann@x.jp', true],
    ['ann@*', 'ann@anywhere.test', true],
    ['*', 'ann@[192.0.2.1]', true],
    ['[192.0.2.1]', 'ann@[192.0.2.1]', true],
    ['日本語.jp', 'ann@xn--wgv71a119e.jp', true],
  ])('%s against %s', (text, address, fits) => expect(matches(parsePattern(text) ?? 'none', subjectOf(address))).toBe(fits));

  it('takes its time with many stars, but not for ever', () => {
    const pattern = parsePattern(`${'*a'.repeat(30)}*b@x.jp`) ?? '';
    expect(matches(pattern, subjectOf(`${'a'.repeat(64)}@x.jp`))).toBe(false);
  });
});

describe('a route', () => {
  it('is that of the first line that fits', () => {
    const text = 'ann@x.jp,one,25\n*.x.jp,two,25\nx.jp,three,2525*,isp\n*,four,25\nann@x.jp,never,25\n';
    expect(to(text, 'Ann@X.jp')).toBe('gateway one 25 ');
    expect(to(text, 'ann@sub.x.jp')).toBe('gateway two 25 ');
    expect(to(text, 'bob@x.jp')).toBe('gateway three 2525* isp');
    expect(to(text, 'bob@y.jp')).toBe('gateway four 25 ');
    expect(to(`*,all,25\n${text}`, 'ann@x.jp')).toBe('gateway all 25 ');
  });

  it('is the MX of the domain where no line fits', () => {
    expect(to('x.jp,gw,25', 'ann@Y.jp')).toBe('mx y.jp');
    expect(to('', 'ann@日本語.jp')).toBe('mx xn--wgv71a119e.jp');
    expect(to('', 'ann@[192.0.2.1]')).toBe('mx [192.0.2.1]');
    expect(gatewayOf({ address: 'ann@y.jp', sender: '' }, table('x.jp,gw,25'))).toBeUndefined();
  });

  it('may depend on the sender', () => {
    const text = '*|ann@x.jp,one,25\n*|y.jp,two,25\n*|*.y.jp,three,25\nz.jp|<>,four,25\n*,five,25';
    expect(to(text, 'bob@z.jp', 'ANN@x.jp')).toBe('gateway one 25 ');
    expect(to(text, 'bob@z.jp', 'eve@y.jp')).toBe('gateway two 25 ');
    expect(to(text, 'bob@z.jp', 'eve@sub.y.jp')).toBe('gateway three 25 ');
    expect(to(text, 'bob@z.jp', '')).toBe('gateway four 25 ');
    expect(to(text, 'bob@other.jp', '')).toBe('gateway five 25 ');
    expect(to('*|*@*,one,25', 'bob@z.jp', '')).toBe('mx z.jp');
  });

  it('can be explained by the lines that were passed over for the sender', () => {
    const routes = table('; c\nx.jp|ann@x.jp,one,25\ny.jp,two,25\n*|bob@x.jp,three,25\n*,four,25');
    expect(routes.match('a@x.jp', 'cid@x.jp')).toMatchObject({ line: 5 });
    expect(routes.passedOver('a@x.jp', 'cid@x.jp', 5)).toEqual([2, 4]);
  });
});

const domain = fc.constantFrom('a.jp', 'b.jp', 'x.a.jp', 'y.x.a.jp', '01x.a.jp');
const target = fc.constantFrom('*', '*.jp', '*.a.jp', '*a.jp', '01*.a.jp', '01*', '*x*', '*x*.a.jp', 'a.jp', 'b.jp', 'x.a.jp', 'y.x.a.jp', 'ann@a.jp', 'ann@x.a.jp', 'ann@*.jp', 'a*@a.jp', '*@b.jp', 'bob@01x.a.jp');
const sender = fc.oneof(fc.constant(undefined), target, fc.constant('<>'));
const lines = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.tuple(target, sender, fc.integer({ min: 1, max: 65_535 })).map(([t, s, port]): GatewayLine => ({ target: t, ...(s !== undefined && { sender: s }), host: 'gw', port, implicitTls: false })) },
    { weight: 1, arbitrary: fc.constant<GatewayLine>({ comment: '; c' }) }),
  { maxLength: 40 });
const address = fc.tuple(fc.constantFrom('ann', 'bob'), domain).map(([l, d]) => `${l}@${d}`);

describe('any table', () => {
  it('answers as if it were read from the top', () => {
    fc.assert(fc.property(lines, address, fc.oneof(address, fc.constant('')), (all, recipient, from) => {
      const [rcpt, mail] = [subjectOf(recipient), subjectOf(from)];
      const naive = all.findIndex((line) => isRow(line) && matches(line.target, rcpt) && (line.sender === undefined || matches(line.sender, mail))) + 1;
      expect(new RouteTable(all).match(recipient, from)?.line ?? 0).toBe(naive);
    }), { numRuns: 2_000 });
  });

  it('of 10,000 rows does not look at all of them', () => {
    const targets = Array.from({ length: 2_500 }, (_, i) => [`d${i}.test`, `u${i}@mail.test`, `*.s${i}.test`, `*|from${i}@ours.test`]).flat();
    const routes = table(targets.map((t, i) => `${t},gw,${i + 1}`).join('\n'));
    for (const [recipient, from, line] of [['a@d2499.test', '', 9997], ['u2499@mail.test', '', 9998], ['a@x.s2499.test', '', 9999], ['a@b.test', 'from2499@ours.test', 10000]] as const) {
      expect(routes.match(recipient, from)?.line).toBe(line);
    }
    const index = new PatternIndex<string[]>(() => []);
    for (const t of targets) index.place(t.split('|')[0] ?? '').push(t);
    expect(index.places(subjectOf('u7@d7.s7.test')).flat().length).toBeLessThan(2_510); // the rows for all, which only the sender parts
    expect(index.places(subjectOf('u7@mail.test')).flat().filter((t) => !t.startsWith('*|'))).toEqual(['u7@mail.test']);
  });
});
