import { describe, expect, it } from '@jest/globals';
import { startRig } from './testing/rig.js';

const mail = (text: string): string => `Subject: x\r\n\r\n${text}\r\n`;
const literal = (text: string, plus = '+'): string => `{${Buffer.byteLength(text)}${plus}}\r\n${text}`;

describe('APPEND', () => {
  it('keeps the message, its flags and its date, and tells who looks on', async () => {
    await using rig = await startRig();
    const client = await rig.selected();
    expect(await client.ask(`APPEND INBOX (\\Seen work) "05-Jan-2026 09:00:00 +0900" ${literal(mail('hi'))}`)).toEqual([
      expect.stringContaining('* FLAGS ('), expect.stringContaining('PERMANENTFLAGS'), '* 1 EXISTS', '* 0 RECENT', 'OK [APPENDUID 1700000001 1] Appended',
    ]);
    expect(await client.ok('FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])')).toEqual([
      `* 1 FETCH (FLAGS (\\Seen work) INTERNALDATE " 5-Jan-2026 00:00:00 +0000" BODY[] {18}\r\n${mail('hi')})`,
    ]);
  });

  it('waits for the go-ahead of a synchronising literal, and refuses before the octets come', async () => {
    await using rig = await startRig({ settings: { imapAppendLimit: 1000 } });
    const client = await rig.loggedIn();
    const tag = client.say(`APPEND INBOX {${mail('a').length}}`);
    expect(await client.line()).toMatch(/^\+ /);
    client.write(`${mail('a')}\r\n`);
    expect((await client.answer(tag)).at(-1)).toMatch(/^OK \[APPENDUID/);
    expect(await client.end('APPEND nowhere {10}')).toMatch(/^NO \[TRYCREATE\]/);
    expect(await client.end('APPEND INBOX {2000}')).toMatch(/^NO \[TOOBIG\]/);
    expect(await client.end(`APPEND INBOX ${literal('x'.repeat(2000))}`)).toMatch(/^NO \[TOOBIG\]/);
    await client.ok('NOOP');
    rig.boxes.limit = 20;
    expect(await client.end('APPEND INBOX {900}')).toMatch(/^NO \[OVERQUOTA\]/);
  });

  it('takes many messages or none', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    expect(await client.end(`APPEND INBOX ${literal(mail('a'))} (\\Flagged) ${literal(mail('b'))} ${literal(mail('c'))}`)).toBe('OK [APPENDUID 1700000001 1:3] Appended');
    rig.boxes.limit = 60;
    expect(await client.end(`APPEND INBOX ${literal(mail('a'))} ${literal(mail('b'))}`)).toMatch(/^NO \[OVERQUOTA\]/);
    expect(await client.ok('STATUS INBOX (MESSAGES)')).toEqual(['* STATUS INBOX (MESSAGES 3)']);
  });

  it('refuses an empty message, and NUL unless the literal is binary', async () => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    expect(await client.end('APPEND INBOX {0+}\r\n')).toMatch(/^(BAD|NO)/);
    expect(await client.end('APPEND INBOX {3+}\r\na\0b')).toBe('BAD NUL in a literal that is not binary');
    expect(await client.end('APPEND INBOX ~{3+}\r\na\0b')).toMatch(/^OK/);
    await client.ok('ENABLE UTF8=ACCEPT');
    const text = Buffer.from('Subject: 日本\r\n\r\n');
    expect(await client.end(`APPEND INBOX UTF8 (~{${text.length}+}\r\n${text.toString()})`)).toMatch(/^OK/);
  });

  it('puts a message together from texts and from parts of others', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('first'));
    const client = await rig.selected();
    expect(await client.end(`APPEND INBOX CATENATE (URL "/INBOX;UIDVALIDITY=1700000001/;UID=1/;SECTION=HEADER" TEXT ${literal('new\r\n')} URL "/INBOX/;UID=1/;SECTION=TEXT")`)).toMatch(/^OK/);
    expect(await client.ok('FETCH 2 BODY.PEEK[]')).toEqual(['* 2 FETCH (BODY[] {26}\r\nSubject: x\r\n\r\nnew\r\nfirst\r\n)']);
    expect(await client.end('APPEND INBOX CATENATE (URL "/INBOX/;UID=9")')).toBe('NO [BADURL "/INBOX/;UID=9"] There is no such part');
    expect(await client.end('APPEND INBOX CATENATE (URL "imap://elsewhere/INBOX/;UID=1")')).toMatch(/^NO \[BADURL/);
    expect(await client.ok('STATUS INBOX (MESSAGES)')).toEqual(['* STATUS INBOX (MESSAGES 2)']);
  });
});

describe('REPLACE', () => {
  it('puts a new message in the place of the old one', async () => {
    await using rig = await startRig();
    await rig.deliver(mail('draft'));
    const client = await rig.selected();
    expect(await client.ask(`REPLACE 1 INBOX (\\Draft) ${literal(mail('better'))}`)).toEqual([
      '* OK [APPENDUID 1700000001 2] Replaced', '* 1 EXPUNGE', '* 1 EXISTS', '* 0 RECENT', 'OK Replaced',
    ]);
    expect(await client.end(`UID REPLACE 1 INBOX ${literal(mail('c'))}`)).toMatch(/^NO/);
    expect(await client.end(`UID REPLACE 2 nowhere ${literal(mail('c'))}`)).toMatch(/^NO \[TRYCREATE\]/);
  });
});

describe('COPY and MOVE', () => {
  it('name what has become what', async () => {
    await using rig = await startRig();
    for (const name of ['a', 'b', 'c']) await rig.deliver(mail(name), { flags: [name === 'b' ? '\\Flagged' : '\\Seen'] });
    const client = await rig.selected('INBOX', 'CREATE to');
    expect(await client.end('COPY 2:3 to')).toMatch(/^OK \[COPYUID \d+ 2:3 1:2\] Copied$/);
    expect(await client.ask('UID MOVE 1 to')).toEqual([expect.stringMatching(/^\* OK \[COPYUID \d+ 1 3\] Moved$/), '* 1 EXPUNGE', 'OK Moved']);
    expect(await client.end('COPY 1 nowhere')).toBe('NO [TRYCREATE] There is no such mailbox');
    expect(await client.end('UID COPY 99 to')).toBe('OK Nothing to copy');
    await client.ok('EXAMINE INBOX');
    expect(await client.end('MOVE 1 to')).toMatch(/^NO \[READ-ONLY\]/);
    await client.ok('SELECT to');
    expect(await client.ok('FETCH 1:* FLAGS')).toEqual(['* 1 FETCH (FLAGS (\\Flagged))', '* 2 FETCH (FLAGS (\\Seen))', '* 3 FETCH (FLAGS (\\Seen))']);
  });
});
