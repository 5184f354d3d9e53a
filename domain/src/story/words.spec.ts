import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Recorded } from '../kernel/event.js';
import { HAPPENED, LABELS, type StoryEvent, WORDS } from './texts.js';
import { stories } from './views.js';
import { inOrder, localTime, tell } from './words.js';

const AT = Date.UTC(2026, 0, 5, 0, 0, 0, 123);
const ID = '01J0ABCDEF00001';
const peer = { ip: '192.0.2.7', port: 40_123, helo: 'client.test' };
const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };
const head = { accountId: 'acc-1', name: 'INBOX', uidValidity: 1, uidNext: 8, highestModSeq: 8, messages: 1, bytes: 1234567 };

/** One of each; a type without an example does not compile. */
const EXAMPLES: { [T in StoryEvent['type']]: Extract<StoryEvent, { type: T }>['data'] } = {
  SessionOpened: { protocol: 'smtp', listener: 'mx', peer: { ip: '2001:db8::1', port: 25 }, local: '192.0.2.1:25' },
  TlsStarted: tls,
  LoginSucceeded: { protocol: 'smtp', peer, mechanism: 'SCRAM-SHA-256', login: 'ann@x.test', account: 'acc-1' },
  LoginFailed: { protocol: 'pop3', peer, mechanism: 'APOP', login: 'eve', rule: 'wrong-password' },
  CommandRefused: { protocol: 'smtp', peer, verb: 'VRFY', rule: 'vrfy-off', reply: '252 2.5.0 Cannot VRFY' },
  SessionClosed: { protocol: 'smtp', peer, reason: 'quit', seconds: 3, commands: 7, bytesIn: 1234, bytesOut: 567 },
  MessageAccepted: {
    messageId: ID, session: 's-1', listener: 'mx', peer, tls, login: 'ann@x.test', protocol: 'ESMTPSA', sender: 'ann@x.test',
    recipients: [{ address: 'bob@x.test', notify: ['FAILURE'], orcpt: 'rfc822;bob@x.test' }, { address: 'all@x.test' }, { address: 'late@x.test' }],
    body: '8BITMIME', smtputf8: true, requireTls: true, sha256: 'ab'.repeat(32), size: 1234567, trace: 'Received: …\r\n',
    headerMessageId: 'm1@client.test', hops: 2, reply: `250 2.0.0 Ok: queued as ${ID}`,
  },
  MessageRefused: {
    messageId: ID, session: 's-1', listener: 'mx', peer, sender: '', recipients: [], size: 0, phase: 'DATA', rule: 'message-too-big', reply: '552 5.3.4 Too big',
  },
  RecipientRefused: { messageId: ID, session: 's-1', address: 'nobody@x.test', rule: 'unknown-recipient', reply: '550 5.1.1 User unknown' },
  RecipientRouted: { messageId: ID, recipient: 'all@x.test', address: 'cat@far.test', via: ['all@x.test'], route: 'remote', notify: ['NEVER'] },
  RecipientBounced: { messageId: ID, recipient: 'all@x.test', address: 'gone@x.test', via: ['all@x.test'], rule: 'unknown', reply: '550 5.1.1 User unknown' },
  MailboxCreated: { mailboxId: 'box-1', head },
  MessageAppended: {
    mailboxId: 'box-1', uid: 7, modSeq: 8, messageId: ID, sha256: 'ab'.repeat(32), bodySize: 1234567, prefix: '', size: 1234600, receivedAt: AT,
    recipient: 'bob@x.test', via: [], deliveredTo: 'bob@x.test', overQuota: true, head,
  },
  MessageExpunged: { mailboxId: 'box-1', uid: 7, modSeq: 9, messageId: ID, sha256: 'ab'.repeat(32), size: 1234600, head },
  MailboxDeleted: { mailboxId: 'box-1', head },
};
const TYPES = Object.keys(EXAMPLES) as StoryEvent['type'][];

let count = 0;
const recorded = (type: StoryEvent['type'], at = AT, data: unknown = EXAMPLES[type]): Recorded => ({
  id: `id-${String(count++).padStart(4, '0')}`, type, version: 1, at, actor: 'session:s-1', correlation: ID, data,
});
const UTC = { language: 'en', offset: () => 0 } as const;
const JAPAN = { language: 'ja', offset: () => 540 } as const;

describe('every event of a story', () => {
  it.each(TYPES)('%s has words in both languages', (type) => {
    const [english, japanese] = [tell([recorded(type)], UTC), tell([recorded(type)], JAPAN)];
    expect(english[0]).toBe(`2026-01-05T00:00:00.123+00:00  ${HAPPENED[type].en}`);
    expect(japanese[0]).toBe(`2026-01-05T09:00:00.123+09:00  ${HAPPENED[type].ja}`);
    expect(japanese).toHaveLength(english.length);
    expect([...english, ...japanese].join('\n')).not.toMatch(/undefined|\[object/);
  });

  it('is one that the view keeps', () => {
    for (const type of stories.types) expect(TYPES).toContain(type);
  });

  it('has every text twice', () => {
    for (const { en, ja } of [...Object.values(HAPPENED), ...Object.values(LABELS), ...Object.values(WORDS)]) {
      expect(en).not.toBe('');
      expect(ja).not.toBe('');
    }
  });
});

describe('the story of an accepted message', () => {
  const accepted = recorded('MessageAccepted');

  it('tells client, login, TLS, size and the exact reply', () => {
    const text = tell([accepted], UTC).join('\n');
    for (const part of [
      'client: 192.0.2.7:40123', 'introduced itself as: client.test', 'login: ann@x.test', 'TLS: TLSv1.3 TLS_AES_256_GCM_SHA384',
      'size: 1,234,567 bytes', `reply: 250 2.0.0 Ok: queued as ${ID}`, 'Message-ID: m1@client.test', 'body: 8BITMIME SMTPUTF8 REQUIRETLS',
      'delivery notices: bob@x.test NOTIFY=FAILURE ORCPT=rfc822;bob@x.test', 'by: session:s-1',
    ])
      expect(text).toContain(`    ${part}\n`.trimEnd());
  });

  it('ends with what became of each recipient', () => {
    const lines = tell([accepted, recorded('MessageAppended'), recorded('RecipientRouted'), recorded('RecipientBounced')], UTC);
    expect(lines.slice(-5)).toEqual([
      'What became of each recipient:',
      '    bob@x.test → in mailbox bob@x.test INBOX UID 7',
      '    all@x.test → cat@far.test waits to be sent to another server',
      '    all@x.test → gone@x.test failed: 550 5.1.1 User unknown (unknown)',
      '    late@x.test → no outcome recorded yet',
    ]);
  });

  it('says when a delivered copy was removed', () =>
    expect(tell([accepted, recorded('MessageAppended'), recorded('MessageExpunged')], JAPAN)).toContain(
      '    bob@x.test → メールボックス bob@x.test INBOX UID 7 (削除済み)',
    ));

  it('says no outcome of a message that was not accepted', () =>
    expect(tell([recorded('MessageRefused')], UTC).join()).not.toContain(WORDS.outcome.en));
});

describe('the order of a story', () => {
  it('is by time, then by id', () => {
    const [c, b, a] = [recorded('TlsStarted', AT + 1), recorded('SessionOpened', AT), recorded('LoginSucceeded', AT)];
    expect(inOrder([a, c, b].reverse())).toEqual([b, a, c]);
  });
});

describe('what strangers sent', () => {
  it('cannot steer a terminal', () => {
    const hostile = { ...EXAMPLES.SessionOpened, peer: { ...peer, helo: '\x1b]0;owned\x07\u202Etxt.exe' } };
    expect(tell([recorded('SessionOpened', AT, hostile)], UTC)).toContain('    introduced itself as: \\u{1b}]0;owned\\u{7}\\u{202e}txt.exe');
  });

  it('stays on its line, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (helo) => {
        const lines = tell([recorded('SessionOpened', AT, { ...EXAMPLES.SessionOpened, peer: { ...peer, helo } })], UTC);
        expect(lines.join('')).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
    );
  });

  it('is told as it is when no words are known for it', () =>
    expect(tell([{ ...recorded('TlsStarted'), type: 'MessageTeleported', data: { to: 'moon' } }], UTC)[1]).toBe('    event: MessageTeleported {"to":"moon"}'));
});

describe('local time', () => {
  it.each([
    [540, '2026-01-05T09:00:00.123+09:00'],
    [-210, '2026-01-04T20:30:00.123-03:30'],
    [0, '2026-01-05T00:00:00.123+00:00'],
  ])('at %i minutes from UTC is %s', (offset, text) => expect(localTime(AT, offset)).toBe(text));
});
