import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { downgraded, DowngradeLook } from './downgrade.js';

/** Reads a message with Python's email package, which shares no code with ours: each leaf's type, decoded content and defects. */
const PARSER = `
import sys, json, base64, email
m = email.message_from_bytes(base64.b64decode(sys.stdin.read()))
print(json.dumps([[p.get_content_type(), base64.b64encode(p.get_payload(decode=True)).decode(), [type(d).__name__ for d in p.defects]] for p in m.walk() if not p.is_multipart()]))
`;
function leavesOf(message: Buffer): unknown {
  const { stdout, stderr, status } = spawnSync('python3', ['-c', PARSER], { input: message.toString('base64'), encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}
const crlf = (...lines: readonly string[]): string => lines.map((line) => `${line}\r\n`).join('');

describe('a message made 7-bit', () => {
  it('says the same to another reader, part by part', async () => {
    const image = Buffer.from(Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7919) % 251 + 4)).toString('latin1').replace(/[\r\n]/g, 'x');
    const message = Buffer.concat([
      Buffer.from(crlf(
        'From: ann@x.test', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="outer"', 'Content-Transfer-Encoding: 8bit', '', 'preamble', '--outer',
        'Content-Type: multipart/alternative; boundary=outer-inner', '', '--outer-inner', 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit', '',
        'A long line of mostly ASCII with a caf\u00e9, tabs \t and trailing blanks   ', '.', '..', 'From here = there', '', '--outer-inner', 'Content-Type: text/html; charset=utf-8',
        'Content-Transfer-Encoding: 8bit', '', '<p>\u65e5\u672c\u8a9e\u306e\u672c\u6587</p>', '--outer-inner--', '', '--outer', 'Content-Type: message/rfc822', '', 'Subject: inner', 'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit', '', 'forwarded \u00fcber and over and over', '', '--outer', 'Content-Type: image/png', 'Content-Transfer-Encoding: 8bit', '',
      )),
      Buffer.from(`${image.replace(/.{900}/gs, '$&\r\n')}\r\n--outer--\r\n`, 'latin1'),
    ]);
    const look = new DowngradeLook();
    look.push(message);
    const changes = look.result();
    if (typeof changes === 'string') throw new Error(changes);
    const pieces: Uint8Array[] = [];
    for await (const piece of downgraded([message.subarray(0, 5_000), message.subarray(5_000)], changes)) pieces.push(piece);
    const made = Buffer.concat(pieces);
    expect(made.some((byte) => byte > 127)).toBe(false);
    expect(Math.max(...made.toString('latin1').split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(76);
    const leaves = leavesOf(made);
    expect(leaves).toEqual(leavesOf(message));
    expect(leaves).toHaveLength(4);
  });
});
