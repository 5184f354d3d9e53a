import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fold } from '../kernel/fold.js';
import { given } from '../kernel/given.js';
import { Refusal } from '../kernel/decider.js';
import type { Host, Route } from '../routing/hosts.js';
import { canonicalPeer, rowFinder } from './peer.js';
import { TLS_MODES, type TlsRow } from './row.js';
import { tlsPolicy, type TlsPolicyCommand, type TlsPolicyEvent } from './table.js';
import { tlsPolicyView } from './views.js';

const row = (peer: string, mode: TlsRow['mode'] = 'required', more: Partial<TlsRow> = {}): TlsRow => ({ peer, mode, ...more });
const put = (r: TlsRow, at: number): TlsPolicyEvent => ({ type: 'TlsPolicyChanged', data: { put: { row: r, at } } });
const removed = (peer: string): TlsPolicyEvent => ({ type: 'TlsPolicyChanged', data: { removed: peer } });
const never = (...neverOffered: string[]): TlsPolicyEvent => ({ type: 'TlsPolicyChanged', data: { neverOffered } });
const add = (r: TlsRow, before?: string | null): TlsPolicyCommand => ({ type: 'AddTlsRow', row: r, before });
const change = (peer: string, changes: object, before?: string | null): TlsPolicyCommand => ({ type: 'ChangeTlsRow', peer, changes, before });
const remove = (peer: string): TlsPolicyCommand => ({ type: 'RemoveTlsRow', peer });
const history = given(tlsPolicy);
const abc = [put(row('a.test'), 0), put(row('b.test'), 1), put(row('c.test'), 2)] as const;

describe('the TLS table', () => {
  it('gets new rows at its end, in canonical form', () =>
    history(put(row('a.test'), 0)).when(add(row('*.日本語.JP', 'off', { note: '' }))).then(put(row('*.xn--wgv71a119e.jp', 'off'), 1)));
  it('gets a new row in front of another when asked', () => history(...abc).when(add(row('x.test'), 'B.test')).then(put(row('x.test'), 1)));
  it('takes the same row twice in silence, another of the same peer not at all', () => {
    history(...abc).when(add(row('B.TEST'))).thenNothing();
    history(...abc).when(add(row('b.test', 'off'))).refuses('tls-row-exists');
  });
  it('changes a row in its place', () =>
    history(...abc).when(change('b.test', { mode: 'verified', min: 'TLSv1.2', note: 'a partner' })).then(put(row('b.test', 'verified', { min: 'TLSv1.2', note: 'a partner' }), 1)));
  it('moves a row', () => {
    history(...abc).when(change('c.test', {}, 'a.test')).then(put(row('c.test'), 0));
    history(...abc).when(change('a.test', {}, null)).then(put(row('a.test'), 2));
    history(...abc).when(change('c.test', {}, null)).thenNothing();
    history(...abc).when(change('a.test', {}, 'gone.test')).refuses('no-such-tls-row');
    history(...abc).when(change('a.test', {}, 'a.test')).refuses('no-such-tls-row');
  });
  it('takes a detail of a row away', () =>
    history(put(row('a.test', 'required', { min: 'TLSv1', max: 'TLSv1.2', note: 'old' }), 0))
      .when(change('a.test', { min: null, max: null, note: null, mode: undefined })).then(put(row('a.test'), 0)));
  it('records nothing when a row stays as it is', () => history(...abc).when(change('b.test', { mode: 'required' })).thenNothing());
  it('loses rows', () => {
    history(...abc).when(remove('B.test')).then(removed('b.test'));
    history(...abc).when(remove('gone.test')).refuses('no-such-tls-row');
    history(...abc, removed('b.test')).when(remove('b.test')).refuses('no-such-tls-row');
    history().when(change('a.test', {})).refuses('no-such-tls-row');
  });
  it('keeps the list of clients that are not offered STARTTLS', () => {
    const list = (add?: readonly string[], remove?: readonly string[]): TlsPolicyCommand => ({ type: 'ChangeNeverOffered', add, remove });
    history().when(list(['192.0.2.0/24', '2001:DB8::/32'])).then(never('192.0.2.0/24', '2001:db8::/32'));
    history(never('10.*')).when(list(['10.*', '192.0.2.1'])).then(never('10.*', '192.0.2.1'));
    history(never('10.*')).when(list(['10.*'], ['192.0.2.1'])).thenNothing();
    history(never('10.*', '2001:db8::1')).when(list([], ['2001:DB8::1'])).then(never('10.*'));
    history().when(list(['x.test'])).refuses('bad-tls-row');
    history().when(list(Array.from({ length: 10_001 }, (_, n) => `10.0.${n >> 8}.${n & 255}`))).refuses('bad-tls-row');
  });
  it('has room for 500 rows', () => {
    const full = Array.from({ length: 500 }, (_, n) => put(row(`h${n}.test`), n));
    history(...full).when(add(row('one-more.test'))).refuses('too-many-tls-rows');
    history(...full).when(add(row('h7.test'))).thenNothing();
  });

  it.each(TLS_MODES)('knows the mode %s', (mode) => history().when(add(row('x.test', mode))).then(put(row('x.test', mode), 0)));

  it.each([
    [{ peer: '', mode: 'off' }, 'peer: expected a domain'],
    [{ peer: 'a b', mode: 'off' }, 'peer: expected a domain'],
    [{ peer: 'mx.*.test', mode: 'off' }, 'peer: expected a domain'],
    [{ peer: '192.0.2.0/33', mode: 'off' }, 'peer: expected a domain'],
    [{ peer: 'x.test', mode: 'maybe' }, 'mode: expected one of off, opportunistic'],
    [{ peer: 'x.test', mode: 'required', min: 'SSLv3' }, 'versions: expected one of TLSv1'],
    [{ peer: 'x.test', mode: 'required', min: 'TLSv1.3', max: 'TLSv1.2' }, 'versions: TLSv1.3 is newer than TLSv1.2'],
    [{ peer: 'x.test', mode: 'off', max: 'TLSv1.2' }, 'mode off uses no TLS'],
    [{ peer: 'x.test', mode: 'off', note: 'a\nb' }, 'note: expected at most 200'],
    [{ peer: 'x.test', mode: 'off', note: 'x'.repeat(201) }, 'note: expected at most 200'],
  ])('refuses %j in words', (bad, words) => {
    const attempt = (): unknown => tlsPolicy.decide(add(bad as TlsRow), tlsPolicy.initial);
    expect(attempt).toThrow(Refusal);
    expect(attempt).toThrow(words);
  });

  it('is one row of the view, in order', () => {
    const events = [...abc, put(row('c.test', 'off'), 0), removed('a.test'), never('10.*')];
    const stored = events.map((event, i) => ({ stream: 'tls-policy', event: { id: `${i}`, version: 1, at: i, actor: 'admin:ann', correlation: 'r', ...event } }));
    expect(fold(tlsPolicyView, stored)).toEqual([
      { id: 1, policy: '{"rows":[{"peer":"c.test","mode":"off"},{"peer":"b.test","mode":"required"}],"neverOffered":["10.*"]}' },
    ]);
  });

  it('keeps each peer once, and what it was told last, whatever is done to it', () => {
    const peer = fc.constantFrom('a.test', 'b.test', 'c.test', '*');
    const before = fc.option(peer, { nil: undefined });
    const mode = fc.constantFrom(...TLS_MODES);
    const command: fc.Arbitrary<TlsPolicyCommand> = fc.oneof(
      fc.record({ type: fc.constant('AddTlsRow' as const), row: fc.record({ peer, mode }), before }),
      fc.record({ type: fc.constant('ChangeTlsRow' as const), peer, changes: fc.record({ mode }), before }),
      fc.record({ type: fc.constant('RemoveTlsRow' as const), peer }),
    );
    fc.assert(fc.property(fc.array(command), (commands) => {
      let state = tlsPolicy.initial;
      for (const c of commands) {
        try {
          state = tlsPolicy.decide(c, state).reduce((s, e) => tlsPolicy.evolve(s, e), state);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
          continue;
        }
        expect(new Set(state.rows.map((r) => r.peer)).size).toBe(state.rows.length);
        if (c.type === 'RemoveTlsRow') expect(state.rows.map((r) => r.peer)).not.toContain(c.peer);
        if (c.type === 'ChangeTlsRow') expect(state.rows.find((r) => r.peer === c.peer)?.mode).toBe(c.changes.mode);
      }
    }));
  });
});

describe('a peer', () => {
  it.each([
    ['*', '*'], ['X.Test', 'x.test'], ['*.X.test', '*.x.test'], ['192.0.2.1', '192.0.2.1'], ['2001:DB8::/32', '2001:db8::/32'], ['10.*', '10.*'], ['gw', 'gw'],
  ])('written %s is kept as %s', (text, kept) => expect(canonicalPeer(text)).toBe(kept));

  it('is its own canonical form, and nothing throws', () =>
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.domain(), fc.ipV4(), fc.ipV6()), (text) => {
      const peer = canonicalPeer(text);
      if (peer !== undefined) expect(canonicalPeer(peer)).toBe(peer);
    })));

  const host = (name: string, ip = '192.0.2.25'): Host => ({ name, ip, port: 25, preference: 10, secure: false });
  const mx = (domain: string): Route => ({ kind: 'mx', domain });
  const gateway: Route = { kind: 'gateway', host: 'Relay.y.test', port: 587, implicitTls: false };
  it.each([
    ['x.test', host('mx.z.test'), mx('x.test'), true],
    ['mx.z.test', host('mx.z.test'), mx('x.test'), true],
    ['z.test', host('mx.z.test'), mx('x.test'), false],
    ['*.z.test', host('mx.z.test'), mx('x.test'), true],
    ['*.z.test', host('a.mx.z.test'), mx('x.test'), true],
    ['*.x.test', host('mx.z.test'), mx('x.test'), false],
    ['*.z.test', host('mx.evilz.test'), mx('x.test'), false],
    ['relay.y.test', host('10.0.0.1', '10.0.0.1'), gateway, true],
    ['10.0.0.0/8', host('10.0.0.1', '10.0.0.1'), gateway, true],
    ['10.0.0.0/8', host('mx.z.test'), mx('x.test'), false],
    ['192.0.2.25', host('192.0.2.25'), mx('[192.0.2.25]'), true],
    ['*', host('mx.z.test'), mx('x.test'), true],
  ])('%s fits %j of %j: %s', (peer, h, route, yes) => expect(rowFinder({ rows: [row(peer)] })(h, route) !== undefined).toBe(yes));

  it('is found by the first row that fits', () => {
    const find = rowFinder({ rows: [row('mx.z.test', 'off'), row('*.z.test', 'verified'), row('*', 'tls-only')] });
    expect(['mx.z.test', 'mx2.z.test', 'mx.q.test'].map((name) => find(host(name), mx('x.test'))?.mode)).toEqual(['off', 'verified', 'tls-only']);
  });
});
