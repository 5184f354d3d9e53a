import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CommandReader, isDone, READER_LIMITS, type Step } from './command-reader.js';
import { bytes, hear, MODE } from './testing.js';

const BEFORE_LOGIN = { authenticated: false };

/** The reader's steps to lines alone; `null` stands for a message or unwanted literal that was read. */
function steps(lines: readonly (string | null)[], mode = {}): readonly (Step | undefined)[] {
  const reader = new CommandReader();
  return lines.map((line) => (line === null ? void reader.skipped() : reader.line(bytes(line), { ...MODE, ...mode })));
}

describe('a literal that is a string', () => {
  it('is asked for when the client waits, and taken when it does not', () => {
    expect(steps(['a LOGIN {3}'])).toEqual([{ step: 'literal', into: 'memory', size: 3, sync: true, binary: false }]);
    expect(steps(['a LOGIN {3+}'])).toEqual([{ step: 'literal', into: 'memory', size: 3, sync: false, binary: false }]);
    expect(steps(['a SETMETADATA x (/y ~{3+}'])).toEqual([{ step: 'literal', into: 'memory', size: 3, sync: false, binary: true }]);
    const { said, invited } = hear('a LOGIN {3}\r\nann {6+}\r\npencil\r\n');
    expect(said).toEqual([{ tag: 'a', uid: false, verb: 'LOGIN', user: 'ann', password: 'pencil' }]);
    expect(invited).toBe(1);
  });

  it('may hold what a line may not', () =>
    expect(hear('a SUBSCRIBE {6}\r\na\r\n{9}\r\n').said).toMatchObject([{ tag: 'a', status: 'NO', code: 'CANNOT' }]));

  it('is refused before it is sent when it is too long, and read away when it is sent anyway', () => {
    const size = READER_LIMITS.memory + 1;
    expect(steps([`a LOGIN {${size}}`])).toMatchObject([{ step: 'bad', bad: { tag: 'a', verb: 'LOGIN', status: 'NO', code: 'LIMIT' } }]);
    const [asked, , said] = steps([`a LOGIN {${size}+}`, null, ' x']);
    expect(asked).toMatchObject({ step: 'literal', into: 'nowhere', size, sync: false });
    expect(said).toMatchObject({ step: 'bad', bad: { tag: 'a', status: 'NO' } });
  });

  it('is short before login', () => {
    const fits = READER_LIMITS.memoryBeforeLogin;
    expect(steps([`a LOGIN {${fits}+}`], BEFORE_LOGIN)).toMatchObject([{ into: 'memory' }]);
    expect(steps([`a LOGIN {${fits + 1}}`], BEFORE_LOGIN)).toMatchObject([{ step: 'bad', bad: { code: 'LIMIT' } }]);
    expect(steps([`a LOGIN {${fits + 1}+}`], BEFORE_LOGIN)).toMatchObject([{ into: 'nowhere', size: fits + 1 }]);
  });

  it('counts with all others of the command', () => {
    const half = READER_LIMITS.memory / 2;
    const text = 'x'.repeat(half);
    expect(hear(`a LOGIN {${half}+}\r\n${text} {${half}+}\r\n${text}\r\n`).said).toMatchObject([{ verb: 'LOGIN', user: text }]);
    const { said, dropped } = hear(`a LOGIN {${half}+}\r\n${text} {${half + 1}+}\r\n${text}x\r\nb NOOP\r\n`);
    expect(said).toMatchObject([{ tag: 'a', code: 'LIMIT' }, { tag: 'b', verb: 'NOOP' }]);
    expect(dropped).toBe(half + 1);
  });

  it('of a size that no number holds is no literal', () =>
    expect(steps(['a LOGIN {99999999999999999999}'])).toMatchObject([{ step: 'bad', bad: { tag: 'a', status: 'BAD' } }]));
});

describe('a command that is wrong', () => {
  it.each([
    ['', '*'], [' ', '*'], ['a', 'a'], ['a ', 'a'], ['a b', 'a'], ['+ NOOP', '*'], ['(a NOOP', '*'], ['a\0 NOOP', 'a'], [`${'t'.repeat(129)} NOOP`, '*'], ['é NOOP', '*'],
  ])('%j is refused with the tag %j', (line, tag) => expect(steps([line])).toMatchObject([{ step: 'bad', bad: { tag, status: 'BAD' } }]));

  it('is refused before its literal is sent', () => {
    expect(steps(['a FOO {3}', 'b NOOP'])).toMatchObject([{ step: 'bad', bad: { tag: 'a' } }, { step: 'command', command: { tag: 'b', verb: 'NOOP' } }]);
    expect(steps(['a APPEND x (\\Foo) {3}'])).toMatchObject([{ step: 'bad', bad: { tag: 'a', verb: 'APPEND' } }]);
  });

  it('is refused after its literals have been read away when the client does not wait', () => {
    const { said, dropped, invited } = hear('a FOO {3+}\r\nb N {4+}\r\nOOP\n (\r\nc NOOP\r\n');
    expect(said).toMatchObject([{ tag: 'a', status: 'BAD' }, { tag: 'c', verb: 'NOOP' }]);
    expect([dropped, invited]).toEqual([7, 0]);
  });

  it('that waits for an invitation after all is refused there', () => {
    const [asked, , said, next] = steps(['a FOO {3+}', null, ' {5}', 'b NOOP']);
    expect(asked).toMatchObject({ into: 'nowhere' });
    expect(said).toMatchObject({ step: 'bad', bad: { tag: 'a' } });
    expect(next).toMatchObject({ step: 'command' });
  });

  it('repeats nothing of what the client sent', () => {
    for (const said of steps(['a LOGIN secret', 'a SECRET', 'a LOGIN ann "secret', 'a FETCH 1 SECRET'])) {
      expect(said?.step).toBe('bad');
      expect(JSON.stringify(said).toLowerCase()).not.toContain('secret');
    }
  });

  it.each(['GET / HTTP/1.1', 'POST /x HTTP/1.0', 'SSH-2.0-OpenSSH_9.9', 'EHLO x.test', '\x16\x03\x01'])('%j is of another protocol', (line) =>
    expect(steps([line])).toMatchObject([{ step: 'bad', bad: { foreign: true } }]));

  it.each(['GET NOOP', 'EHLO NOOP', 'a FOO'])('%j is not', (line) => {
    const [step] = steps([line]);
    expect(step?.step === 'bad' ? step.bad.foreign : undefined).toBeUndefined();
  });

  it('is one whose lines are too long together', () => {
    const line = ` "${'x'.repeat(60_000)}" {1+}\r\nx`;
    const { said } = hear(`a LIST "" (x${line.repeat(5)})\r\nb NOOP\r\n`);
    expect(said).toMatchObject([{ tag: 'a', verb: 'LIST', status: 'NO', code: 'LIMIT' }, { tag: 'b', verb: 'NOOP' }]);
  });

  it('is a long one before login', () => {
    const lines = [`a LOGIN ann ${'x'.repeat(READER_LIMITS.commandBeforeLogin)}`];
    expect(steps(lines, BEFORE_LOGIN)).toMatchObject([{ step: 'bad', bad: { tag: 'a', status: 'NO', code: 'LIMIT' } }]);
    expect(steps(lines)).toMatchObject([{ step: 'command' }]);
  });

  it('is one with a line that is too long', () => {
    const reader = new CommandReader();
    expect(reader.tooLong()).toMatchObject({ step: 'bad', bad: { tag: '*', status: 'BAD' } });
    reader.line(bytes('a LOGIN {1+}'), MODE);
    reader.literal(bytes('x'));
    expect(reader.midway).toBe(true);
    expect(reader.tooLong()).toMatchObject({ step: 'bad', bad: { tag: 'a', verb: 'LOGIN', status: 'BAD' } });
    expect(reader.midway).toBe(false);
    expect(reader.line(bytes('b NOOP'), MODE)).toMatchObject({ step: 'command' });
  });
});

describe('APPEND', () => {
  const known = { utf8: false, catenate: false };
  const text = (literal: number, size: number, binary = false) => ({ part: 'text', literal, size, binary });

  it.each([
    ['a APPEND x {3}\r\nabc\r\n', [{ ...known, flags: [], parts: [text(0, 3)] }], ['abc']],
    ['a APPEND x (\\Seen) "17-Jul-1996 02:44:25 -0700" {3+}\r\nabc\r\n', [{ ...known, flags: ['\\Seen'], receivedAt: Date.UTC(1996, 6, 17, 9, 44, 25), parts: [text(0, 3)] }], ['abc']],
    ['a APPEND {1}\r\nx () ~{3}\r\na\0c\r\n', [{ ...known, flags: [], parts: [text(0, 3, true)] }], ['a\0c']],
    ['a APPEND x UTF8 (~{3}\r\nabc)\r\n', [{ ...known, utf8: true, flags: [], parts: [text(0, 3, true)] }], ['abc']],
    ['a APPEND x {1}\r\na (k) {1}\r\nb {1}\r\nc\r\n', [
      { ...known, flags: [], parts: [text(0, 1)] }, { ...known, flags: ['k'], parts: [text(1, 1)] }, { ...known, flags: [], parts: [text(2, 1)] },
    ], ['a', 'b', 'c']],
    ['a APPEND x CATENATE (URL "/INBOX/;UID=20" TEXT {2}\r\nab URL {5}\r\n/;uid TEXT {1+}\r\nc) (k) {1}\r\nd\r\n', [
      { ...known, catenate: true, flags: [], parts: [{ part: 'url', url: '/INBOX/;UID=20' }, text(0, 2), { part: 'url', url: '/;uid' }, text(1, 1)] },
      { ...known, flags: ['k'], parts: [text(2, 1)] },
    ], ['ab', 'c', 'd']],
    ['a APPEND x CATENATE (URL /INBOX/;UID=20)\r\n', [{ ...known, catenate: true, flags: [], parts: [{ part: 'url', url: '/INBOX/;UID=20' }] }], []],
  ])('%j is read, its messages led elsewhere', (input, messages, octets) => {
    const heard = hear(input);
    expect(heard.said).toEqual([{ tag: 'a', uid: false, verb: 'APPEND', mailbox: 'x', messages }]);
    expect(heard.messages.map((message) => new TextDecoder().decode(message))).toEqual(octets);
  });

  it.each([
    'a APPEND', 'a APPEND x', 'a APPEND x abc', 'a APPEND x "abc"', 'a APPEND x (\\Seen)', 'a APPEND x (\\Recent) {3}', 'a APPEND x "1-Jan-2024 00:00:00 +0000" {3}', 'a APPEND x "30-Feb-2024 00:00:00 +0000" {3}', 'a APPEND x "01-Jan-2024 24:00:00 +0000" {3}',
    'a APPEND x "01-Jan-2024 00:00:00" {3}', 'a APPEND x {3} ', 'a APPEND x UTF8 {3}', 'a APPEND x UTF8 ({3}', 'a APPEND x FOO {3}', 'a APPEND x CATENATE {3}', 'a APPEND x CATENATE ()', 'a APPEND x CATENATE (TEXT abc)', 'a APPEND x CATENATE (FOO {3}', 'a APPEND x CATENATE (URL)',
    'a APPEND x{3}', 'a APPEND {3', 'a UID APPEND x {3}',
  ])('%j is refused before its message is sent', (line) => expect(steps([line])).toMatchObject([{ step: 'bad', bad: { tag: 'a', status: 'BAD' } }]));

  it.each(['x', ' x', ')', ' ()', ' (\\Seen) x'])('with %j after its message is refused', (rest) =>
    expect(steps(['a APPEND x {3}', null, rest])[2]).toMatchObject({ step: 'bad', bad: { tag: 'a', verb: 'APPEND' } }));

  it('says what it knows before each message, so that the server can refuse it', () => {
    const reader = new CommandReader();
    expect(reader.line(bytes('a APPEND x (k) {3}'), MODE)).toEqual({
      step: 'literal', into: 'message', size: 3, sync: true, binary: false, head: { verb: 'APPEND', mailbox: 'x', flags: ['k'], messages: [] },
    });
    reader.skipped();
    expect(reader.line(bytes(' CATENATE (URL y TEXT {5+}'), MODE)).toMatchObject({
      into: 'message', size: 5, sync: false, head: { messages: [{ flags: ['k'] }], flags: [], parts: [{ part: 'url', url: 'y' }] },
    });
    expect(reader.refuse({ status: 'NO', code: 'TRYCREATE', text: 'No such mailbox' })).toMatchObject({ step: 'literal', into: 'nowhere', size: 5 });
    reader.skipped();
    expect(reader.line(bytes(')'), MODE)).toEqual({ step: 'bad', bad: { tag: 'a', verb: 'APPEND', status: 'NO', code: 'TRYCREATE', text: 'No such mailbox' } });
    expect(reader.midway).toBe(false);
  });

  it('is refused at once in place of the invitation', () => {
    const reader = new CommandReader();
    reader.line(bytes('a APPEND x {3}'), MODE);
    expect(reader.refuse({ status: 'NO', text: 'no' })).toMatchObject({ step: 'bad', bad: { tag: 'a', status: 'NO' } });
    expect(reader.line(bytes('b NOOP'), MODE)).toMatchObject({ step: 'command' });
  });

  it('is refused at its end when the message could not be kept', () => {
    const reader = new CommandReader();
    reader.line(bytes('a APPEND x {3}'), MODE);
    reader.skipped();
    expect(reader.refuse({ status: 'NO', text: 'disk' })).toBeUndefined();
    expect(reader.line(bytes(''), MODE)).toMatchObject({ step: 'bad', bad: { tag: 'a', text: 'disk' } });
  });

  it('is refused when a message is larger than the limit', () => {
    expect(steps(['a APPEND x {1000000}'])).toMatchObject([{ into: 'message' }]);
    expect(steps(['a APPEND x {1000001}'])).toMatchObject([{ step: 'bad', bad: { status: 'NO', code: 'TOOBIG' } }]);
    expect(steps(['a APPEND x {1000001+}'])).toMatchObject([{ into: 'nowhere', size: 1_000_001 }]);
  });

  it('takes no message before login', () => expect(steps(['a APPEND x {3}'], BEFORE_LOGIN)).toMatchObject([{ step: 'bad', bad: { status: 'BAD' } }]));

  it('takes a thousand messages, each looked at once', () => {
    const reader = new CommandReader();
    let step = reader.line(bytes('a APPEND x {1+}'), MODE);
    for (let i = 1; i < 1_000; i++) {
      reader.skipped();
      step = reader.line(bytes(' {1+}'), MODE);
      expect(step).toMatchObject({ into: 'message' });
    }
    reader.skipped();
    step = reader.line(bytes(' {1+}'), MODE);
    expect(step).toMatchObject({ into: 'nowhere' });
    reader.skipped();
    expect(reader.line(bytes(''), MODE)).toMatchObject({ step: 'bad', bad: { status: 'NO', code: 'LIMIT' } });
  });
});

describe('REPLACE', () => {
  it('is read with a message number, a UID or the last', () => {
    const replacement = { flags: ['k'], utf8: false, catenate: false, parts: [{ part: 'text', literal: 0, size: 1, binary: false }] };
    expect(hear('a REPLACE 4 x (k) {1}\r\na\r\nb UID REPLACE 9 x (k) {1}\r\na\r\nc REPLACE * {1}\r\nx (k) {1}\r\na\r\n').said).toEqual([
      { tag: 'a', uid: false, verb: 'REPLACE', message: 4, mailbox: 'x', replacement },
      { tag: 'b', uid: true, verb: 'REPLACE', message: 9, mailbox: 'x', replacement },
      { tag: 'c', uid: false, verb: 'REPLACE', message: 0, mailbox: 'x', replacement },
    ]);
  });

  it.each(['a REPLACE', 'a REPLACE 0 x {1}', 'a REPLACE 1:2 x {1}', 'a REPLACE $ x {1}', 'a REPLACE x {1}', 'a REPLACE 1 x'])('%j is refused', (line) =>
    expect(steps([line])).toMatchObject([{ step: 'bad', bad: { tag: 'a', verb: 'REPLACE', status: 'BAD' } }]));

  it('takes one message', () => expect(steps(['a REPLACE 1 x {1}', null, ' {1}'])[2]).toMatchObject({ step: 'bad', bad: { status: 'NO', code: 'LIMIT' } }));
});

describe('whatever a client sends', () => {
  const pieces = fc.constantFrom(
    'a ', 'UID ', 'FETCH ', 'SEARCH ', 'APPEND x ', 'LOGIN ', 'LIST ', 'NOTIFY SET ', 'CATENATE (TEXT ', '(', ')', ' ', '"', '\\', '{2}', '{1+}', '~{3+}', '{70000+}', '\r\n', '\r', '\n', '\0', '1:*', '$', 'BODY[', ']', '<0.1>', 'NOT ', 'OR ', 'CHARSET ISO-2022-JP ',
    '\x1b$B', '&', '-', 'é', 'ALL', 'RETURN (', 'INBOX', '*', '%', '1-Jan-2024',
  );
  const noise = fc.oneof(fc.array(pieces, { maxLength: 60 }).map((all) => bytes(all.join(''))), fc.uint8Array({ maxLength: 300 }));

  it('the reader answers, and is ready for the next command', () =>
    fc.assert(
      fc.property(noise, (input) => {
        const line = new Uint8Array([...input, ...bytes('\r\n')]);
        fc.pre(!hear(line).midway);
        expect(hear(new Uint8Array([...line, ...bytes('z NOOP\r\n')])).said.at(-1)).toMatchObject({ tag: 'z', verb: 'NOOP' });
      }),
      { numRuns: 2_000 },
    ));

  it('no answer is longer than a line, or breaks one', () =>
    fc.assert(
      fc.property(noise, (input) => {
        for (const said of hear(input).said) if ('status' in said) expect(`${said.tag} ${said.status} [${said.code}] ${said.text}`).toMatch(/^[ -~]{1,400}$/);
      }),
      { numRuns: 1_000 },
    ));
});

describe('the end of IDLE', () => {
  it.each([['DONE', true], ['done', true], ['DONE ', false], ['a DONE', false], ['', false]])('%j: %s', (line, done) => expect(isDone(bytes(line))).toBe(done));
});
