import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Capabilities, NO_CAPABILITIES } from './capabilities.js';
import { type Content, mustLook, plan, rcptCommand } from './plan.js';
import type { OutboundMessage } from './types.js';

const message = (over: Partial<OutboundMessage> = {}): OutboundMessage => ({
  sender: 'ann@x.test', recipients: [{ address: 'bob@y.test' }], size: 100, body: '7BIT', smtputf8: false, requireTls: false, content: () => [], ...over,
});
const ALL: Partial<Capabilities> = { sizeOffered: true, eightBit: true, utf8: true, chunking: true, binary: true, dsn: true, requireTls: true };
const decide = (over: Partial<OutboundMessage>, offers: Partial<Capabilities>, content?: Partial<Content>, verified?: 'no' | 'pkix' | 'dane') =>
  plan(message(over), { offers: { ...NO_CAPABILITIES, ...offers }, verified }, content && { eightBit: false, eightBitHeader: false, binary: false, ...content });
const mail = (...args: Parameters<typeof decide>): string => {
  const made = decide(...args);
  return made.kind === 'send' ? made.mail.trimEnd() : made.reply;
};

describe('the MAIL command', () => {
  it('is bare for a server that offers nothing', () => {
    expect(mail({ ret: 'FULL', envid: 'E1' }, {})).toBe('MAIL FROM:<ann@x.test>');
    expect(mail({ sender: '' }, {})).toBe('MAIL FROM:<>');
  });

  it('passes on what the server can use', () => {
    expect(mail({ body: '8BITMIME', smtputf8: true, requireTls: true, ret: 'HDRS', envid: 'E+3D1' }, ALL, undefined, 'pkix')).toBe(
      'MAIL FROM:<ann@x.test> SIZE=100 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=E+3D1',
    );
    expect(decide({ body: 'BINARYMIME' }, ALL)).toEqual({ kind: 'send', mail: 'MAIL FROM:<ann@x.test> SIZE=100 BODY=BINARYMIME\r\n', binary: true, utf8: false });
  });

  it('asks for SMTPUTF8 when an address needs it', () => {
    expect(mail({ sender: '日本@x.test' }, ALL)).toBe('MAIL FROM:<日本@x.test> SIZE=100 SMTPUTF8');
    expect(mail({ recipients: [{ address: '日本@y.test' }] }, ALL)).toContain(' SMTPUTF8');
  });
});

describe('a message that the server cannot take', () => {
  it.each<[string, Parameters<typeof decide>, string]>([
    ['is too big', [{ size: 1001 }, { size: 1000 }], '552 5.3.4'],
    ['is 8-bit', [{ body: '8BITMIME' }, {}, { eightBit: true }], '554 5.6.3'],
    ['is binary', [{ body: 'BINARYMIME' }, { eightBit: true }, { binary: true }], '554 5.6.3'],
    ['is binary, and BDAT is missing', [{ body: 'BINARYMIME' }, { binary: true, eightBit: true }, { binary: true }], '554 5.6.3'],
    ['is text by its look only, and 8-bit', [{ body: 'BINARYMIME' }, {}, { eightBit: true }], '554 5.6.3'],
    ['has a sender beyond ASCII', [{ sender: '日本@x.test' }, {}], '553 5.6.7'],
    ['has a header beyond ASCII', [{ smtputf8: true }, {}, { eightBitHeader: true }], '554 5.6.7'],
    ['requires TLS, and there is none', [{ requireTls: true }, ALL], '550 5.7.30'],
    ['requires TLS, and nobody has verified it', [{ requireTls: true }, ALL, undefined, 'no'], '550 5.7.30'],
    ['requires TLS, and it is not offered', [{ requireTls: true }, { ...ALL, requireTls: false }, undefined, 'dane'], '550 5.7.30'],
    ['has a sender that would break out', [{ sender: 'a@x.test> SIZE=1\r\nRSET\r\n' }, ALL], '553 5.1.7'],
  ])('because it %s is refused here', (_, args, code) => {
    expect(mail(...args)).toMatch(new RegExp(`^${code} `));
    expect(decide(...args).kind).toBe('never');
  });

  it('never has the whole of a message returned that requires TLS', () => {
    expect(mail({ requireTls: true, ret: 'FULL' }, ALL, undefined, 'pkix')).toBe('MAIL FROM:<ann@x.test> SIZE=100 REQUIRETLS RET=HDRS');
    expect(mail({ ret: 'FULL' }, ALL)).toBe('MAIL FROM:<ann@x.test> SIZE=100 RET=FULL');
  });

  it('is sent all the same when it is a report and required TLS: better in plain text than lost', () => {
    expect(mail({ sender: '', requireTls: true }, ALL)).toBe('MAIL FROM:<> SIZE=100');
    expect(mail({ sender: '', requireTls: true }, ALL, undefined, 'no')).toBe('MAIL FROM:<> SIZE=100');
    expect(mail({ sender: '', requireTls: true }, ALL, undefined, 'dane')).toBe('MAIL FROM:<> SIZE=100 REQUIRETLS');
  });

  it('is sent when it turns out to need less than it was declared to', () => {
    expect(mail({ body: '8BITMIME' }, {}, {})).toBe('MAIL FROM:<ann@x.test>');
    expect(mail({ body: 'BINARYMIME' }, { eightBit: true }, {})).toBe('MAIL FROM:<ann@x.test> BODY=8BITMIME');
    expect(mail({ body: 'BINARYMIME' }, {}, {})).toBe('MAIL FROM:<ann@x.test>');
    expect(mail({ smtputf8: true, body: '8BITMIME' }, { eightBit: true }, { eightBit: true })).toBe('MAIL FROM:<ann@x.test> BODY=8BITMIME');
  });

  it('is looked at only when that may help', () => {
    const look = (over: Partial<OutboundMessage>, offers: Partial<Capabilities>) => mustLook(message(over), { offers: { ...NO_CAPABILITIES, ...offers }, verified: undefined });
    expect([look({}, {}), look({ body: '8BITMIME' }, ALL), look({ body: 'BINARYMIME' }, ALL), look({ smtputf8: true }, ALL)]).toEqual([false, false, false, false]);
    expect([look({ body: '8BITMIME' }, {}), look({ body: 'BINARYMIME' }, { binary: true }), look({ smtputf8: true }, {})]).toEqual([true, true, true]);
  });
});

describe('the RCPT command', () => {
  const rcpt = (recipient: Parameters<typeof rcptCommand>[0], offers: Partial<Capabilities> = { dsn: true }) => {
    const made = rcptCommand(recipient, { ...NO_CAPABILITIES, ...offers });
    return 'command' in made ? made.command.trimEnd() : made.never;
  };

  it('carries what the sender wants to be told, where the server can tell', () => {
    const recipient = { address: 'bob@y.test', notify: ['SUCCESS', 'DELAY'], orcpt: 'rfc822;b+2Bc@y.test' } as const;
    expect(rcpt(recipient)).toBe('RCPT TO:<bob@y.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bc@y.test');
    expect(rcpt(recipient, {})).toBe('RCPT TO:<bob@y.test>');
  });

  it('takes a quoted local part, but nothing that would break out', () => {
    expect(rcpt({ address: '"a> b"@y.test' })).toBe('RCPT TO:<"a> b"@y.test>');
    expect(rcpt({ address: 'a b@y.test' })).toMatch(/^553 5\.1\.3 /);
    expect(rcpt({ address: 'a@y.test', orcpt: 'rfc822;a\r\nRSET' })).toBe('RCPT TO:<a@y.test>');
  });

  it('needs SMTPUTF8 for an address beyond ASCII', () => {
    expect(rcpt({ address: '日本@y.test' }, {})).toMatch(/^553 5\.6\.7 /);
    expect(rcpt({ address: '日本@y.test', orcpt: 'utf-8;日@y.test' }, { utf8: true, dsn: true })).toBe('RCPT TO:<日本@y.test> ORCPT=utf-8;\\x{65E5}@y.test');
  });

  it('is one line of one command whatever the address', () =>
    fc.assert(
      fc.property(fc.string(), fc.string(), (address, orcpt) => {
        const made = rcptCommand({ address, orcpt }, { ...NO_CAPABILITIES, dsn: true, utf8: true });
        if ('command' in made) expect(made.command).toMatch(/^RCPT TO:<[^\r\n]+> ?[^\r\n]*\r\n$/);
      }),
    ));
});
