import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Command, LONGEST_LINE, parse } from './grammar.js';
import { print } from './testing/print.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const of = (text: string) => parse(bytes(text));
const sender = (text: string) => {
  const command = of(`MAIL FROM:${text}`);
  return 'fault' in command ? command.fault : command.verb === 'MAIL' ? command.from.text : '';
};
const recipient = (text: string) => {
  const command = of(`RCPT TO:${text}`);
  return 'fault' in command ? command.fault : command.verb === 'RCPT' ? command.to.text : '';
};

describe('a command line', () => {
  it.each([
    ['EHLO mx.far.test', { verb: 'EHLO', domain: 'mx.far.test' }],
    ['helo [192.0.2.1]', { verb: 'HELO', domain: '[192.0.2.1]' }],
    ['EHLO under_score ', { verb: 'EHLO', domain: 'under_score' }],
    ['DATA', { verb: 'DATA' }],
    ['data ', { verb: 'DATA' }],
    ['BDAT 1000', { verb: 'BDAT', size: 1000, last: false }],
    ['bdat 0 last', { verb: 'BDAT', size: 0, last: true }],
    ['RSET', { verb: 'RSET' }],
    ['NOOP anything goes', { verb: 'NOOP' }],
    ['HELP MAIL', { verb: 'HELP' }],
    ['QUIT', { verb: 'QUIT' }],
    ['StartTLS', { verb: 'STARTTLS' }],
    ['VRFY ann', { verb: 'VRFY', who: 'ann' }],
    ['EXPN staff', { verb: 'EXPN', who: 'staff' }],
    ['AUTH plain', { verb: 'AUTH', mechanism: 'PLAIN' }],
    ['AUTH PLAIN =', { verb: 'AUTH', mechanism: 'PLAIN', initial: '=' }],
    ['AUTH SCRAM-SHA-256 biws', { verb: 'AUTH', mechanism: 'SCRAM-SHA-256', initial: 'biws' }],
  ])('%s is understood', (text, command) => expect(of(text)).toEqual(command));

  it.each([
    ['', 'unknown-command'],
    [' ', 'unknown-command'],
    ['FROB', 'unknown-command'],
    ['constructor', 'unknown-command'],
    ['MAILFROM:<a@x.test>', 'unknown-command'],
    ['EHLO', 'syntax'],
    ['EHLO a b', 'syntax'],
    [`EHLO ${'a'.repeat(256)}`, 'syntax'],
    ['EHLO münchen.test', 'syntax'],
    ['DATA now', 'syntax'],
    ['RSET all', 'syntax'],
    ['QUIT please', 'syntax'],
    ['STARTTLS now', 'syntax'],
    ['VRFY', 'syntax'],
    ['BDAT', 'syntax'],
    ['BDAT -1', 'syntax'],
    ['BDAT 10 FIRST', 'syntax'],
    ['BDAT 9999999999999999', 'syntax'],
    ['AUTH', 'syntax'],
    ['AUTH PLAIN a b', 'syntax'],
    ['AUTH PL*IN', 'syntax'],
    ['NOOP \r', 'bad-character'],
    ['NOOP\nRSET', 'bad-character'],
    ['NOOP\0', 'bad-character'],
    ['NOOP\t', 'bad-character'],
    ['NOOP \x7f', 'bad-character'],
    ['GET / HTTP/1.1', 'not-smtp'],
    ['POST /mail HTTP/1.0', 'not-smtp'],
    [`NOOP ${'a'.repeat(506)}`, 'line-too-long'],
    [`FROB ${'a'.repeat(506)}`, 'line-too-long'],
    [`AUTH PLAIN ${'a'.repeat(LONGEST_LINE)}`, 'line-too-long'],
  ])('%j is refused', (text, fault) => expect(of(text)).toMatchObject({ fault }));

  it('may be as long as the RFC says, to the byte', () => {
    expect(of(`NOOP ${'a'.repeat(505)}`)).toEqual({ verb: 'NOOP' }); // 512 with CRLF
    expect(of(`AUTH PLAIN ${'a'.repeat(LONGEST_LINE - 2 - 11)}`)).toMatchObject({ verb: 'AUTH' });
  });

  it('must be UTF-8', () => expect(parse(Uint8Array.of(0x4e, 0x4f, 0x4f, 0x50, 0x20, 0xff))).toMatchObject({ fault: 'bad-character' }));

  it('never makes the parser throw', () => {
    const verbs = fc.constantFrom('', 'MAIL FROM:', 'RCPT TO:', 'MAIL FROM:<a@b> ', 'RCPT TO:<a@b> ', 'AUTH ', 'BDAT ', 'EHLO ');
    fc.assert(fc.property(verbs, fc.uint8Array({ maxLength: 300 }), (verb, rest) => void parse(Uint8Array.of(...bytes(verb), ...rest))));
    fc.assert(fc.property(verbs, fc.string({ unit: 'binary', maxLength: 80 }), (verb, rest) => void of(verb + rest)));
  });
});

describe('a sender', () => {
  it.each([
    ['<>', ''],
    ['<ann@x.test>', 'ann@x.test'],
    [' <ann@x.test>', 'ann@x.test'],
    ['<@a.test,@b.test:ann@x.test>', 'ann@x.test'],
    ['<"ann b"@x.test>', '"ann b"@x.test'],
    ['<"a\\"b@c"@x.test>', '"a\\"b@c"@x.test'],
    ['<""@x.test>', '""@x.test'],
    ['<ann@[192.0.2.1]>', 'ann@[192.0.2.1]'],
    ['<ann@[IPv6:2001:db8::1]>', 'ann@[IPv6:2001:db8::1]'],
    ['<用户@例子.test>', '用户@例子.test'],
    ['<ann@xn--fsqu00a.test>', 'ann@xn--fsqu00a.test'],
    ["<o'neil!#$%&*+-/=?^_`{|}~@x.test>", "o'neil!#$%&*+-/=?^_`{|}~@x.test"],
    ['<abc..def.@docomo.test>', 'abc..def.@docomo.test'],
    [`<${'a'.repeat(64)}@x.test>`, `${'a'.repeat(64)}@x.test`],
  ])('%s is read', (text, address) => expect(sender(text)).toBe(address));

  it.each([
    'ann@x.test', '<ann@x.test', 'ann@x.test>', '<ann>', '<postmaster>', '<ann@>', '<@x.test>', '<ann@x..test>', '<ann@x.test.>', '<ann@-x.test>',
    '<ann@x-.test>', '<a b@x.test>', '<"ann@x.test>', '<ann@[192.0.2]>', '<ann@[2001:db8::1]>', '<ann@[IPv6:192.0.2.1]>', '<ann@[IPv6:1:2:3]>',
    '<ann@x.test>SIZE=1', '<a@b@c>', '<a(c)@x.test>', `<${'a'.repeat(65)}@x.test>`, `<${'あ'.repeat(22)}@x.test>`,
    `<a@${'a'.repeat(64)}.test>`, `<a@${'abcdefg.'.repeat(32)}test>`, '<<a@x.test>>', '',
  ])('%s is refused', (text) => expect(sender(text)).toBe('bad-sender'));
});

describe('a recipient', () => {
  it('may be postmaster without domain, in any case', () => expect([recipient('<postmaster>'), recipient('<PostMaster>')]).toEqual(['postmaster', 'PostMaster']));
  it.each(['<>', '<ann>', 'ann@x.test', '<ann@x.test> <bob@x.test>x'])('is not %s', (text) => expect(recipient(text)).toMatch(/bad-recipient|syntax/));
});

describe('the parameters of MAIL', () => {
  const given = (text: string) => {
    const command = of(`MAIL FROM:<a@x.test> ${text}`);
    return 'fault' in command ? command.fault : command.verb === 'MAIL' && command.parameters;
  };
  const none = { size: 0, body: '7BIT', smtputf8: false, requireTls: false };

  it.each([
    ['', none],
    ['SIZE=1000', { ...none, size: 1000 }],
    ['body=8bitmime', { ...none, body: '8BITMIME' }],
    ['BODY=BINARYMIME SMTPUTF8  REQUIRETLS', { ...none, body: 'BINARYMIME', smtputf8: true, requireTls: true }],
    ['RET=hdrs ENVID=QQ+2B314159', { ...none, ret: 'HDRS', envid: 'QQ+2B314159' }],
    ['AUTH=<>', none],
    ['AUTH=ann+40x.test', none],
  ])('%j are read', (text, parameters) => expect(given(text)).toEqual(parameters));

  it.each([
    ['SIZE=', 'syntax'],
    ['SIZE', 'bad-parameter'],
    ['SIZE=1k', 'bad-parameter'],
    ['SIZE=111111111111111111111', 'bad-parameter'],
    ['SIZE=1 size=2', 'duplicate-parameter'],
    ['BODY=9BIT', 'bad-parameter'],
    ['SMTPUTF8=yes', 'bad-parameter'],
    ['RET=NONE', 'bad-parameter'],
    ['ENVID=a+2', 'bad-parameter'],
    [`ENVID=${'a'.repeat(101)}`, 'bad-parameter'],
    ['NOTIFY=NEVER', 'unknown-parameter'],
    ['X-FOO=1', 'unknown-parameter'],
    ['=1', 'syntax'],
    ['A=B=C', 'syntax'],
  ])('%j are refused', (text, fault) => expect(given(text)).toBe(fault));
});

describe('the parameters of RCPT', () => {
  const given = (text: string) => {
    const command = of(`RCPT TO:<a@x.test> ${text}`);
    return 'fault' in command ? command.fault : command.verb === 'RCPT' && command.parameters;
  };

  it.each([
    ['NOTIFY=NEVER', { notify: ['NEVER'] }],
    ['notify=success,delay', { notify: ['SUCCESS', 'DELAY'] }],
    ['ORCPT=rfc822;ann+40x.test', { orcpt: 'rfc822;ann+40x.test' }],
    ['ORCPT=utf-8;用户@例子.test', { orcpt: 'utf-8;用户@例子.test' }],
  ])('%j are read', (text, parameters) => expect(given(text)).toEqual(parameters));

  it.each([
    ['NOTIFY=NEVER,SUCCESS', 'bad-parameter'],
    ['NOTIFY=SUCCESS,SUCCESS', 'bad-parameter'],
    ['NOTIFY=,', 'bad-parameter'],
    ['ORCPT=ann', 'bad-parameter'],
    ['ORCPT=rfc822;用户', 'bad-parameter'],
    [`ORCPT=rfc822;${'a'.repeat(500)}`, 'bad-parameter'],
    ['NOTIFY=DELAY NOTIFY=DELAY', 'duplicate-parameter'],
    ['SIZE=1', 'unknown-parameter'],
  ])('%j are refused', (text, fault) => expect(given(text)).toBe(fault));
});

describe('what is printed', () => {
  const atom = fc.stringMatching(/^[a-z0-9!#$%&'*+/=?^_{|}~-]{1,20}$/);
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
  const domain = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
  const quoted = fc.stringMatching(/^[ !#-[\]-~]{0,20}$/).map((text) => `"${text}"`);
  const local = fc.oneof(fc.array(atom, { minLength: 1, maxLength: 3 }).map((atoms) => atoms.join('.')), quoted, fc.constant('用户'));
  const address = fc.tuple(local, domain).map(([l, d]) => `${l}@${d}`);
  const xtext = fc.stringMatching(/^([!-*,-<>-~]|\+[0-9A-F]{2}){1,30}$/);
  const mail = fc.record({
    verb: fc.constant('MAIL' as const),
    from: fc.option(address, { nil: '' }),
    parameters: fc.record(
      {
        size: fc.nat(),
        body: fc.constantFrom('7BIT' as const, '8BITMIME' as const, 'BINARYMIME' as const),
        smtputf8: fc.boolean(),
        requireTls: fc.boolean(),
        ret: fc.constantFrom('FULL' as const, 'HDRS' as const),
        envid: xtext,
      },
      { requiredKeys: ['size', 'body', 'smtputf8', 'requireTls'] },
    ),
  });
  const rcpt = fc.record({
    verb: fc.constant('RCPT' as const),
    to: address,
    parameters: fc.record({ notify: fc.constantFrom(['NEVER'] as const, ['SUCCESS', 'FAILURE', 'DELAY'] as const), orcpt: xtext.map((x) => `rfc822;${x}`) }, { requiredKeys: [] }),
  });

  it('is read back the same', () => {
    fc.assert(
      fc.property(fc.oneof(mail, rcpt), (command) => {
        const back = of(print(command)) as Extract<Command, { verb: 'MAIL' | 'RCPT' }>;
        const path = back.verb === 'MAIL' ? { from: back.from.text } : { to: back.to.text };
        expect({ verb: back.verb, ...path, parameters: back.parameters }).toEqual(command);
      }),
    );
  });
});
