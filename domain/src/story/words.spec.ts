import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { deliveryExamples, quarantineExamples } from '../delivery/examples.js';
import { BOB, CID, MESSAGE } from '../delivery/testing.js';
import type { Recorded } from '../kernel/event.js';
import { HAPPENED, LABELS, NOTICES, RESULTS, type StoryEvent, WORDS } from './texts.js';
import { messages, sessions } from './views.js';
import { inOrder, localTime, tell } from './words.js';

const AT = Date.UTC(2026, 0, 5, 0, 0, 0, 123);
const ID = '01J0ABCDEF00001';
const peer = { ip: '192.0.2.7', port: 40_123, helo: 'client.test' };
const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };
const head = { accountId: 'acc-1', name: 'INBOX', uidValidity: 1, uidNext: 8, highestModSeq: 8, messages: 1, bytes: 1234567 };

const DECIDED = { ...deliveryExamples, ...quarantineExamples };
type QueueType = keyof typeof DECIDED;
const QUEUE = Object.fromEntries(Object.entries(DECIDED).map(([type, examples]) => [type, examples.at(-1)?.data])) as unknown as {
  [T in QueueType]: Extract<StoryEvent, { type: T }>['data'];
};

/** One of each; a type without an example does not compile. */
const EXAMPLES: { [T in StoryEvent['type']]: Extract<StoryEvent, { type: T }>['data'] } = {
  ...QUEUE,
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
  MessagesAppended: {
    mailboxId: 'box-2', modSeq: 9, firstUid: 3, messageIds: [ID], sha256: 'ab'.repeat(32), bodySizes: [1234567], sizes: [1234600], receivedAt: [AT],
    from: { mailboxId: 'box-1', uids: '7' }, head,
  },
  FlagsChanged: { mailboxId: 'box-1', modSeq: 9, groups: [{ flags: ['\\Seen'], uids: '7' }], head },
  MessagesExpunged: { mailboxId: 'box-1', modSeq: 10, uids: '1,7', messageIds: [ID, ''], bytes: 1234600, head },
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
    for (const type of [...messages.types, ...sessions.types]) expect(TYPES).toContain(type);
  });

  it('has every text twice', () => {
    for (const { en, ja } of [...Object.values(HAPPENED), ...Object.values(LABELS), ...Object.values(RESULTS), ...Object.values(NOTICES), ...Object.values(WORDS)]) {
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

  it('says of a message given up that it went nowhere', () =>
    expect(tell([accepted, recorded('MessageQuarantined'), recorded('QuarantineDiscarded')], UTC).slice(-4)).toEqual([
      'What became of each recipient:',
      ...['bob', 'all', 'late'].map((name) => `    ${name}@x.test → discarded by an administrator (spam that nobody misses)`),
    ]));

  it('says no outcome of a message that was not accepted', () =>
    expect(tell([recorded('MessageRefused')], UTC).join()).not.toContain(WORDS.outcome.en));
});

describe('the story of a message to other servers', () => {
  const [bob, cid] = ['bob@y.test', 'cid@z.test'];
  const ann = { ...EXAMPLES.MessageAccepted, recipients: [{ address: BOB.recipient }, { address: cid }] };
  const about = { messageId: ID, address: bob };
  const at = (second: number, type: StoryEvent['type'], data: object): Recorded => recorded(type, AT + second * 1_000, data);
  const begun = [at(0, 'MessageAccepted', ann), at(1, 'MessageQueued', { messageId: ID, message: MESSAGE, recipients: [BOB, CID], priority: 0 })];
  const tried = (second: number, result: object) =>
    at(second, 'DeliveryAttempted', { messageId: ID, host: 'mx1.y.test', ip: '2001:db8::9', port: 25, route: 'mx', duration: 12, results: [{ address: bob, phase: 'RCPT', ...result }] });
  const deferred = tried(2, { outcome: 'deferred', cause: 'line', reply: '450 4.7.1 Greylisted', nextAt: AT + 122_000, why: 'line fault: try 1, next in 120 s' });
  const ends = (...more: Recorded[]): readonly string[] => tell([...begun, ...more], UTC).slice(-2);

  it('says of each recipient that it waits, until when and why', () =>
    expect(ends(deferred)).toEqual([
      '    sales@x.test → bob@y.test waits to be sent to another server; tries so far 1: 450 4.7.1 Greylisted (mx1.y.test); next try 2026-01-05T00:02:02.123+00:00 (line fault: try 1, next in 120 s)',
      '    cid@z.test → cid@z.test waits to be sent to another server',
    ]));

  it('tells each attempt with server, encryption, exact reply and next time', () => {
    const text = tell([deferred], JAPAN).join('\n');
    expect(text).toContain('相手サーバー: mx1.y.test ([2001:db8::9]:25)\n');
    expect(text).toContain('TLS: 暗号化なし\n');
    expect(text).toContain('結果: bob@y.test 延期 (RCPT): 450 4.7.1 Greylisted; 次回 2026-01-05T09:02:02.123+09:00 (line fault: try 1, next in 120 s)\n');
  });

  it.each([
    ['was taken over', [deferred, tried(3, { outcome: 'delivered', reply: '250 2.0.0 Ok', phase: 'end-of-data' })], 'taken over by mx1.y.test, at 2026-01-05T00:00:03.123+00:00: 250 2.0.0 Ok'],
    ['is held', [deferred, at(3, 'RecipientHeld', { ...about, reason: 'leak' })], 'held (leak); tries so far 1: 450 4.7.1 Greylisted (mx1.y.test)'],
    ['stays held when an attempt under way fails', [at(2, 'RecipientHeld', { ...about, reason: 'leak' }), tried(3, { outcome: 'deferred', reply: '450 No' })], 'held (leak); tries so far 1: 450 No (mx1.y.test)'],
    ['was released', [at(2, 'RecipientHeld', { ...about, reason: 'leak' }), at(3, 'RecipientReleased', { ...about, reason: 'ok' })],
      'waits to be sent to another server; next try 2026-01-05T00:00:03.123+00:00'],
    ['stays held when rerouted', [at(2, 'RecipientHeld', { ...about, reason: 'leak' }), at(3, 'RecipientRerouted', { ...about, route: 'a.test:25', reason: 'ok' })], 'held (leak)'],
    ['was refused', [tried(2, { outcome: 'refused', reply: '550 No' }), at(2, 'RecipientBounced', { ...about, recipient: BOB.recipient, via: BOB.via, rule: 'refused', reply: '550 No' })],
      'failed: 550 No (refused)'],
    ['was given up', [deferred, at(3, 'RecipientExpired', { ...about, recipient: BOB.recipient, rule: 'too-old', reply: '450 No' })], 'given up: 450 No (too-old)'],
    ['was removed', [at(2, 'RecipientRemoved', { ...about, reason: 'by mistake' })], 'taken out of the queue (by mistake)'],
    ['was removed while the attempt failed', [at(2, 'RecipientRemoved', { ...about, reason: 'by mistake' }), tried(3, { outcome: 'deferred', reply: '450 No' })], 'taken out of the queue (by mistake)'],
    ['was removed too late', [at(2, 'RecipientRemoved', { ...about, reason: 'by mistake' }), tried(3, { outcome: 'delivered', reply: '250 Ok' })],
      'taken over by mx1.y.test, at 2026-01-05T00:00:03.123+00:00: 250 Ok'],
  ])('ends a recipient that %s', (_, more, end) => expect(ends(...more)[0]).toBe(`    sales@x.test → bob@y.test ${end}`));

  it('follows a recipient to a new address', () => {
    const moved = at(2, 'RecipientChanged', { ...about, to: 'bob@z.test', recipient: { ...BOB, address: 'bob@z.test' }, reason: 'moved', message: MESSAGE, priority: 0, held: false });
    expect(tell([...begun, moved], UTC).slice(-2)[0]).toBe('    sales@x.test → bob@z.test waits to be sent to another server; next try 2026-01-05T00:00:02.123+00:00');
  });

  it('tells both when two recipients fail at the same address', () => {
    const failed = (recipient: string) => at(1, 'RecipientBounced', { messageId: ID, recipient, address: 'gone@x.test', via: [recipient], rule: 'unknown', reply: '550 5.1.1 User unknown' });
    const two = at(0, 'MessageAccepted', { ...ann, recipients: [{ address: 'a@x.test' }, { address: 'b@x.test' }] });
    expect(tell([two, failed('a@x.test'), failed('b@x.test')], UTC).slice(-2)).toEqual([
      '    a@x.test → gone@x.test failed: 550 5.1.1 User unknown (unknown)',
      '    b@x.test → gone@x.test failed: 550 5.1.1 User unknown (unknown)',
    ]);
  });

  it('of a notice that this server wrote begins with it', () => {
    const notice = { messageId: ID, origin: 'notice', about: '01J0ABCDEF00000', recipients: ['ann@x.test'], message: { ...MESSAGE, sender: '' } };
    const lines = tell([at(0, 'MessageSubmitted', notice)], UTC);
    expect(lines).toContain('    about message: 01J0ABCDEF00000');
    expect(lines.slice(-2)).toEqual(['What became of each recipient:', '    ann@x.test → no outcome recorded yet']);
  });
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
