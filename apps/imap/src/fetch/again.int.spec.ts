import { describe, expect, it } from '@jest/globals';
import { startRig } from '../testing/rig.js';

const MAIL = [
  'From: =?utf-8?Q?J=C3=BCrgen?= <j@x.test>', 'To: ben@x.test', 'Subject: Grüße', 'X-Other: 1', 'Message-ID: <1@x.test>', 'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: text/plain; charset=utf-8', '', 'Grüße', '--b', 'Content-Type: application/octet-stream; name=f',
  'Content-Transfer-Encoding: base64', '', 'QUJD', '--b--', '',
].join('\r\n');
const PREFIX = 'Return-Path: <j@x.test>\r\nDelivered-To: ann@x.test\r\n';
const EVERYTHING =
  '(UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE SAVEDATE EMAILID THREADID ENVELOPE BODY BODYSTRUCTURE PREVIEW BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] ' +
  'BODY.PEEK[HEADER.FIELDS (Subject X-Other)] BODY.PEEK[HEADER.FIELDS.NOT (Subject)] BODY.PEEK[1] BODY.PEEK[2.MIME] BODY.PEEK[HEADER]<3.10> BINARY.PEEK[2] BINARY.SIZE[2])';

describe('what has been fetched before', () => {
  it('is answered as it was the first time, with bodies that are small and that are not', async () => {
    await using rig = await startRig();
    await rig.deliver(MAIL, { prefix: PREFIX });
    await rig.deliver(`${MAIL}${'x'.repeat(300_000)}\r\n`, { prefix: PREFIX });
    const fetched = async () => (await (await rig.selected()).ok(`FETCH 1:2 ${EVERYTHING}`)).filter((line) => line.includes('FETCH'));
    const first = await fetched();
    const client = await rig.selected();
    expect(await fetched()).toEqual(first);
    expect(first).toHaveLength(2);
    expect(first[0]).toContain(`BODY[HEADER.FIELDS (Subject X-Other)] {`);
    // Neither the order of the items nor the items beside them matter.
    const [one] = await client.ok('FETCH 1 (BODYSTRUCTURE UID)');
    expect(first[0]).toContain(/BODYSTRUCTURE .*(?= UID)/.exec(one ?? '')?.[0]);
  });

  it('is answered in UTF-8 to those who read it, and to nobody else', async () => {
    await using rig = await startRig();
    await rig.deliver(MAIL);
    const [plain, utf8] = [await rig.selected(), await rig.selected('INBOX', 'ENABLE UTF8=ACCEPT')];
    const subjects: unknown[] = [];
    for (const client of [plain, utf8, plain, utf8]) subjects.push((await client.ok('FETCH 1 ENVELOPE')).join('\r\n'));
    expect(subjects[0]).toContain('{7}\r\nGr');
    expect(subjects[1]).toContain('"Gr');
    expect(subjects.slice(2)).toEqual(subjects.slice(0, 2));
  });

  it('is not answered for a message that is no longer there', async () => {
    await using rig = await startRig();
    for (let i = 0; i < 3; i++) await rig.deliver(MAIL);
    const [client, other] = [await rig.selected(), await rig.selected()];
    expect(await client.ok('FETCH 1:3 ENVELOPE')).toHaveLength(3);
    await other.ok('STORE 2 +FLAGS.SILENT (\\Deleted)');
    await other.ok('EXPUNGE');
    const lines = await client.ask('FETCH 1:3 (UID ENVELOPE)');
    expect(lines.map((line) => line.slice(0, 17))).toEqual(['* 1 FETCH (UID 1 ', '* 3 FETCH (UID 3 ', 'OK [EXPUNGEISSUED']);
  });

  it('does not hide that the body is damaged', async () => {
    await using rig = await startRig();
    for (let i = 0; i < 3; i++) await rig.deliver(`${MAIL}${i}\r\n`);
    const client = await rig.selected();
    await client.ok('FETCH 1:3 (ENVELOPE)');
    const [, damaged] = rig.bodies.bodies.values();
    if (damaged) damaged[0] = 0;
    expect(await client.ok('FETCH 2 ENVELOPE')).toHaveLength(1);
    const lines = await client.ask('FETCH 1:3 (UID BODY.PEEK[])');
    expect(lines.map((line) => line.slice(0, 17))).toEqual(['* 1 FETCH (UID 1 ', '* 3 FETCH (UID 3 ', expect.stringMatching(/^NO /)]);
  });

  it('shows flags as they are now', async () => {
    await using rig = await startRig();
    await rig.deliver(MAIL);
    const [client, other] = [await rig.selected(), await rig.selected()];
    for (const [flags, shown] of [['(\\Seen)', '(\\Seen)'], ['(work)', '(work)'], ['()', '()']]) {
      await other.ok(`STORE 1 FLAGS ${flags}`);
      expect((await client.ok('FETCH 1 (FLAGS ENVELOPE)')).at(-1)).toContain(`FLAGS ${shown} ENVELOPE (`);
    }
  });
});
