import { describe, expect, it } from '@jest/globals';
import { isCommandError, isRefusal, multiline, REPLIES, type Reason, reply } from './replies.js';

const ALL = Object.entries(REPLIES) as [Reason, string][];
/** RFC 2034 §4: no enhanced code in the greeting, in the answers to EHLO and HELO, and where more is to come. */
const WITHOUT_ENHANCED: readonly string[] = ['greeting', 'hello', 'start-mail', 'auth-challenge'];

describe('the table of replies', () => {
  it.each(ALL)('%s has a code that RFC 5321 allows and a text of one short line', (_, text) => {
    expect(text).toMatch(/^[2-5][0-5]\d [!-~][ -~]*$/);
    expect(text.length).toBeLessThan(200);
  });

  it.each(ALL.filter(([reason]) => !WITHOUT_ENHANCED.includes(reason)))('%s has an enhanced code of the same class', (_, text) => {
    const [, code, enhanced] = /^(\d)\d\d ([245])\.\d\.\d{1,3} /.exec(text) ?? [];
    expect(enhanced).toBeDefined();
    expect(enhanced).toBe(code);
  });

  it.each(ALL.filter(([, text]) => text.startsWith('421')))('%s names the server, as RFC 5321 §4.2.3 wants of 421', (_, text) => {
    expect(text).toContain('{host}');
  });

  it('names no rule, address or cause to a stranger', () => {
    for (const [, text] of ALL) expect(text).not.toMatch(/Postgres|S3|quota of|block list|account/i);
  });

  it('tells refusals from the rest', () => {
    for (const [, text] of ALL) expect(isRefusal(text)).toBe(/^[45]/.test(text));
  });

  it('counts wrong commands as errors, and refused addresses and messages not', () => {
    const errors = ALL.filter(([, text]) => isCommandError(text)).map(([reason]) => reason);
    expect(errors).toEqual(expect.arrayContaining(['unknown-command', 'syntax', 'out-of-order', 'auth-failed', 'unknown-parameter']));
    expect(errors).not.toEqual(expect.arrayContaining(['unknown-recipient']));
  });
});

describe('a reply', () => {
  it('is filled in', () => expect(reply('accepted', { id: 'Q1' })).toBe('250 2.0.0 Message accepted; id <Q1>'));
  it('leaves out what is not known', () => expect(reply('greeting', { host: 'mx.x.test' })).toBe('220 mx.x.test ESMTP'));
  it('repeats its codes on every line', () =>
    expect(multiline('250 2.1.5', ['<a@x.test>', '<b@x.test>'])).toBe('250-2.1.5 <a@x.test>\r\n250 2.1.5 <b@x.test>'));
  it('needs no enhanced code', () => expect(multiline('250', ['mx', 'DSN'])).toBe('250-mx\r\n250 DSN'));
});
