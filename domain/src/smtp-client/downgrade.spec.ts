import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { downgraded, DowngradeLook } from './downgrade.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const crlf = (...lines: readonly string[]): string => lines.map((line) => `${line}\r\n`).join('');
const cut = (bytes: Uint8Array, size: number): readonly Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.slice(i * size, (i + 1) * size));

/** The message in 7 bits, or why not; cut into pieces of so many bytes. */
async function sevenBit(message: string | Uint8Array, size = 1 << 20): Promise<string> {
  const bytes = typeof message === 'string' ? utf8(message) : message;
  const look = new DowngradeLook();
  for (const piece of cut(bytes, size)) look.push(piece);
  const changes = look.result();
  if (typeof changes === 'string') return `no: ${changes}`;
  let text = '';
  for await (const piece of downgraded(cut(bytes, size), changes)) for (const byte of piece) text += String.fromCharCode(byte);
  return text;
}

const quoted = (text: string): Uint8Array => {
  const joined = text.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Uint8Array.from(joined, (c) => c.charCodeAt(0));
};
const base64 = (text: string): Uint8Array => Uint8Array.from(atob(text.replace(/\s/g, '')), (c) => c.charCodeAt(0));

const PREFACE = ['From: ann@x.test', 'MIME-Version: 1.0'];
const MIXED = [...PREFACE, 'Content-Type: multipart/mixed; boundary="b 1"', 'Content-Transfer-Encoding: 8bit', ''];

describe('an 8-bit text', () => {
  it('of few 8-bit letters becomes quoted-printable, and its field stays where it was', async () => {
    expect(await sevenBit(crlf(...PREFACE, 'Content-Transfer-Encoding: 8bit', 'Content-Type: text/plain; charset=utf-8', 'Subject: x', '', 'na\u00efve = good \t', '.', '', 'end'))).toBe(
      crlf(...PREFACE, 'Content-Transfer-Encoding: quoted-printable', 'Content-Type: text/plain; charset=utf-8', 'Subject: x', '', 'na=C3=AFve =3D good =09', '.', '', 'end'),
    );
  });

  it('of many becomes base64, its last line end included', async () => {
    const text = crlf('日本語の文です。', '', '二行目');
    const made = await sevenBit(crlf(...PREFACE, 'Content-Type: text/plain; charset=utf-8', '') + text);
    const [head = '', body = ''] = made.split('\r\n\r\n');
    expect(head).toBe('From: ann@x.test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64');
    expect(base64(body)).toEqual(utf8(text));
    expect(body.endsWith('\r\n')).toBe(true);
  });

  it('without a word of what it is gets one (RFC 1428)', async () => {
    expect(await sevenBit(crlf('From: ann@x.test', '', 'caf\u00e9, and a lot of ASCII'))).toBe(
      crlf('From: ann@x.test', 'Content-Transfer-Encoding: quoted-printable', 'MIME-Version: 1.0', 'Content-Type: text/plain; charset=unknown-8bit', '', 'caf=C3=A9, and a lot of ASCII'),
    );
  });
});

describe('a message of several parts', () => {
  const signed = [
    ...PREFACE, 'Content-Type: multipart/signed; boundary=s; micalg=sha256; protocol="application/pgp-signature"', '', '--s', 'Content-Type: text/plain; charset=utf-8', '',
  ];

  it('has those encoded that need it, and no others', async () => {
    const before = crlf(
      ...MIXED, 'For old readers', '--b 1', 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit', '', 'my r\u00e9sum\u00e9 follows here below', '--b 1 \t',
      'content-transfer-encoding: BASE64', 'Content-Type: application/pdf', '', 'AAAA', '', '--b 1', 'Content-Type: image/x-odd;', '\tname="--b 1"', '', '\u00ff\u00ff', '--b 1',
      'Content-Transfer-Encoding: 8bit', '', 'plain', '--b 1--', 'After it',
    );
    expect(await sevenBit(before)).toBe(crlf(
      ...PREFACE, 'Content-Type: multipart/mixed; boundary="b 1"', 'Content-Transfer-Encoding: 7bit', '', 'For old readers', '--b 1',
      'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: quoted-printable', '', 'my r=C3=A9sum=C3=A9 follows here below', '--b 1 \t',
      'content-transfer-encoding: BASE64', 'Content-Type: application/pdf', '', 'AAAA', '', '--b 1', 'Content-Type: image/x-odd;', '\tname="--b 1"',
      'Content-Transfer-Encoding: base64', '', 'w7/Dvw==', '--b 1', 'Content-Transfer-Encoding: 7bit', '', 'plain', '--b 1--', 'After it',
    ));
  });

  it('and of messages within is followed', async () => {
    const made = await sevenBit(crlf(
      ...MIXED, '--b 1', 'Content-Type: message/rfc822', 'Content-Transfer-Encoding: 8bit', '', 'Subject: inner', 'MIME-Version: 1.0', 'Content-Type: multipart/alternative; boundary=c', '', '--c', '',
      'only a caf\u00e9 in ASCII', '--c--', '--b 1--',
    ));
    expect(made).toContain(crlf('Content-Type: message/rfc822', 'Content-Transfer-Encoding: 7bit', '', 'Subject: inner'));
    expect(made).toContain(crlf('--c', 'Content-Transfer-Encoding: quoted-printable', 'Content-Type: text/plain; charset=unknown-8bit', '', 'only a caf=C3=A9 in ASCII', '--c--', '--b 1--'));
  });

  it('is not touched under a signature; outside of one it is', async () => {
    expect(await sevenBit(crlf(...signed, 'caf\u00e9', '--s', 'Content-Type: application/pgp-signature', '', 'xx', '--s--'))).toBe('no: eight-bit-sealed');
    const made = await sevenBit(crlf(
      ...MIXED, '--b 1', 'Content-Type: multipart/signed; boundary=s', '', '--s', 'Content-Transfer-Encoding: 8bit', '', 'cafe', '--s', '', 'xx', '--s--', '--b 1', '', 'a footer with a caf\u00e9', '--b 1--',
    ));
    expect(made).toContain(crlf('--s', 'Content-Transfer-Encoding: 8bit', '', 'cafe', '--s', '', 'xx', '--s--'));
    expect(made).toContain('a footer with a caf=C3=A9');
  });

  it.each([
    ['a header', crlf('Subject: caf\u00e9', '', 'x'), 'eight-bit-header'],
    ['the header of a part', crlf(...MIXED, '--b 1', 'Content-Type: text/plain; name="caf\u00e9"', '', 'x', '--b 1--'), 'eight-bit-header'],
    ['what is encoded already', crlf(...PREFACE, 'Content-Transfer-Encoding: base64', '', 'caf\u00e9'), 'eight-bit'],
    ['an encoding that nobody knows', crlf(...PREFACE, 'Content-Transfer-Encoding: x-uue', '', 'caf\u00e9'), 'eight-bit'],
    ['a type that is 7bit for ever', crlf(...PREFACE, 'Content-Type: message/partial; id=1', '', 'caf\u00e9'), 'eight-bit'],
    ['a multipart without boundary', crlf(...PREFACE, 'Content-Type: multipart/mixed', '', 'caf\u00e9'), 'eight-bit'],
    ['what stands before the parts', crlf(...MIXED, 'caf\u00e9', '--b 1', '', 'x', '--b 1--'), 'eight-bit'],
    ['parts beyond number', crlf(...MIXED, ...Array.from({ length: 3000 }, () => crlf('--b 1', '', 'caf\u00e9')), '--b 1--'), 'eight-bit'],
    ['messages beyond depth', `${crlf(...PREFACE)}${'Content-Type: message/rfc822\r\n\r\n'.repeat(100)}\r\ncaf\u00e9`, 'eight-bit'],
  ])('stays as it is when 8-bit is %s', async (_, message, why) => {
    expect(await sevenBit(message)).toBe(`no: ${why}`);
  });
});

describe('made 7-bit, any body', () => {
  const line = fc.oneof(fc.string({ unit: 'binary', maxLength: 120 }).map((s) => s.replace(/[\r\n]/g, ' ')), fc.constantFrom('--b 1x', '--', '.', 'From me', 'tail \t', '='.repeat(90), ' '.repeat(200)));
  const body = fc.array(line, { minLength: 1, maxLength: 12 }).map((lines) => crlf(...lines));
  const type = fc.constantFrom('text/plain', 'application/octet-stream');

  it('is the same when it is decoded, in lines of 76, however it was cut', async () => {
    await fc.assert(fc.asyncProperty(body, type, fc.integer({ min: 1, max: 300 }), async (text, name, size) => {
      const head = crlf(...PREFACE, `Content-Type: ${name}`, 'Content-Transfer-Encoding: 8bit', '');
      const made = await sevenBit(head + text, size);
      expect(made).toBe(await sevenBit(head + text));
      expect(/[^\x00-\x7f]/.test(made)).toBe(false);
      const rest = made.slice(made.indexOf('\r\n\r\n') + 4);
      const encoding = /^Content-Transfer-Encoding: (.*)\r$/m.exec(made)?.[1];
      expect(encoding === 'base64' ? base64(rest) : encoding === 'quoted-printable' ? quoted(rest) : utf8(rest)).toEqual(utf8(text));
      if (encoding !== '7bit') for (const one of rest.split('\r\n')) expect(one.length).toBeLessThanOrEqual(76);
    }));
  });

  it('never throws and leaves no 8-bit byte, whatever the bytes', async () => {
    const word = fc.constantFrom('--b', '--b--', '\r\n', '\n', '\r', 'Content-Type: ', 'multipart/mixed; boundary=b', 'message/rfc822', 'Content-Transfer-Encoding: 8bit', ':', '\u00e9', 'a');
    await fc.assert(fc.asyncProperty(fc.array(word, { maxLength: 60 }), fc.integer({ min: 1, max: 50 }), async (words, size) => {
      const made = await sevenBit(words.join(''), size);
      expect(/[^\x00-\x7f]/.test(made)).toBe(false);
      if (!made.startsWith('no: ')) expect(await sevenBit(words.join(''))).toBe(made);
    }));
  });

  it('needs no memory for a line without end', async () => {
    const look = new DowngradeLook();
    look.push(utf8(crlf(...PREFACE, 'Content-Type: application/octet-stream', '')));
    for (let i = 0; i < 200; i++) look.push(new Uint8Array(65_536).fill(200));
    const changes = look.result();
    let longest = 0;
    let whole = 0;
    const chunks = [utf8(crlf(...PREFACE, 'Content-Type: application/octet-stream', '')), ...Array.from({ length: 200 }, () => new Uint8Array(65_536).fill(200))];
    if (typeof changes === 'string') throw new Error(changes);
    for await (const piece of downgraded(chunks, changes)) {
      longest = Math.max(longest, piece.length);
      whole += piece.length;
    }
    expect(longest).toBeLessThan(150_000);
    expect(whole).toBeGreaterThan((200 * 65_536 * 4) / 3);
  });
});
