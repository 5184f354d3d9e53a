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
