import encodingJapanese from 'encoding-japanese';
import iconv from 'iconv-lite';

/** A mail of which the test knows what a reader reads. For `*.int.spec.ts`. */
export interface KnownMail {
  readonly subject?: string;
  readonly from: string;
  readonly to: string;
  readonly extra?: string;
  readonly charset: 'utf-8' | 'iso-2022-jp' | 'shift_jis' | 'euc-jp';
  readonly encoding: 'base64' | 'quoted-printable' | '8bit';
  readonly shape: 'plain' | 'mixed' | 'forwarded';
  readonly text: string;
}

export function bytesIn(charset: KnownMail['charset'], text: string): Buffer {
  if (charset !== 'iso-2022-jp') return iconv.encode(text, charset);
  return Buffer.from(encodingJapanese.convert(encodingJapanese.stringToCode(text), { to: 'JIS', from: 'UNICODE' }));
}

function encoded(encoding: KnownMail['encoding'], bytes: Buffer): string {
  if (encoding === 'base64') return bytes.toString('base64').replace(/.{76}/g, '$&\r\n');
  if (encoding === '8bit') return bytes.toString('latin1');
  let line = '';
  let out = '';
  for (const byte of bytes) {
    const piece = byte > 32 && byte < 127 && byte !== 61 ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    if (line.length + piece.length > 73) {
      out += `${line}=\r\n`;
      line = '';
    }
    line += piece;
  }
  return out + line;
}

const word = (charset: KnownMail['charset'], text: string): string => (/^[ -~]*$/.test(text) ? text : `=?${charset}?B?${bytesIn(charset, text).toString('base64')}?=`);

/** The mail as octets. */
export function written({ subject, from, to, extra, charset, encoding, shape, text }: KnownMail): Buffer {
  const header = [
    ...(subject === undefined ? [] : [`Subject: ${word(charset, subject)}`]), `From: ${word(charset, from)} <ann@x.test>`, `To: <${to}>`,
    ...(extra === undefined ? [] : [`X-Extra:\r\n ${extra}`]), 'Date: Mon, 05 Jan 2026 09:00:00 +0900', 'MIME-Version: 1.0',
  ].join('\r\n');
  const body = `Content-Type: text/plain; charset=${charset}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${encoded(encoding, bytesIn(charset, text))}`;
  const attachment = `--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n${Buffer.from('not to be found').toString('base64')}\r\n`;
  switch (shape) {
    case 'plain': return Buffer.from(`${header}\r\n${body}`, 'latin1');
    case 'mixed': return Buffer.from(`${header}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${body}\r\n${attachment}--b--\r\n`, 'latin1');
    case 'forwarded': return Buffer.from(`${header}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nX-Inner: yes\r\n${body}\r\n--b--\r\n`, 'latin1');
  }
}

/** What a reader sees of it: the fields of its header, and the texts of its body, the header of a forwarded message among them. */
export function readable({ subject, from, to, extra, charset, encoding, shape, text }: KnownMail): { readonly header: string; readonly body: readonly string[] } {
  const content = `Content-Type: text/plain; charset=${charset}\nContent-Transfer-Encoding: ${encoding}`;
  const own = shape === 'plain' ? content : 'Content-Type: multipart/mixed; boundary=b';
  const fields = [`From: ${from} <ann@x.test>`, `To: <${to}>`, 'Date: Mon, 05 Jan 2026 09:00:00 +0900', 'MIME-Version: 1.0', own];
  if (subject !== undefined) fields.unshift(`Subject: ${subject}`);
  if (extra !== undefined) fields.splice(-3, 0, `X-Extra: ${extra}`);
  return { header: fields.join('\n'), body: shape === 'forwarded' ? [`X-Inner: yes\n${content}`, text] : [text] };
}
