import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Host, Route } from '../routing/hosts.js';
import type { TlsDemand } from '../smtp-client/types.js';
import type { Dane } from './dane.js';
import { planTls, type Sts, type TlsPlan, type TlsQuestion } from './demands.js';
import { TLS_MODES, TLS_VERSIONS, type TlsMode, type TlsRow } from './row.js';

const host: Host = { name: 'mx.x.test', ip: '192.0.2.1', port: 25, preference: 10, secure: false };
const mx: Route = { kind: 'mx', domain: 'x.test' };
const gateway: Route = { kind: 'gateway', host: 'gw.y.test', port: 587, implicitTls: false };
const tlsa = { usage: 3, selector: 1, matching: 1, data: 'ab'.repeat(32) };
const none: Dane = { kind: 'none' };
const found: Dane = { kind: 'found', usable: [tlsa] };
const unusable: Dane = { kind: 'found', usable: [] };
const trouble: Dane = { kind: 'trouble', detail: 'no answer' };
const sts = (mode: 'none' | 'testing' | 'enforce', ...names: string[]): Sts => ({ policy: { mode, mx: names, maxAge: 100 } });
const row = (mode: TlsMode, more: Partial<TlsRow> = {}): TlsRow => ({ peer: '*', mode, ...more });

const ask = (question: Partial<TlsQuestion> = {}): TlsPlan =>
  planTls({ host, route: mx, row: undefined, dane: none, sts: {}, requireTls: false, reports: false, ...question });
const short = ({ mode, verify, plainAfterFailure }: TlsDemand): string => `${mode}${verify === 'no' ? '' : ` ${verify}`}${plainAfterFailure === false ? ' not plain' : ''}`;
const said = (question: Partial<TlsQuestion> = {}): string => {
  const plan = ask(question);
  return plan.kind === 'demands' ? plan.demands.map(short).join(', ') : `${plan.kind}: ${plan.reply}`;
};

describe('a connection to an MX', () => {
  it.each<[string, Partial<TlsQuestion>, string]>([
    ['is encrypted when it can be', {}, 'opportunistic, off'],
    ['is held to DANE', { dane: found }, 'required dane'],
    ['is held to DANE rather than to MTA-STS', { dane: found, sts: sts('enforce', 'other.test') }, 'required dane'],
    ['is encrypted without a check when no TLSA record is usable', { dane: unusable }, 'required'],
    ['is held to MTA-STS when no TLSA record is usable', { dane: unusable, sts: sts('enforce', 'mx.x.test') }, 'required mta-sts'],
    ['waits while the TLSA records cannot be had', { dane: trouble }, 'deferred: 451 4.7.5 The TLSA records of mx.x.test cannot be had: no answer'],
    ['waits for TLSA records even where MTA-STS would do', { dane: trouble, sts: sts('enforce', 'mx.x.test') }, 'deferred: 451 4.7.5 The TLSA records of mx.x.test cannot be had: no answer'],
    ['is held to an enforced MTA-STS policy', { sts: sts('enforce', '*.x.test') }, 'required mta-sts'],
    ['is not made when the enforced policy does not name the host', { sts: sts('enforce', 'mx2.x.test') }, 'deferred: 451 4.7.5 The MTA-STS policy of x.test does not name the MX mx.x.test'],
    ['is made as ever under a policy in testing', { sts: sts('testing', '*.x.test') }, 'opportunistic, off'],
    ['is first checked under a policy in testing when somebody wants to hear of it', { sts: sts('testing', '*.x.test'), reports: true }, 'required mta-sts, opportunistic, off'],
    ['is made as ever when the policy in testing does not name the host', { sts: sts('testing', 'mx2.x.test'), reports: true }, 'opportunistic, off'],
    ['is made as ever under a policy that says none', { sts: sts('none') }, 'opportunistic, off'],
    ['is made as ever when the policy cannot be fetched', { sts: { failure: 'sts-policy-fetch-error' } }, 'opportunistic, off'],
  ])('%s', (_, question, expected) => expect(said(question)).toBe(expected));

  it('shows and expects the host name, under DANE also the domain', () => {
    expect(ask({ dane: found })).toMatchObject({ demands: [{ names: ['mx.x.test', 'x.test'], tlsa: [tlsa] }] });
    expect(ask({ sts: sts('enforce', 'mx.x.test') })).toMatchObject({ demands: [{ names: ['mx.x.test'] }] });
  });
});

describe('the administrator’s row', () => {
  const published = { dane: found, sts: sts('enforce', 'mx.x.test') };
  it.each<[TlsMode, string]>([
    ['off', 'off'], ['opportunistic', 'opportunistic, off'], ['required', 'required'], ['verified', 'required pkix'],
  ])('%s decides alone', (mode, expected) => expect(said({ row: row(mode), ...published })).toBe(expected));

  it.each<[TlsMode, string, string, string]>([
    ['tls-only', 'required', 'required', 'required'],
    ['plain-at-once', 'opportunistic, off', 'opportunistic, off', 'opportunistic, off'],
    ['plain-next-handshake', 'opportunistic not plain', 'off', 'opportunistic not plain'],
    ['plain-next-any', 'opportunistic not plain', 'off', 'off'],
  ])('%s says what happens where nothing is published: at first, after a failed handshake, after another failure', (mode, first, handshake, other) => {
    expect(said({ row: row(mode) })).toBe(first);
    expect(said({ row: row(mode), failedBefore: 'handshake' })).toBe(handshake);
    expect(said({ row: row(mode), failedBefore: 'other' })).toBe(other);
    for (const failedBefore of [undefined, 'handshake', 'other'] as const) {
      expect(said({ row: row(mode), failedBefore, dane: found })).toBe('required dane');
      expect(said({ row: row(mode), failedBefore, dane: unusable })).toBe('required');
      expect(said({ row: row(mode), failedBefore, sts: sts('enforce', 'mx.x.test') })).toBe('required mta-sts');
    }
  });

  it('says which versions are offered, also under what is published', () => {
    const versions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.2' };
    for (const mode of TLS_MODES.filter((m) => m !== 'off'))
      expect(ask({ row: row(mode, { min: 'TLSv1', max: 'TLSv1.2' }) })).toMatchObject({ demands: expect.arrayContaining([expect.objectContaining(versions)]) });
    expect(ask({ row: row('tls-only', { min: 'TLSv1', max: 'TLSv1.2' }), dane: found })).toMatchObject({ demands: [versions] });
  });
});

describe('a connection to a gateway', () => {
  const implicit: Route = { ...gateway, port: 465, implicitTls: true };
  const login: Route = { ...gateway, credentials: 'smart-host' };
  it.each<[string, Partial<TlsQuestion>, string]>([
    ['is encrypted when it can be', { route: gateway }, 'opportunistic, off'],
    ['begins with the handshake where the table says so', { route: implicit }, 'implicit'],
    ['carries credentials over TLS only', { route: login }, 'required'],
    ['carries credentials over TLS whatever the fall-back', { route: login, row: row('plain-next-any'), failedBefore: 'handshake' }, 'required'],
    ['carries credentials over TLS where it is opportunistic', { route: login, row: row('opportunistic') }, 'required'],
    ['carries credentials in the clear only when told so', { route: login, row: row('off') }, 'off'],
    ['is checked when told so', { route: login, row: row('verified') }, 'required pkix'],
    ['with implicit TLS is checked when told so', { route: implicit, row: row('verified') }, 'implicit pkix'],
    ['with implicit TLS knows no plain text', { route: implicit, row: row('off') }, 'implicit'],
    ['with implicit TLS is no less encrypted by a fall-back', { route: implicit, row: row('plain-next-any'), failedBefore: 'other' }, 'implicit'],
    ['is held to DANE', { route: implicit, dane: found }, 'implicit dane'],
  ])('%s', (_, question, expected) => expect(said(question)).toBe(expected));
});

describe('a message with REQUIRETLS', () => {
  const requireTls = true;
  it.each<[string, Partial<TlsQuestion>, string]>([
    ['goes where DANE is', { dane: found }, 'required dane'],
    ['goes where MTA-STS is', { sts: sts('enforce', 'mx.x.test') }, 'required mta-sts'],
    ['goes where MTA-STS is in testing, checked', { sts: sts('testing', 'mx.x.test') }, 'required mta-sts'],
    ['goes where DNSSEC vouches for the host', { host: { ...host, secure: true } }, 'required pkix'],
    ['goes nowhere else', {}, 'refused: 550 5.7.30 The sender requires TLS (REQUIRETLS), and neither DNSSEC nor MTA-STS vouches for the servers of x.test'],
    ['does not go by a policy that says none', { sts: sts('none') }, 'refused: 550 5.7.30 The sender requires TLS (REQUIRETLS), and neither DNSSEC nor MTA-STS vouches for the servers of x.test'],
    ['waits for a policy that cannot be had', { sts: { failure: 'sts-policy-fetch-error' } }, 'deferred: 451 4.7.30 The sender requires TLS (REQUIRETLS), and the MTA-STS policy of x.test cannot be had now'],
    ['waits while the DNS cannot say whether there is a policy', { sts: { unknown: true } }, 'deferred: 451 4.7.30 The sender requires TLS (REQUIRETLS), and the MTA-STS policy of x.test cannot be had now'],
    ['waits for TLSA records', { dane: trouble }, 'deferred: 451 4.7.5 The TLSA records of mx.x.test cannot be had: no answer'],
    ['does not go to a host that the policy does not name', { sts: sts('enforce', 'mx2.x.test'), host: { ...host, secure: true } }, 'deferred: 451 4.7.5 The MTA-STS policy of x.test does not name the MX mx.x.test'],
    ['is refused where the administrator forbids TLS', { row: row('off'), dane: found }, 'refused: 550 5.7.10 The sender requires TLS, and this server\'s TLS table forbids it towards mx.x.test'],
    ['is not weakened by a row', { row: row('opportunistic'), sts: sts('enforce', 'mx.x.test') }, 'required mta-sts'],
    ['goes to a gateway that is checked', { route: gateway }, 'required pkix'],
  ])('%s', (_, question, expected) => expect(said({ ...question, requireTls })).toBe(expected));
});

describe('what is reported to the domain', () => {
  it.each<[string, Partial<TlsQuestion>, object | undefined]>([
    ['without a policy', {}, { domain: 'x.test', policy: 'no-policy-found' }],
    ['under DANE', { dane: found }, { domain: 'x.test', policy: 'tlsa' }],
    ['with bad TLSA records', { dane: unusable }, { domain: 'x.test', policy: 'tlsa', failure: 'tlsa-invalid' }],
    ['with TLSA records that cannot be had', { dane: trouble }, { domain: 'x.test', policy: 'tlsa', failure: 'dnssec-invalid' }],
    ['under MTA-STS', { sts: sts('enforce', 'mx.x.test') }, { domain: 'x.test', policy: 'sts' }],
    ['under MTA-STS that does not name the host', { sts: sts('testing', 'mx2.x.test') }, { domain: 'x.test', policy: 'sts', failure: 'validation-failure' }],
    ['with a policy that cannot be had', { sts: { failure: 'sts-webpki-invalid' } }, { domain: 'x.test', policy: 'sts', failure: 'sts-webpki-invalid' }],
    ['where the administrator decides', { row: row('required') }, undefined],
    ['at a gateway', { route: gateway }, undefined],
    ['at an address literal', { route: { kind: 'mx', domain: '[192.0.2.1]' } }, undefined],
  ])('%s', (_, question, subject) => {
    expect(ask({ ...question, reports: true }).subject).toEqual(subject);
    expect(ask({ ...question, reports: false }).subject).toBeUndefined();
  });
});

describe('whatever is known of a connection', () => {
  const plans = fc.record<TlsQuestion>({
    host: fc.constantFrom(host, { ...host, secure: true }),
    route: fc.constantFrom<Route>(mx, gateway, { ...gateway, credentials: 'c' }, { ...gateway, implicitTls: true }),
    row: fc.option(fc.record({ peer: fc.constant('*'), mode: fc.constantFrom(...TLS_MODES), min: fc.constantFrom(...TLS_VERSIONS) }), { nil: undefined }),
    dane: fc.constantFrom(none, found, unusable, trouble),
    sts: fc.constantFrom<Sts>({}, sts('none'), sts('testing', 'mx.x.test'), sts('enforce', 'mx.x.test'), sts('enforce', 'no.test'), { failure: 'sts-policy-invalid' }),
    requireTls: fc.boolean(),
    failedBefore: fc.constantFrom(undefined, 'handshake', 'other'),
    reports: fc.boolean(),
  });
  const plain = ({ mode }: TlsDemand): boolean => mode === 'off' || mode === 'opportunistic';

  it('there is a demand or a reply, and plain text only where all agree to it', () =>
    fc.assert(fc.property(plans, (question) => {
      const plan = planTls(question);
      if (plan.kind !== 'demands') return expect(plan.reply).toMatch(plan.kind === 'deferred' ? /^4\d\d 4\.7\.\d+ \S/ : /^5\d\d 5\.7\.\d+ \S/);
      const { demands } = plan;
      const { route, row: r, dane, sts: { policy }, requireTls } = question;
      expect(demands.length).toBeGreaterThan(0);
      if (requireTls) expect(demands.every(({ verify }) => verify !== 'no')).toBe(true);
      if (route.kind === 'gateway' && route.implicitTls) expect(demands.every(({ mode }) => mode === 'implicit')).toBe(true);
      if (route.kind === 'gateway' && route.credentials !== undefined && r?.mode !== 'off') expect(demands.some(plain)).toBe(false);
      const free = r === undefined || !['off', 'opportunistic', 'required', 'verified'].includes(r.mode);
      if (free && (dane.kind === 'found' || (policy?.mode === 'enforce' && route.kind === 'mx'))) expect(demands.some(plain)).toBe(false);
      for (const { verify, tlsa: records } of demands) expect(verify === 'dane').toBe(records !== undefined);
    })));
});
