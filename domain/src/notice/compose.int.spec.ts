import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { QueuedMessage } from '../delivery/queue-events.js';
import { composeNotice, type ComposedNotice, type NoticeInput } from './compose.js';
import type { Owed } from './report.js';

/** Reads messages with Python's email package, which shares no code with ours. */
const PARSER = `
import sys, json, base64, email, email.policy
from email.header import decode_header, make_header
def text(v):
    return v.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
def fields(m):
    return [[k, ' '.join(text(v).split())] for k, v in m.raw_items()]
def part(p):
    r = {'type': p.get_content_type(), 'encoding': p.get('Content-Transfer-Encoding'), 'defects': [str(type(d).__name__) for d in p.defects]}
    kind = p.get_content_type()
    if kind == 'message/delivery-status':
        r['groups'] = [fields(g) for g in p.get_payload()]
    elif kind == 'message/global-delivery-status':
        first = p.get_payload(0)
        rest = first._payload
        r['groups'] = [fields(first)] + [fields(email.message_from_string(b)) for b in rest.replace('\\r\\n', '\\n').split('\\n\\n') if b.strip()]
    elif p.get_content_maintype() == 'message':
        r['fields'] = fields(p.get_payload(0))
        r['body'] = '' if p.get_payload(0).is_multipart() else text(p.get_payload(0).get_payload())
    else:
        r['text'] = p.get_payload(decode=True).decode('utf-8', 'replace')
    return r
out = []
for raw in json.load(sys.stdin):
    m = email.message_from_bytes(base64.b64decode(raw))
    out.append({'fields': fields(m), 'type': m.get_content_type(), 'report': m.get_param('report-type'), 'defects': [str(type(d).__name__) for d in m.defects],
                'subject': str(make_header(decode_header(m['Subject']))), 'from': str(make_header(decode_header(m['From']))),
                'parts': [part(p) for p in m.get_payload()] if m.is_multipart() else []})
json.dump(out, sys.stdout)
`;
type Fields = readonly (readonly [string, string])[];
interface Part { type: string; encoding: string | null; defects: string[]; groups?: Fields[]; fields?: Fields; body?: string; text?: string }
interface Parsed { fields: Fields; type: string; report: string | null; defects: string[]; subject: string; from: string; parts: Part[] }

function parse(messages: readonly Buffer[]): readonly Parsed[] {
  const { stdout, stderr, status } = spawnSync('python3', ['-c', PARSER], { input: JSON.stringify(messages.map((m) => m.toString('base64'))), encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Parsed[];
}
const get = (fields: Fields | undefined, name: string): string | undefined => fields?.find(([n]) => n.toLowerCase() === name.toLowerCase())?.[1];
const wireOf = (composed: ComposedNotice, original: Uint8Array = Buffer.alloc(0)): Buffer => Buffer.concat(composed.pieces.map((p) => (p === 'original' ? original : p)));

const NOW = Date.UTC(2026, 0, 5, 0, 0);
const BODY = Buffer.from('From: Ann <ann@y.test>\r\nTo: bob@x.test\r\nSubject: =?UTF-8?B?6KuL5rGC5pu4?= for January\r\nMessage-ID: <m1@y.test>\r\n\r\nHello\r\n');
const MESSAGE: QueuedMessage = {
  sender: 'ann@y.test', sha256: 'a'.repeat(64), size: BODY.length, trace: 'Received: from mail.y.test ([192.0.2.7])\r\n    by mx.x.test; Mon, 5 Jan 2026 09:00:00 +0900\r\n',
  body: '7BIT', smtputf8: false, requireTls: false, hops: 0, acceptedAt: NOW, headerMessageId: 'm1@y.test',
};
const owed = (more: Partial<Owed> = {}, message: Partial<QueuedMessage> = {}): Owed => ({
  messageId: '01KE5V1W0000001', address: 'bob@z.test', recipient: 'bob@z.test', kind: 'failed', reply: '550 5.1.1 User unknown', host: 'mx.z.test',
  lastAttemptAt: NOW + 60_000, message: { ...MESSAGE, ...message }, ...more,
});
const input = (notices: readonly [Owed, ...Owed[]], more: Partial<NoticeInput> = {}): NoticeInput => ({
  notices, noticeId: '01KE5V1W0000002', hostname: 'mx.x.test', domain: 'x.test', now: NOW + 120_000, offset: () => 540, style: {}, chance: 'abcdefghijklmnopqrstuvwxyz',
  start: BODY, ...more,
});
const read = (given: NoticeInput, original: Uint8Array = Buffer.alloc(0)): Parsed => parse([wireOf(composeNotice(given), original)])[0] as Parsed;

describe('a report of failure', () => {
  const report = read(input([
    owed({ orcpt: 'rfc822;Bob+2Bwork@z.test' }, { envid: 'QQ+2B31', ret: 'FULL' }),
    owed({ address: 'cid@w.test', recipient: 'sales@x.test', reply: '451 4.4.1 No answer', lastAttemptAt: NOW }),
  ]));

  it('is a multipart/report to the sender, from a daemon, answering the message', () => {
    expect([report.type, report.report, report.defects]).toEqual(['multipart/report', 'delivery-status', []]);
    expect(report.fields).toEqual(expect.arrayContaining([
      ['To', '<ann@y.test>'], ['Date', 'Mon, 5 Jan 2026 09:02:00 +0900'], ['Message-ID', '<01KE5V1W0000002.notice.01KE5V1W0000001@mx.x.test>'],
      ['In-Reply-To', '<m1@y.test>'], ['References', '<m1@y.test>'], ['Auto-Submitted', 'auto-replied'], ['MIME-Version', '1.0'],
    ]));
    expect(report.subject).toBe('メールをお届けできませんでした / Your mail could not be delivered');
    expect(report.from).toBe('メール配送システム / Mail Delivery System <MAILER-DAEMON@x.test>');
    expect(report.parts.map((p) => [p.type, p.defects])).toEqual([['text/plain', []], ['message/delivery-status', []], ['message/rfc822', []]]);
  });

  it('carries the fields of RFC 3464 about the message and each recipient', () => {
    expect(report.parts[1]?.groups).toEqual([
      [
        ['Original-Envelope-Id', 'QQ+31'], ['Reporting-MTA', 'dns; mx.x.test'], ['Received-From-MTA', 'dns; mail.y.test'],
        ['Arrival-Date', 'Mon, 5 Jan 2026 09:00:00 +0900'], ['X-Kiroku-Queue-Id', '01KE5V1W0000001'],
      ],
      [
        ['Original-Recipient', 'rfc822; Bob+work@z.test'], ['Final-Recipient', 'rfc822; bob@z.test'], ['Action', 'failed'], ['Status', '5.1.1'],
        ['Remote-MTA', 'dns; mx.z.test'], ['Diagnostic-Code', 'smtp; 550 5.1.1 User unknown'], ['Last-Attempt-Date', 'Mon, 5 Jan 2026 09:01:00 +0900'],
      ],
      [
        ['Final-Recipient', 'rfc822; cid@w.test'], ['Action', 'failed'], ['Status', '4.4.1'], ['Remote-MTA', 'dns; mx.z.test'],
        ['Diagnostic-Code', 'smtp; 451 4.4.1 No answer'], ['Last-Attempt-Date', 'Mon, 5 Jan 2026 09:00:00 +0900'],
      ],
    ]);
  });

  it('tells people in Japanese and English what happened, in whose words, and what they can do', () => {
    const text = report.parts[0]?.text ?? '';
    for (const part of ['件名: 請求書 for January', '宛先: <bob@z.test>', '宛先のメールアドレスが見つからない', '相手サーバー mx.z.test の応答', '550 5.1.1 User unknown', '2026年1月5日 09:00 (+0900)',
      'Recipient: <bob@z.test>', 'The address does not exist there', 'Check the spelling', 'as mail for <sales@x.test>', 'tried again and again', 'Your message is attached'])
      expect(text).toContain(part);
    expect(text.indexOf('お届けできませんでした')).toBeLessThan(text.indexOf('could not be delivered'));
  });

  it('returns the message as it would have been sent on', () => {
    expect(report.parts[2]?.fields?.map(([n]) => n)).toEqual(['Received', 'From', 'To', 'Subject', 'Message-ID']);
    expect(report.parts[2]?.body).toBe('Hello\r\n');
  });
});

describe('what goes back of the message', () => {
  const third = (notice: Owed, more: Partial<NoticeInput> = {}): string | undefined => read(input([notice], more)).parts[2]?.type;

  it('is its header when the sender asked for no more, when it is only late, big, secret or binary', () => {
    for (const notice of [
      owed({}, { ret: 'HDRS' }), owed({ kind: 'delayed' }, { ret: 'FULL' }), owed({}, { size: 60_000 }), owed({}, { ret: 'FULL', requireTls: true }),
      owed({}, { ret: 'FULL', body: 'BINARYMIME' }), owed({}, { ret: 'FULL', size: 11_000_000 }),
    ]) expect(third(notice)).toBe('text/rfc822-headers');
    const header = read(input([owed({ kind: 'delayed' })])).parts[2]?.text ?? '';
    expect(header).toContain('Subject: =?UTF-8?B?6KuL5rGC5pu4?= for January\r\nMessage-ID: <m1@y.test>');
    expect(header).not.toContain('Hello');
  });

  it('is all of a large one when the sender asked for it; the caller streams it', () => {
    const body = Buffer.concat([BODY, Buffer.from(`${'x'.repeat(76)}\r\n`.repeat(2_000))]);
    const given = input([owed({}, { ret: 'FULL', size: body.length })], { start: body.subarray(0, 65_536) });
    expect(composeNotice(given).pieces.filter((p) => p === 'original')).toHaveLength(1);
    const part = read(given, body).parts[2];
    expect([part?.type, part?.body?.length]).toEqual(['message/rfc822', body.length - BODY.indexOf('\r\n\r\n') - 4]);
  });

  it('is nothing when it cannot be read, and the report says so', () => {
    const report = read(input([owed()], { start: null }));
    expect(report.parts.map((p) => p.type)).toEqual(['text/plain', 'message/delivery-status']);
    expect(report.parts[0]?.text).toContain('could not be read');
  });

  it('asks for 8BITMIME only where there is something of eight bits', () => {
    const eight = Buffer.from('Subject: a\r\n\r\nGrüße\r\n');
    expect(composeNotice(input([owed()])).body).toBe('7BIT');
    expect(composeNotice(input([owed({}, { size: eight.length })], { start: eight })).body).toBe('8BITMIME');
    expect(composeNotice(input([owed({ kind: 'delayed' }, { size: eight.length })], { start: eight })).body).toBe('7BIT');
  });
});

describe('a report of another kind', () => {
  it('of delay says until when this server goes on', () => {
    const report = read(input([owed({ kind: 'delayed', reply: '450 4.2.2 Mailbox full', until: NOW + 432_000_000 })]));
    const fields = report.parts[1]?.groups?.[1];
    expect([get(fields, 'Action'), get(fields, 'Status'), get(fields, 'Will-Retry-Until')]).toEqual(['delayed', '4.2.2', 'Sat, 10 Jan 2026 09:00:00 +0900']);
    expect(report.parts[0]?.text).toContain('Tried until: Sat, 10 Jan 2026 09:00:00 +0900');
  });

  it('of success has a status of success', () => {
    for (const kind of ['delivered', 'relayed', 'expanded'] as const) {
      const fields = read(input([owed({ kind, reply: '250 OK' })])).parts[1]?.groups?.[1];
      expect([get(fields, 'Action'), get(fields, 'Status')]).toEqual([kind, '2.0.0']);
    }
  });

  it('that goes to administrators has the header only, whatever the sender asked for', () => {
    const report = read(input([owed({}, { ret: 'FULL' })], { copyTo: ['root@x.test', 'ann@x.test'] }));
    expect(get(report.fields, 'To')).toBe('<root@x.test>, <ann@x.test>');
    expect(report.parts[2]?.type).toBe('text/rfc822-headers');
    expect(report.subject).toContain('Copy for the administrator');
  });
});

describe('an internationalised message', () => {
  const header = Buffer.from('Subject: 請求書\r\nTo: 太郎@例.test\r\n\r\nx\r\n');
  it('is reported with the types and address forms of RFC 6533', () => {
    const given = input([owed({ address: '太郎@例.test', recipient: '太郎@例.test', orcpt: 'utf-8;\\x{592A}\\x{90CE}@\\x{4F8B}.test', reply: '550 5.1.1 知りません' }, { smtputf8: true, sender: '花子@y.test', size: header.length })], { start: header });
    expect(composeNotice(given)).toMatchObject({ smtputf8: true, body: '8BITMIME' });
    const report = read(given);
    expect(report.parts.map((p) => p.type)).toEqual(['text/plain', 'message/global-delivery-status', 'message/global']);
    const fields = report.parts[1]?.groups?.[1];
    expect([get(fields, 'Original-Recipient'), get(fields, 'Final-Recipient'), get(fields, 'Diagnostic-Code')]).toEqual(['utf-8; 太郎@例.test', 'utf-8; 太郎@例.test', 'smtp; 550 5.1.1 知りません']);
    expect(read({ ...given, notices: [{ ...given.notices[0], kind: 'delayed' }] }).parts[2]?.type).toBe('message/global-headers');
  });

  it('to an ASCII sender can travel without SMTPUTF8', () => {
    expect(composeNotice(input([owed({ address: '太郎@例.test' }, { smtputf8: true })])).smtputf8).toBe(false);
  });

  it('of which only the target was so is reported in ASCII', () => {
    const fields = read(input([owed({ address: '太郎@z.test', reply: '550 5.1.1 知りません' })])).parts[1]?.groups?.[1];
    expect([get(fields, 'Final-Recipient'), get(fields, 'Diagnostic-Code')]).toEqual(['utf-8; \\x{592A}\\x{90CE}@z.test', 'smtp; 550 5.1.1 ?????']);
  });
});

describe("an administrator's own words", () => {
  it('replace sender, name, subject, sentence and languages', () => {
    const report = read(input([owed()], {
      style: { from: 'errors@x.test', name: 'Errors, "Inc"', languages: ['en'], subjects: { failed: 'Mail Transfer ERROR!' }, texts: { en: { failed: 'Line one\nLine two' } } },
    }));
    expect([report.from, report.subject]).toEqual(['"Errors, \\"Inc\\"" <errors@x.test>', 'Mail Transfer ERROR!']);
    expect(report.parts[0]?.text).toContain('Line one\r\nLine two\r\n');
    expect(report.parts[0]?.text).not.toContain('宛先');
  });

  it('may name the message in the subject, which stays one line of text', () => {
    const subjects = { failed: '{recipient}: {subject} ({id}) {unknown}' };
    const report = read(input([owed({ recipient: 'bob@z.test' })], { style: { subjects } }));
    expect(report.subject).toMatch(/^bob@z\.test: .+ \(01[0-9A-Z]+\) \{unknown\}$/);
    const evil = read(input([owed({ recipient: 'bob@z.test' })], { style: { subjects }, start: Buffer.from('Subject: $& {id}\u0007 =?utf-8?B?DQpYLUV2aWw6IDE=?=\r\n\r\n') }));
    expect(evil.subject).toContain('bob@z.test: $& {id}');
    expect(get(evil.fields, 'X-Evil')).toBeUndefined();
  });

  it('cannot add a header field or a strange sender', () => {
    const report = read(input([owed()], { style: { from: 'a@b.test>\r\nX-Evil: 1', name: 'x\r\nX-Evil: 2', subjects: { failed: 'y\r\n\r\nX-Evil: 3' } } }));
    expect(get(report.fields, 'X-Evil')).toBeUndefined();
    expect(report.from).toContain('<MAILER-DAEMON@x.test>');
  });
});

describe('many recipients of one message', () => {
  it('are listed up to a thousand; the others are counted', () => {
    const [first, ...rest] = Array.from({ length: 1_200 }, (_, n) => owed({ address: `u${n}@z.test`, recipient: `u${n}@z.test` }));
    const report = read(input([first as Owed, ...rest], { more: 34 }));
    expect(report.parts[1]?.groups).toHaveLength(1_001);
    expect(report.parts[0]?.text).toContain('and 234 more recipients');
  });
});

describe('hostile text', () => {
  const chance = 'abcdefghijklmnopqrstuvwxyz';
  const nasty = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom(`\r\n--=_kiroku_${chance}--\r\n`, '\r\nX-Evil: 1\r\n\r\n', '\n\n', '\r', '\u2028\u0085X-Evil: 1', '=?UTF-8?Q?=0D=0AX-Evil:_1?=', 'x'.repeat(3_000), '\u202egnp.exe', '\ud800', '(', '"', '; '),
  );
  const hostile = fc.array(nasty, { maxLength: 4 }).map((p) => p.join(''));

  it('in replies, addresses, names and the original leaves every part and field in its place', () => {
    const samples = fc.sample(fc.record({
      reply: hostile, host: hostile, address: hostile, recipient: hostile, orcpt: hostile, envid: hostile, sender: hostile, id: hostile, messageId: hostile,
      body: fc.array(fc.oneof(hostile, fc.constant(BODY.toString())), { maxLength: 3 }).map((p) => p.join('')), smtputf8: fc.boolean(),
      kind: fc.constantFrom('failed' as const, 'delayed' as const, 'delivered' as const), trace: fc.constantFrom('', MESSAGE.trace),
    }), 200);
    const reports = samples.map(({ body, smtputf8, envid, sender, id, trace, ...rest }) => {
      const start = Buffer.from(body);
      return wireOf(composeNotice(input([owed(rest, { smtputf8, envid, sender, headerMessageId: id, size: start.length, trace }), owed()], { start, chance })));
    });
    parse(reports).forEach((report, i) => {
      const context = JSON.stringify(samples[i]);
      const wire = reports[i] as Buffer;
      expect([report.type, get(report.fields, 'X-Evil'), report.defects, context]).toEqual(['multipart/report', undefined, [], context]);
      expect([report.parts.map((p) => p.type.split('/')[0]), context]).toEqual([['text', 'message', expect.stringMatching(/^(text|message)$/)], context]);
      const groups = report.parts[1]?.groups ?? [];
      expect([groups.length, get(groups[1], 'Action'), get(groups[2], 'Final-Recipient'), context]).toEqual([3, samples[i]?.kind, 'rfc822; bob@z.test', context]);
      expect(groups.some((g) => get(g, 'X-Evil') !== undefined)).toBe(false);
      // Header and report have no bare CR or LF, and no line that servers would refuse.
      const own = wire.subarray(0, wire.lastIndexOf('Content-Description: Undelivered'));
      expect([/\r(?!\n)|(?<!\r)\n/.test(own.toString('latin1')), context]).toEqual([false, context]);
      expect(Math.max(...own.toString('latin1').split('\r\n').map((l) => l.length))).toBeLessThanOrEqual(998);
    });
  });

  it('that knows the boundary gets another one', () => {
    const start = Buffer.from(`Subject: --=_kiroku_${chance}\r\n\r\n--=_kiroku_${chance}--\r\nstill the message\r\n`);
    const report = read(input([owed({}, { size: start.length })], { start, chance }));
    expect(report.parts.map((p) => p.type)).toEqual(['text/plain', 'message/delivery-status', 'message/rfc822']);
    expect(report.parts[2]?.body).toContain('still the message');
  });
});
