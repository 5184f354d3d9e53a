import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startRig } from './testing/rig.js';

/** Pieces that lead deep into commands. */
const pieces = fc.constantFrom(
  'FETCH ', 'UID ', 'SEARCH ', 'STORE ', 'APPEND INBOX ', 'LIST "" ', 'SELECT ', 'INBOX', 'BODY[', 'BODY.PEEK[1.HEADER.FIELDS (', ']', ')', '(', '"', '\\', '{3}', '{3+}', '~{1+}',
  '\r\n', '\r', '\n', '\0', '*', '%', '1:*', '1', '$', ' ', 'IDLE', 'DONE', '<0.1>', 'RETURN (', 'NOT ', 'OR ', 'CATENATE (URL ', 'NOTIFY SET (', 'ENABLE QRESYNC', 'x', '\xff', 'CREATE ', '&',
);

describe('hostile input', () => {
  it('of any kind never breaks the server, and answers stay lines', async () => {
    await using rig = await startRig({ settings: { commandErrors: 0 } });
    await rig.deliver('Subject: x\r\n\r\nx\r\n');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(pieces, fc.string({ maxLength: 10 })), { maxLength: 30 }), fc.boolean(), async (words, inside) => {
        const client = inside ? await rig.selected() : await rig.connect();
        client.write(`a ${words.join('')}\r\nb NOOP\r\n`);
        client.socket.halfClose();
        const said = (await client.socket.readToEnd()) ?? '';
        expect(said === '' || said.endsWith('\r\n')).toBe(true);
      }),
      { numRuns: 60 },
    );
    expect(rig.troubles).toEqual([]);
  }, 60_000);

  it.each([
    ['an overlong line', `a LIST "" ${'x'.repeat(70_000)}\r\n`, /^\S+ BAD /],
    ['a literal that is too long', 'a LOGIN {99999999}\r\n', /^a (NO|BAD) /],
    ['a bare LF', 'a NOOP\nb NOOP\r\n', /^a BAD |^\* BAD /],
    ['NUL', 'a LOGIN a\0b c\r\n', /^a BAD /],
  ])('%s gets one refusal, and the session goes on', async (_, text, answer) => {
    await using rig = await startRig();
    const client = await rig.loggedIn();
    client.write(text);
    expect(await client.line()).toMatch(answer);
    await client.ok('NOOP');
  });

  it.each([
    ['a literal of 2^63', 'a SELECT {9223372036854775808}', 'a BAD'],
    ['a literal of 10^30', `a SELECT {1${'0'.repeat(30)}}`, 'a BAD'],
    ['a literal that is no number', 'a SELECT {0x10}', 'a BAD'],
    ['parentheses without end', `a FETCH 1 ${'('.repeat(60_000)}`, 'a BAD'],
    ['search keys in 1,000 parentheses', `a SEARCH ${'('.repeat(1_000)}ALL${')'.repeat(1_000)}`, 'a NO [LIMIT]'],
    ['10,000 times NOT', `a SEARCH ${'NOT '.repeat(10_000)}ALL`, 'a NO [LIMIT]'],
    ['a set of 30,000 ranges', `a FETCH ${'1,'.repeat(30_000)}1 FLAGS`, 'a NO [LIMIT]'],
    ['a part number of 1,000 levels', `a FETCH 1 BODY[${'1.'.repeat(1_000)}1]`, 'a NO [LIMIT]'],
    ['1,000 flags', `a STORE 1 +FLAGS (${Array.from({ length: 1_000 }, (_, i) => `f${i}`).join(' ')})`, 'a NO [LIMIT]'],
    ['a keyword of 10,000 characters', `a STORE 1 +FLAGS (${'f'.repeat(10_000)})`, 'a NO [LIMIT]'],
    ['a pattern of 10,000 wildcards', `a LIST "" ${'*%'.repeat(5_000)}x`, 'a OK'],
    ['a name of 60,000 characters', `a CREATE ${'x'.repeat(60_000)}`, 'a '],
    ['a name of 1,000 levels', `a STATUS ${'x/'.repeat(1_000)}x (MESSAGES)`, 'a NO [NONEXISTENT]'],
  ])('%s is refused in one line, and the session goes on', async (_, command, answer) => {
    await using rig = await startRig();
    await rig.deliver('Subject: x\r\n\r\nx\r\n');
    const client = await rig.selected();
    client.write(`${command}\r\n`);
    expect((await client.line()).slice(0, answer.length)).toBe(answer);
    await client.ok('NOOP');
    expect(rig.troubles).toEqual([]);
  });

  it('in literals that belong to a refused command is read away', async () => {
    await using rig = await startRig({ settings: { commandErrors: 0 } });
    const client = await rig.loggedIn();
    const evil = 'x NOOP\r\ny LOGOUT\r\n';
    for (const command of ['SELECT a b', 'XYZZY', 'APPEND nowhere', 'FETCH 1', 'APPEND INBOX (\\Bad)', 'LOGIN']) {
      client.write(`a ${command} {${evil.length}+}\r\n${evil} {${evil.length}+}\r\n${evil}\r\nb NOOP\r\n`);
      expect([command, await client.line(), await client.line()]).toEqual([command, expect.stringMatching(/^a (BAD|NO) /), 'b OK Done nothing']);
    }
  });

  it('holds no NUL in literals, nor in lines', async () => {
    await using rig = await startRig({ settings: { commandErrors: 0 } });
    const client = await rig.selected();
    for (const command of ['SELECT {3+}\r\na\0b', 'SEARCH TEXT {3+}\r\na\0b', 'APPEND INBOX {3+}\r\na\0b', 'SELECT a\0b', 'CREATE "a\0b"']) {
      expect([command, await client.end(command)]).toEqual([command, expect.stringMatching(/^BAD /)]);
    }
    expect(await client.end('APPEND INBOX ~{3+}\r\na\0b')).toMatch(/^OK /);
  });

  it('of 10,000 commands at once is answered in order, and no answer is lost', async () => {
    await using rig = await startRig();
    const client = await rig.selected();
    client.write(`${Array.from({ length: 10_000 }, (_, i) => `n${i} NOOP\r\n`).join('')}z LOGOUT\r\n`);
    const said = (await client.socket.readToEnd(30_000)) ?? '';
    expect(said).toBe(`${Array.from({ length: 10_000 }, (_, i) => `n${i} OK Done nothing\r\n`).join('')}* BYE Good bye\r\nz OK Logged out\r\n`);
  }, 60_000);

  it('of half a command and then silence ends with the session, and leaves nothing', async () => {
    await using rig = await startRig();
    for (const text of ['a', 'a SELECT {10+}\r\nx', 'a APPEND INBOX {10+}\r\nx', 'a IDLE\r\n', 'a IDLE\r\nDO']) {
      const client = await rig.loggedIn();
      const closed = rig.closed();
      client.write(text);
      client.socket.halfClose();
      await client.socket.readToEnd();
      expect([text, (await closed).type]).toEqual([text, 'SessionClosed']);
    }
    expect(rig.troubles).toEqual([]);
    expect((await rig.boxes.status(['box-1']))[0]?.messages).toBe(0);
  });

  it('is never echoed', async () => {
    await using rig = await startRig();
    const client = await rig.connect('imaps');
    await client.line();
    client.write('a XSECRET\r\nb LOGIN XSECRET\r\nc LOGIN x@x.test XSECRET\r\nd AUTHENTICATE XSECRET\r\ne LOGOUT XSECRET\r\nf LOGOUT\r\n');
    expect(await client.socket.readToEnd()).not.toContain('XSECRET');
    expect(JSON.stringify(rig.facts)).not.toContain('XSECRET');
  });

  it('before login brings no literal into memory', async () => {
    await using rig = await startRig();
    const client = await rig.connect('imaps');
    await client.line();
    expect(await client.end('LOGIN {5000}')).toMatch(/^(NO|BAD)/);
    expect(await client.end('APPEND INBOX {50}')).toBe('BAD Not before login');
  });

  it('that inflates to much takes little memory, and is answered like any other', async () => {
    await using rig = await startRig();
    const { deflateRawSync, inflateRawSync, constants } = await import('node:zlib');
    const client = await rig.loggedIn();
    await client.ok('COMPRESS DEFLATE');
    const flush = { finishFlush: constants.Z_SYNC_FLUSH };
    const piece = deflateRawSync(Buffer.alloc(10_000_000, 'x'), flush);
    const bomb = Buffer.concat([...Array.from({ length: 40 }, () => piece), deflateRawSync(Buffer.from('\r\nb LOGOUT\r\n'), flush)]);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const look = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 1);
    client.write(bomb);
    const said = Buffer.from((await client.socket.readToEnd(30_000)) ?? '', 'latin1');
    clearInterval(look);
    expect(inflateRawSync(said, flush).toString()).toMatch(/^\S+ BAD .*\r\n\* BYE .*\r\nb OK .*\r\n$/);
    // What has not been collected yet counts too.
    expect(most - before).toBeLessThan(100_000_000);
  }, 60_000);
});

describe('a client that reads nothing', () => {
  it('makes the server wait, not grow', async () => {
    await using rig = await startRig();
    await rig.deliver(`Subject: x\r\n\r\n${'x'.repeat(4_000_000)}`);
    const client = await rig.selected();
    client.socket.stopReading();
    for (let i = 0; i < 20; i++) client.say('FETCH 1 BODY.PEEK[]');
    // Another client is served meanwhile.
    const other = await rig.selected();
    expect(await other.ok('FETCH 1 FLAGS')).toEqual(['* 1 FETCH (FLAGS ())']);
    client.socket.resumeReading();
    let answers = 0;
    while (answers < 20) if (/^t\d+ OK/.test(await client.socket.readLine(20_000))) answers++;
    expect(answers).toBe(20);
  }, 60_000);
});

describe('a body that fails on its way out', () => {
  it('ends the connection in place of the octets that were promised', async () => {
    await using rig = await startRig();
    const client = await rig.selected();
    await rig.deliver(`Subject: x\r\n\r\n${'x'.repeat(700_000)}`);
    const read = rig.bodies.read.bind(rig.bodies);
    rig.bodies.read = async function* (ref, range) {
      let n = 0;
      for await (const chunk of read(ref, range)) {
        if (++n > 1) throw new Error('the disk is gone');
        yield chunk;
      }
    };
    const closed = rig.closed();
    client.write('a FETCH 1 BODY.PEEK[]\r\n');
    const said = (await client.socket.readToEnd()) ?? '';
    expect(said).not.toContain('a OK');
    expect(said.length).toBeLessThan(700_000);
    expect((await closed).data.reason).toBe('body-failed');
    expect(rig.troubles).toHaveLength(1);
  });
});

describe('1,000 clients that never log in', () => {
  it('take little memory each, and none is in the way of one that does', async () => {
    await using rig = await startRig();
    const strangers = await Promise.all(Array.from({ length: 1_000 }, () => rig.connect()));
    await Promise.all(strangers.map((client) => client.line()));
    expect(rig.server.size).toBe(1_000);
    const client = await rig.selected();
    expect(await client.ok('FETCH 1:* FLAGS')).toEqual([]);
    for (const stranger of strangers) stranger.close();
  }, 60_000);
});
