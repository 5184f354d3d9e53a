import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fold } from '../kernel/fold.js';
import { given } from '../kernel/given.js';
import { settings, type SettingsEvent } from './settings.js';
import { DEFAULTS, problemsOf, type Settings } from './settings-schema.js';
import { settingsView } from './views.js';

const change = (changes: Partial<Settings>) => ({ type: 'ChangeSettings', changes }) as const;
const changed = (changes: Partial<Settings>): SettingsEvent => ({ type: 'SettingsChanged', data: { changes } });
const history = given(settings);
/** What arrives from a file or by the API. */
const anything = (changes: unknown): Partial<Settings> => changes as Partial<Settings>;

describe('the settings', () => {
  it('record what changes', () => history().when(change({ hops: 30, vrfy: true })).then(changed({ hops: 30, vrfy: true })));
  it('leave out what stays as it is', () =>
    history(changed({ hops: 30 })).when(change({ hops: 30, vrfy: true, trustedIps: [] })).then(changed({ vrfy: true })));
  it('record nothing when all stays', () => history(changed({ blockIps: ['192.0.2.1'] })).when(change({ blockIps: ['192.0.2.1'] })).thenNothing());
  it('go back to a default by an event of their own', () => history(changed({ hops: 30 })).when(change({ hops: DEFAULTS.hops })).then(changed({ hops: DEFAULTS.hops })));
  it('change altogether or not at all', () => history().when(change({ hops: 30, messageSize: -1 })).refuses('bad-settings'));

  it('are all well by default', () => expect(problemsOf(DEFAULTS)).toEqual([]));

  it.each([
    { hostname: 'MX1.example.test' }, { hostname: '' }, { defaultDomain: '日本語.jp' }, { messageSize: 0 }, { sessionTime: Number.MAX_SAFE_INTEGER },
    { smtpIdleTime: 1000 }, { greetingPause: 300_000 }, { senderTrust: 'header' }, { tagSeparators: '' }, { tagSeparators: '+-=_' },
    { trustedIps: ['192.0.2.0/24', '2001:db8::/32', '192.0.2.1', '10.*'] }, { receivedTemplate: 'by {host}' },
  ])('take %j', (good) => expect(problemsOf(anything(good))).toEqual([]));

  it.each([
    [{ colour: 'red' }, 'colour: there is no such setting'],
    [{ constructor: 1 }, 'constructor: there is no such setting'],
    [JSON.parse('{"__proto__": 1}'), '__proto__: there is no such setting'],
    [{ hops: '25' }, 'hops: expected a number'],
    [{ hops: null }, 'hops: expected a number'],
    [{ hops: 1.5 }, 'hops: expected a whole number, 0 or more'],
    [{ hops: -1 }, 'hops: expected a whole number, 0 or more'],
    [{ hops: NaN }, 'hops: expected a whole number, 0 or more'],
    [{ vrfy: 1 }, 'vrfy: expected a boolean'],
    [{ hostname: 'mx1\r\nX: y' }, 'hostname: expected at most 1000 characters, no control characters'],
    [{ hostname: 'mx 1' }, 'hostname: expected a host name in letters, digits and hyphens, or nothing'],
    [{ hostname: '日本語.jp' }, 'hostname: expected a host name in letters, digits and hyphens, or nothing'],
    [{ defaultDomain: '@x.test' }, 'defaultDomain: expected a domain, or nothing'],
    [{ receivedTemplate: 'x'.repeat(1001) }, 'receivedTemplate: expected at most 1000 characters, no control characters'],
    [{ smtpIdleTime: 0 }, 'smtpIdleTime: expected at least 1000 (ms)'],
    [{ pop3IdleTime: 999 }, 'pop3IdleTime: expected at least 1000 (ms)'],
    [{ greetingPause: 300_001 }, 'greetingPause: expected at most 300000 (ms)'],
    [{ senderTrust: 'none' }, 'senderTrust: expected login, envelope or header'],
    [{ tagSeparators: '@' }, "tagSeparators: expected up to four of !#$%&'*+-/=?^_`{|}~"],
    [{ outboundHours: 'always' }, 'outboundHours: expected hours like 09:00-18:00, with commas'],
    [{ outboundConcurrency: 0 }, 'outboundConcurrency: expected from 1 to 1000'],
    [{ outboundSources: ['192.0.2.0/24'] }, 'outboundSources: expected a list of IP addresses'],
    [{ postmasterCopy: ['nobody'] }, 'postmasterCopy: expected a list of mail addresses'],
    [{ postmasterCopy: 'ann@x.test' }, 'postmasterCopy: expected a list of mail addresses'],
    [{ blockIps: '192.0.2.1' }, 'blockIps: expected a list of at most 10000 addresses or CIDR blocks'],
    [{ blockIps: ['192.0.2.1', 'example.test'] }, 'blockIps: expected addresses or CIDR blocks; number 2 is neither'],
    [{ blockIps: ['192.0.2.0/33'] }, 'blockIps: expected addresses or CIDR blocks; number 1 is neither'],
    [{ blockIps: [1] }, 'blockIps: expected addresses or CIDR blocks; number 1 is neither'],
    [{ blockIps: [undefined] }, 'blockIps: expected addresses or CIDR blocks; number 1 is neither'],
    [{ blockIps: Array(10_001).fill('192.0.2.1') }, 'blockIps: expected a list of at most 10000 addresses or CIDR blocks'],
  ])('refuse %j', (bad, problem) => expect(problemsOf(anything(bad))).toEqual([problem]));

  it('have words, not an exception, for whatever they are given', () =>
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(DEFAULTS)), fc.anything(), (name, value) => {
        for (const problem of problemsOf(anything({ [name]: value }))) expect(problem).toContain(`${name}: expected`);
      }),
    ));

  it('take a part of the schedule of retries and keep the rest as it was by default', () =>
    history()
      .when({ type: 'ChangeSettings', changes: anything({ retry: { base: { interval: 60_000 } } }) })
      .then(changed({ retry: { base: { interval: 60_000 }, senders: {}, destinations: {} } })));

  it('are one row, of what was changed', () => {
    const events = [changed({ hops: 30, vrfy: true }), changed({ hops: 31 })];
    const stored = events.map((event, i) => ({ stream: 'settings', event: { id: `${i}`, version: 1, at: i, actor: 'admin:ann', correlation: 'r', ...event } }));
    expect(fold(settingsView, stored)).toEqual([{ id: 1, changes: '{"hops":31,"vrfy":true}' }]);
  });
});
