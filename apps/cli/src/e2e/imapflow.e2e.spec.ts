import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect } from '@jest/globals';
import { ImapFlow, type FetchMessageObject, type ImapFlowEvents, type ImapFlowOptions, type ImapTransportSocket } from 'imapflow';
import { until, within } from '@kiroku/infra/rig/until.js';
import { addressOf, crlf, letter, PASSWORD, upTo, useServer } from './harness.js';
import { heldIn, imapOf, note, post, put, wireName } from './imap-scene.js';

const PATIENCE = 10_000; // ms
const JPEG = Buffer.from(upTo(300).map((i) => (i * 7) % 256)); // every octet, NUL too

/** What a Japanese office sends: an ISO-2022-JP subject and text, a picture under a Japanese name. */
const REPORT = [
  'From: =?UTF-8?B?5bGx55Sw5aSq6YOO?= <yamada@y.test>',
  'To: flow@x.test, "Ann, B." <ann@y.test>',
  'Cc: undisclosed-recipients:;',
  'Subject: =?ISO-2022-JP?B?GyRCQEE1YT1xGyhC?=',
  'Date: Mon, 05 Jan 2026 09:00:00 +0900',
  'Message-ID: <report@y.test>',
  'In-Reply-To: <asked@y.test>',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="b"',
  '',
  '--b',
  'Content-Type: text/plain; charset=iso-2022-jp',
  'Content-Transfer-Encoding: 7bit',
  '',
  '\x1b$B5-O?\x1b(B 2026',
  '--b',
  "Content-Type: image/jpeg; name*=UTF-8''%E5%86%99%E7%9C%9F.jpg",
  'Content-Transfer-Encoding: base64',
  "Content-Disposition: attachment; filename*=UTF-8''%E5%86%99%E7%9C%9F.jpg",
  '',
  ...(JPEG.toString('base64').match(/.{1,76}/g) ?? []),
  '--b--',
  '',
].join('\n');

const server = useServer(['caps', 'tree', 'full', 'flow', 'parts', 'flags', 'move', 'search', 'idle', 'sync']);
const open = new Set<ImapFlow>();

/** Warnings and errors that a client had about the server's answers, in a word. */
const complaints: string[] = [];

function complain(entry: { readonly err?: { readonly serverResponseCode?: string; readonly code?: string }; readonly msg?: string } | Error): void {
  const error = entry instanceof Error ? undefined : entry.err;
  complaints.push(error?.serverResponseCode ?? error?.code ?? (entry instanceof Error ? entry.message : (entry.msg ?? 'for no reason')));
}

/** What it has complained about since this was last asked. Where nobody asks the tests want nothing. */
const grumbles = (): string[] => [...new Set(complaints.splice(0))];

function client(user: string, options: ImapFlowOptions = {}): ImapFlow {
  const { secure = true } = options;
  const flow = new ImapFlow({
    host: '127.0.0.1',
    port: secure ? server.kiroku.ports.imaps : server.kiroku.ports.imap,
    secure,
    auth: { user: addressOf(user), pass: PASSWORD },
    tls: { ca: readFileSync(join(server.kiroku.data, 'tls', 'default.crt')), checkServerIdentity: () => undefined },
    disableAutoIdle: true,
    logger: { debug: () => {}, info: () => {}, warn: complain, error: complain },
    ...options,
  });
  flow.on('error', complain);
  open.add(flow);
  return flow;
}

async function login(user: string, options?: ImapFlowOptions): Promise<ImapFlow> {
  const flow = client(user, options);
  await flow.connect();
  return flow;
}

/** The next event of this name. Its listener is there when this returns. */
const next = async <Name extends keyof ImapFlowEvents>(flow: ImapFlow, name: Name): Promise<ImapFlowEvents[Name][0]> => {
  const [data] = (await within(`the event ${name}`, PATIENCE, once(flow, name))) as ImapFlowEvents[Name];
  return data;
};

async function octetsOf(content: Readable | undefined): Promise<Buffer> {
  if (!content) throw new Error('nothing to download');
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function one(flow: ImapFlow, uid: number, query: Parameters<ImapFlow['fetchOne']>[1]): Promise<FetchMessageObject> {
  const message = await flow.fetchOne(uid, query, { uid: true });
  if (!message) throw new Error(`no message with UID ${uid}`);
  return message;
}

/** `uid subject flags` of the open mailbox. */
async function shown(flow: ImapFlow): Promise<string[]> {
  await flow.noop(); // what others have changed would come among the rows
  const rows = await flow.fetchAll('1:*', { envelope: true, flags: true });
  return rows.map(({ uid, envelope, flags }) => [uid, envelope?.subject ?? '', ...[...(flags ?? [])].sort()].join(' '));
}

/** Appended by imapflow itself; @returns their UIDs. */
async function fill(flow: ImapFlow, mailbox: string, ...tokens: readonly string[]): Promise<number[]> {
  const uids: number[] = [];
  for (const token of tokens) {
    const told = await flow.append(mailbox, crlf(note(token)));
    if (!told || told.uid === undefined) throw new Error(`${token} was not stored`);
    uids.push(told.uid);
  }
  return uids;
}

afterEach(() => {
  for (const flow of open) flow.close();
  open.clear();
  expect(grumbles()).toEqual([]);
});

describe('imapflow at the door', () => {
  server.it('logs in over TLS with the certificate checked, turns on what it knows, and compresses', async () => {
    const flow = await login('caps', { qresync: true });
    expect(flow.tls).toMatchObject({ authorized: true, version: 'TLSv1.3' });
    expect(flow.authenticated).toBeTruthy();
    expect([...flow.enabled].sort()).toEqual(['CONDSTORE', 'IMAP4REV2', 'QRESYNC', 'UTF8=ACCEPT']);
    for (const capability of ['IDLE', 'MOVE', 'UIDPLUS', 'OBJECTID', 'ESEARCH', 'SPECIAL-USE', 'LIST-STATUS']) expect(flow.capabilities.get(capability)).toBe(true);
    expect(flow.capabilities.get('APPENDLIMIT')).toBe(104_857_600);
    expect(flow.namespaces).toMatchObject({ personal: [{ prefix: '', delimiter: '/' }], other: false, shared: [{ prefix: '#Shared/', delimiter: '/' }] });
    expect(flow.serverInfo).toMatchObject({ name: 'Kiroku' });

    const text = `${note('large')}${`${'x'.repeat(78)}\n`.repeat(5_000)}`;
    const { uid = 0 } = (await flow.append('INBOX', crlf(text))) || {};
    await flow.mailboxOpen('INBOX');
    expect((await one(flow, uid, { source: true })).source?.equals(crlf(text))).toBe(true);
    const { readSocket, socket } = flow.unbind();
    expect(readSocket).not.toBe(socket);
    expect((socket as ImapTransportSocket & { readonly bytesRead: number }).bytesRead).toBeLessThan(crlf(text).length / 10);
    socket.destroy();
  });

  server.it('begins TLS by STARTTLS where the connection begins without, and works on', async () => {
    const flow = await login('caps', { secure: false, doSTARTTLS: true, disableCompression: true });
    expect(flow.tls).toMatchObject({ authorized: true });
    expect((await flow.mailboxOpen('INBOX')).path).toBe('INBOX');
    await flow.logout();
    expect(flow.usable).toBe(false);
  });

  server.it('is told that the password is wrong, by each way of logging in that it has', async () => {
    for (const loginMethod of ['LOGIN', 'AUTH=LOGIN', 'AUTH=PLAIN']) {
      const flow = client('caps', { auth: { user: addressOf('caps'), pass: 'wrong', loginMethod } });
      await expect(flow.connect()).rejects.toMatchObject({ authenticationFailed: true, serverResponseCode: 'AUTHENTICATIONFAILED' });
      const right = await login('caps', { auth: { user: addressOf('caps'), pass: PASSWORD, loginMethod } });
      await right.logout();
    }
    expect(grumbles()).toEqual(['AUTHENTICATIONFAILED']);
  });
});

describe('the tree of mailboxes that imapflow shows', () => {
  server.it('has uses, Japanese names, subscriptions and counts, and follows creating, renaming and deleting', async () => {
    await server.kiroku.must('mailbox', 'create', addressOf('tree'), 'Sent', '--special-use', 'sent');
    await server.kiroku.must('mailbox', 'create', addressOf('tree'), '没', '--special-use', 'trash', '--no-subscribe');
    const flow = await login('tree');
    const made = await flow.mailboxCreate(['案件', '請求書 & 見積']);
    expect(made).toMatchObject({ path: '案件/請求書 & 見積', created: true, mailboxId: expect.any(String) });
    expect(await flow.mailboxCreate('案件/請求書 & 見積')).toMatchObject({ created: false });
    await flow.append('案件/請求書 & 見積', crlf(REPORT), ['\\Seen']);
    await flow.append('案件/請求書 & 見積', crlf(note('second')));

    const told = await flow.list({ statusQuery: { messages: true, unseen: true, uidNext: true } });
    expect(told.map(({ path, specialUse, specialUseSource, subscribed }) => [path, specialUse, specialUseSource, subscribed])).toEqual([
      ['INBOX', '\\Inbox', 'name', true],
      ['Sent', '\\Sent', 'extension', true],
      ['没', '\\Trash', 'extension', undefined],
      ['案件', undefined, undefined, undefined],
      ['案件/請求書 & 見積', undefined, undefined, true],
    ]);
    expect(told.at(-1)?.status).toMatchObject({ messages: 2, unseen: 1, uidNext: 3 });

    const query = { messages: true, recent: true, uidNext: true, uidValidity: true, unseen: true, highestModseq: true, size: true, deleted: true };
    const before = await flow.status('案件/請求書 & 見積', query);
    expect(before).toMatchObject({ messages: 2, recent: 0, uidNext: 3, unseen: 1, deleted: 0, size: crlf(REPORT).length + crlf(note('second')).length });
    expect(await flow.mailboxRename('案件', '2026年度')).toEqual({ path: '案件', newPath: '2026年度' });
    expect(await flow.status('2026年度/請求書 & 見積', query)).toEqual({ ...before, path: '2026年度/請求書 & 見積' });
    expect(await flow.mailboxOpen('2026年度/請求書 & 見積')).toMatchObject({ exists: 2, mailboxId: made.mailboxId, readOnly: false });
    await expect(flow.status('案件/請求書 & 見積', query)).rejects.toMatchObject({ code: 'NotFound' });

    expect(await flow.mailboxUnsubscribe('2026年度/請求書 & 見積')).toBe(true);
    expect((await flow.list()).find(({ path }) => path.startsWith('2026年度/'))?.subscribed).toBeUndefined();
    await flow.mailboxDelete('2026年度/請求書 & 見積');
    await flow.mailboxDelete('2026年度');
    expect((await flow.list()).map(({ path }) => path)).toEqual(['INBOX', 'Sent', '没']);
    await expect(flow.mailboxOpen('2026年度')).rejects.toMatchObject({ mailboxMissing: true, serverResponseCode: 'NONEXISTENT' });
    await flow.logout();
    expect(grumbles()).toEqual(['NONEXISTENT']);
  });

  server.it('tells the quota in bytes, and that it is used up', async () => {
    await server.kiroku.must('account', 'change', addressOf('full'), '--quota', '64K');
    const flow = await login('full');
    const large = crlf(`${note('large')}${`${'x'.repeat(78)}\n`.repeat(500)}`);
    await flow.append('INBOX', large);
    expect(await flow.getQuota('INBOX')).toEqual({ path: 'INBOX', storage: { usage: 40 * 1024, limit: 64 * 1024, status: '63%' } });
    await expect(flow.append('INBOX', large)).rejects.toMatchObject({ serverResponseCode: 'OVERQUOTA' });
    expect(await flow.status('INBOX', { messages: true })).toMatchObject({ messages: 1 });
    await flow.logout();
    expect(grumbles()).toEqual(['OVERQUOTA']);
  });
});

describe('a message seen through imapflow', () => {
  server.it('is what was stored and what was delivered: envelope, structure, flags, dates, ids', async () => {
    const flow = await login('flow');
    const received = new Date('2026-01-05T01:02:03Z');
    expect(await flow.append('INBOX', crlf(REPORT), ['\\Flagged', '$Label1'], received)).toMatchObject({ destination: 'INBOX', uid: 1 });
    await post(server, 'flow', letter('delivered', addressOf('flow')));
    await server.arrived('flow', 'Subject: delivered');
    const mailbox = await flow.mailboxOpen('INBOX');
    expect(mailbox).toMatchObject({ exists: 2, uidNext: 3, readOnly: false, specialUse: '\\Inbox' });
    expect(mailbox.permanentFlags?.has('\\*')).toBe(true);

    const query = { envelope: true, bodyStructure: true, flags: true, internalDate: true, size: true, threadId: true, headers: ['message-id'] };
    const [report, delivered, ...more] = await flow.fetchAll('1:*', query);
    expect(more).toEqual([]);
    expect(report).toMatchObject({
      seq: 1, uid: 1, size: crlf(REPORT).length, internalDate: received, flags: new Set(['$Label1', '\\Flagged']), emailId: expect.any(String),
      envelope: {
        subject: '請求書', messageId: '<report@y.test>', inReplyTo: '<asked@y.test>', date: new Date('2026-01-05T00:00:00Z'),
        from: [{ name: '山田太郎', address: 'yamada@y.test' }],
        to: [{ name: '', address: 'flow@x.test' }, { name: 'Ann, B.', address: 'ann@y.test' }],
      },
      bodyStructure: {
        type: 'multipart/mixed', parameters: { boundary: 'b' },
        childNodes: [
          { part: '1', type: 'text/plain', encoding: '7bit', parameters: { charset: 'iso-2022-jp' }, lineCount: 0 },
          { part: '2', type: 'image/jpeg', encoding: 'base64', parameters: { name: '写真.jpg' }, disposition: 'attachment', dispositionParameters: { filename: '写真.jpg' } },
        ],
      },
    });
    expect(report?.headers?.toString()).toBe('Message-ID: <report@y.test>\r\n\r\n');
    expect(report?.threadId).toBeUndefined(); // NIL
    expect(delivered).toMatchObject({ seq: 2, uid: 2, flags: new Set(), envelope: { subject: 'delivered', from: [{ name: 'Alice', address: addressOf('alice') }] } });
    expect(delivered?.emailId).not.toBe(report?.emailId);
    expect(delivered?.modseq).toBeGreaterThan(report?.modseq ?? 0n);
    expect(Date.now() - new Date(delivered?.internalDate ?? 0).getTime()).toBeLessThan(180_000);
    await flow.logout();
  });

  server.it('comes whole, in pieces, by part with the encoding taken off here or there, and is not seen by that', async () => {
    const flow = await login('parts');
    const sent = crlf(letter('whole', addressOf('parts')));
    await flow.append('INBOX', crlf(REPORT));
    await flow.append('INBOX', sent);
    await flow.mailboxOpen('INBOX');
    expect((await one(flow, 1, { source: true })).source?.equals(crlf(REPORT))).toBe(true);
    expect((await one(flow, 2, { source: { start: 100, maxLength: 50 } })).source).toEqual(sent.subarray(100, 150));
    const whole = await flow.download(2, undefined, { uid: true, chunkSize: 64 });
    expect((await octetsOf(whole.content)).equals(sent)).toBe(true);
    expect(whole.meta).toMatchObject({ expectedSize: sent.length });

    const text = await flow.download(1, '1', { uid: true });
    expect((await octetsOf(text.content)).toString().trim()).toBe('記録 2026');
    for (const binary of [false, true]) {
      const picture = await flow.download(1, '2', { uid: true, binary, chunkSize: 100 });
      expect(picture.meta).toMatchObject({ contentType: 'image/jpeg', disposition: 'attachment', filename: '写真.jpg' });
      expect((await octetsOf(picture.content)).equals(JPEG)).toBe(true);
    }
    const both = await flow.downloadMany(1, ['1', '2'], { uid: true });
    expect(both['2']?.content?.equals(JPEG)).toBe(true);
    const { bodyParts, binaryParts } = await (async () => {
      for await (const message of flow.fetch('1', { bodyParts: ['2', 'header', '1.mime'] }, { binary: true })) return message;
      throw new Error('no message');
    })();
    expect(bodyParts?.get('2')?.equals(JPEG)).toBe(true);
    expect([...(binaryParts ?? [])]).toEqual(['2']);
    expect(bodyParts?.get('1.mime')?.toString()).toBe('Content-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: 7bit\r\n\r\n');
    expect(await flow.search({ seen: true })).toEqual([]);
    expect(await flow.download(99, '1', { uid: true })).toEqual({});
    await flow.logout();
    expect(grumbles()).toEqual([expect.stringContaining('no data')]);
  });
});

describe('what imapflow does to messages', () => {
  server.it('holds for flags: added, removed, set, cleared, and only where nobody was faster', async () => {
    const flow = await login('flags');
    await fill(flow, 'INBOX', 'a', 'b', 'c');
    await flow.mailboxOpen('INBOX');
    const changed = next(flow, 'flags');
    expect(await flow.messageFlagsAdd('1:2', ['\\Seen', '$Label1'])).toBe(true);
    expect(await changed).toMatchObject({ path: 'INBOX', seq: 1, uid: 1, flags: new Set(['$Label1', '\\Seen']), modseq: expect.anything() });
    expect(await flow.messageFlagsRemove({ seen: true }, ['\\Seen'])).toBe(true);
    expect(await flow.messageFlagsSet([3], ['\\Answered', '$Forwarded'], { uid: true })).toBe(true);
    expect(await flow.setFlagColor('2', 'purple')).toBe(true);
    expect(await shown(flow)).toEqual(['1 a $Label1', '2 b $Label1 $MailFlagBit0 $MailFlagBit2 \\Flagged', '3 c $Forwarded \\Answered']);
    expect(await one(flow, 2, { flags: true })).toMatchObject({ flagColor: 'purple' });

    const { modseq = 0n } = await one(flow, 1, { flags: true });
    const other = await login('flags');
    await other.mailboxOpen('INBOX');
    await other.messageFlagsAdd(1, ['\\Draft'], { uid: true });
    await flow.messageFlagsSet(1, ['\\Deleted'], { uid: true, unchangedSince: modseq });
    await flow.messageFlagsSet(3, [], { uid: true });
    expect(await shown(other)).toEqual(['1 a $Label1 \\Draft', '2 b $Label1 $MailFlagBit0 $MailFlagBit2 \\Flagged', '3 c']);
    await other.logout();
    expect(await flow.mailboxOpen('INBOX', { readOnly: true })).toMatchObject({ readOnly: true });
    expect(await flow.messageFlagsAdd(1, ['\\Seen'], { uid: true })).toBe(false);
    await flow.logout();
    expect(grumbles()).toEqual([expect.stringContaining('does not accept')]);
  });

  server.it('holds for copying, moving and deleting, with the new UIDs told', async () => {
    const flow = await login('move');
    await flow.mailboxCreate('控え');
    await fill(flow, '控え', 'already');
    await fill(flow, 'INBOX', 'a', 'b', 'c', 'd', 'e');
    const inbox = await flow.mailboxOpen('INBOX');
    await flow.messageFlagsAdd(2, ['\\Flagged'], { uid: true });
    const copied = await flow.messageCopy('1:2', '控え', { uid: true });
    expect(copied).toMatchObject({ path: 'INBOX', destination: '控え', uidMap: new Map([[1, 2], [2, 3]]) });
    const left = upTo(5);
    flow.on('expunge', ({ seq = 0 }) => left.splice(seq - 1, 1));
    expect(await flow.messageMove([2, 4], '控え', { uid: true })).toMatchObject({ uidMap: new Map([[2, 4], [4, 5]]) });
    expect(left).toEqual([1, 3, 5]);
    expect(inbox.exists).toBe(3);
    expect(await flow.messageDelete({ subject: 'c' })).toBe(true);
    expect(await shown(flow)).toEqual(['1 a', '5 e']);
    expect((await flow.mailboxOpen('控え')).uidValidity).toBe(copied && copied.uidValidity);
    expect(await shown(flow)).toEqual(['1 already', '2 a', '3 b \\Flagged', '4 b \\Flagged', '5 d']);
    expect(await flow.messageCopy('1', 'nowhere')).toBe(false);
    await flow.logout();
    expect(grumbles()).toEqual(['TRYCREATE']);
    const far = await imapOf(server, 'move');
    expect(await heldIn(far, wireName('控え'))).toEqual(['1 already', '2 a', '3 b \\Flagged', '4 b \\Flagged', '5 d']);
    await far.logout();
  });
});

describe('a search by imapflow', () => {
  server.it('finds Japanese in subject, sender and text whatever the encoding, combines keys, and tells counts only when asked for', async () => {
    const flow = await login('search');
    await flow.append('INBOX', crlf(REPORT), [], new Date('2026-01-05T01:02:03Z'));
    await fill(flow, 'INBOX', 'b', 'c', 'd');
    await flow.append('INBOX', crlf(letter('請求書の控え', addressOf('search'))), ['\\Seen']); // 8-bit in the header
    await flow.mailboxOpen('INBOX');
    expect(await flow.search({ subject: '請求書' }, { uid: true })).toEqual([1, 5]);
    expect(await flow.search({ from: '山田' })).toEqual([1]);
    expect(await flow.search({ body: '記録' })).toEqual([1, 5]);
    expect(await flow.search({ subject: '見積書' })).toEqual([]);
    expect(await flow.search({ or: [{ subject: '請求', seen: false }, { header: { 'message-id': '<c@y.test>' } }], not: { uid: '5' } })).toEqual([1, 3]);
    expect(await flow.search({ before: new Date('2026-01-06') })).toEqual([1]);
    expect(await flow.search({ sentOn: '2026-01-05', larger: 1_000 })).toEqual([1, 5]);
    expect(await flow.search({ header: { 'in-reply-to': true } })).toEqual([1]);
    expect(await flow.search({ seen: false, text: '請求' }, { returnOptions: ['COUNT', 'MIN', 'MAX', 'ALL'], uid: true })).toEqual({ count: 1, min: 1, max: 1, all: '1' });
    expect(await flow.search({ all: true }, { returnOptions: [{ partial: '2:3' }] })).toEqual({ partial: { range: '2:3', messages: '2:3' } });
    const { emailId = '', modseq = 0n } = await one(flow, 3, {});
    expect(await flow.search({ emailId })).toEqual([3]);
    expect(await flow.search({ modseq })).toEqual([3, 4, 5]);
    await flow.logout();
  });
});

describe('changes that imapflow is told of', () => {
  server.it('come while it idles: mail by SMTP, flags and deletions by others; and commands in between work', async () => {
    const flow = await login('idle', { disableAutoIdle: false, autoIdleDelay: 20 });
    await flow.mailboxOpen('INBOX');
    const far = await imapOf(server, 'idle');
    await far.ok('SELECT INBOX');
    const idles = (): Promise<true> => until('it idles', PATIENCE, () => flow.idling);
    for (const count of upTo(3)) {
      await idles();
      const told = next(flow, 'exists');
      await post(server, 'idle', letter(`pushed-${count}`, addressOf('idle')));
      expect(await told).toEqual({ path: 'INBOX', count, prevCount: count - 1 });
      const { source } = await one(flow, count, { source: true });
      expect(source?.includes(crlf(letter(`pushed-${count}`, addressOf('idle'))))).toBe(true);
    }
    await idles();
    const changed = next(flow, 'flags');
    await far.ok('UID STORE 2 +FLAGS (\\Seen \\Deleted)');
    expect(await changed).toMatchObject({ seq: 2, uid: 2, flags: new Set(['\\Deleted', '\\Seen']) });
    const gone = next(flow, 'expunge');
    await far.ok('EXPUNGE');
    expect(await gone).toMatchObject({ path: 'INBOX', seq: 2, vanished: false });
    await far.logout();
    expect((await flow.fetchAll('1:*', {})).map(({ uid }) => uid)).toEqual([1, 3]);
    await flow.logout();
  });

  server.it('come when it returns with QRESYNC: what has changed, what has vanished, and nothing else', async () => {
    const first = await login('sync');
    await fill(first, 'INBOX', 'a', 'b', 'c', 'd', 'e');
    const { uidValidity, highestModseq = 0n } = await first.mailboxOpen('INBOX');
    await first.logout();
    const far = await imapOf(server, 'sync');
    await far.ok('SELECT INBOX');
    await far.ok('UID STORE 2,4 +FLAGS.SILENT (\\Deleted)');
    await far.ok('UID EXPUNGE 2,4');
    await far.ok('UID STORE 5 +FLAGS.SILENT (\\Seen)');
    await put(far, 'INBOX', note('f'));

    const vanished: unknown[] = [];
    const changed: unknown[] = [];
    const back = await login('sync', { qresync: true, expungeHandler: ({ uid, vanished: told, earlier }) => void vanished.push([uid, told, earlier]) });
    back.on('flags', ({ uid, flags }) => changed.push([uid, ...flags]));
    expect(await back.mailboxOpen('INBOX', { changedSince: highestModseq, uidValidity })).toMatchObject({ exists: 4, uidValidity, qresync: true });
    expect(vanished).toEqual([[2, true, true], [4, true, true]]);
    expect(changed).toEqual([[5, '\\Seen'], [6]]);
    expect((await back.fetchAll('1:*', { flags: true }, { changedSince: highestModseq, uid: true })).map(({ uid }) => uid)).toEqual([5, 6]);
    expect(await shown(back)).toEqual(['1 a', '3 c', '5 e \\Seen', '6 f']);

    await far.ok('UID STORE 3 +FLAGS.SILENT (\\Deleted)');
    await far.ok('UID EXPUNGE 3');
    vanished.splice(0);
    await back.noop();
    expect(vanished).toEqual([[3, true, false]]);
    await far.logout();
    await back.logout();
  });
});
