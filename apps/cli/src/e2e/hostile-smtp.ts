import { addressOf } from './harness.js';

/** One line or several at once, and what each answer has to look like; `closed` where the server may as well hang up. */
export interface Exchange {
  readonly send: string | Buffer;
  /** One pattern per reply that is due, matched with its code and text. */
  readonly replies: readonly RegExp[];
  /** Closing the connection is as good an answer. */
  readonly orClosed?: boolean;
}

export interface HostileCase {
  readonly name: string;
  readonly talk: readonly Exchange[];
  /** Whether EHLO was said before; true when absent. */
  readonly greeted?: boolean;
}

const BOB = addressOf('bob');
const OK = /^250/;
const SYNTAX = /^50[01]/;
const ORDER = /^503/;
const REFUSED = /^5/;
const ANY = /^[245]/;

const line = (send: string, ...replies: RegExp[]): Exchange => ({ send: `${send}\r\n`, replies });
const orClosed = (exchange: Exchange): Exchange => ({ ...exchange, orClosed: true });
const MAIL = line('MAIL FROM:<mallory@outside.test>', OK);
const RCPT = line(`RCPT TO:<${BOB}>`, OK);
const DATA = line('DATA', /^354/);

const syntax: HostileCase[] = [
  { name: 'a verb that does not exist', talk: [line('FOO', /^50[02]/)] },
  { name: 'an empty line', talk: [line('', SYNTAX)] },
  { name: 'spaces only', talk: [line('     ', SYNTAX)] },
  { name: 'MAIL without an argument', talk: [line('MAIL', SYNTAX)] },
  { name: 'MAIL FROM without a path', talk: [line('MAIL FROM:', SYNTAX)] },
  { name: 'a path that is not closed', talk: [line('MAIL FROM:<mallory@outside.test', SYNTAX)] },
  { name: 'a path with a space inside', talk: [line('MAIL FROM:<mal lory@outside.test>', REFUSED)] },
  { name: 'two at signs', talk: [line('MAIL FROM:<a@b@outside.test>', REFUSED)] },
  { name: 'an unknown parameter of MAIL', talk: [line('MAIL FROM:<mallory@outside.test> FOO=BAR', /^(555|501)/)] },
  { name: 'a SIZE beyond any number', talk: [line(`MAIL FROM:<mallory@outside.test> SIZE=${'9'.repeat(19)}`, /^55?[25]|^501/)] },
  { name: 'a SIZE of forty digits', talk: [line(`MAIL FROM:<mallory@outside.test> SIZE=${'9'.repeat(40)}`, REFUSED)] },
  { name: 'a negative SIZE', talk: [line('MAIL FROM:<mallory@outside.test> SIZE=-1', REFUSED)] },
  { name: 'a BODY type that does not exist', talk: [line('MAIL FROM:<mallory@outside.test> BODY=9BIT', REFUSED)] },
  { name: 'RCPT to the null path', talk: [MAIL, line('RCPT TO:<>', REFUSED)] },
  { name: 'a recipient whose domain is an address literal of nonsense', talk: [MAIL, line('RCPT TO:<bob@[999.1.1.1]>', REFUSED)] },
  { name: 'DATA with an argument', talk: [MAIL, RCPT, line('DATA now', SYNTAX)] },
  { name: 'EHLO without a name', talk: [line('EHLO', SYNTAX)], greeted: false },
  { name: 'STARTTLS with an argument', talk: [line('STARTTLS now', SYNTAX)] },
  { name: 'a mechanism that does not exist', talk: [line('AUTH FOO', /^50[0-4]|^535/)] },
  { name: 'AUTH with broken base64', talk: [line('AUTH PLAIN !!!!', /^50[0-4]|^53[058]/)] },
  { name: 'AUTH that is cancelled', talk: [line('AUTH LOGIN', /^334|^5/), line('*', /^50[0-4]|^535/)] },
  { name: 'VRFY and EXPN of an account', talk: [line(`VRFY ${BOB}`, /^25[02]|^5/), line('EXPN staff', /^252|^5/)] },
];

const order: HostileCase[] = [
  { name: 'MAIL before EHLO', talk: [line('MAIL FROM:<mallory@outside.test>', ORDER)], greeted: false },
  { name: 'RCPT before MAIL', talk: [line(`RCPT TO:<${BOB}>`, ORDER)] },
  { name: 'DATA before RCPT', talk: [MAIL, line('DATA', /^503|^554/)] },
  { name: 'DATA when every recipient was refused', talk: [MAIL, line('RCPT TO:<>', REFUSED), line('DATA', /^503|^554/)] },
  { name: 'a second MAIL inside a transaction', talk: [MAIL, line('MAIL FROM:<other@outside.test>', ORDER)] },
  { name: 'AUTH inside a transaction', talk: [MAIL, line('AUTH PLAIN AAAA', /^50[0-4]|^53/)] },
];

const lengths: HostileCase[] = [
  { name: 'a command of 3,000 octets', talk: [line(`NOOP ${'x'.repeat(3_000)}`, /^500|^250/)] },
  { name: 'a command of 1 MB', talk: [orClosed(line('x'.repeat(1_000_000), /^500|^421/))] },
  { name: 'a command of 1 MB without an end, then one', talk: [orClosed({ send: 'y'.repeat(1_000_000), replies: [] }), orClosed(line('', /^500|^421/))] },
  { name: 'a local part of 500 octets', talk: [line(`MAIL FROM:<${'a'.repeat(500)}@outside.test>`, REFUSED)] },
  { name: 'a domain of 400 octets', talk: [line(`MAIL FROM:<a@${'b.'.repeat(200)}test>`, REFUSED)] },
  { name: 'an EHLO name of 2,000 octets', talk: [line(`EHLO ${'h'.repeat(2_000)}`, /^50[01]|^250/)], greeted: false },
  { name: 'AUTH with 12 KB of base64', talk: [line(`AUTH PLAIN ${'QUFB'.repeat(3_000)}`, REFUSED)] },
  { name: '2,000 recipients', talk: [MAIL, { send: `RCPT TO:<${BOB}>\r\n`.repeat(2_000), replies: Array<RegExp>(2_000).fill(ANY), orClosed: true }] },
  { name: 'a line of 1 MB in a message', talk: [MAIL, RCPT, DATA, orClosed({ send: `Subject: long\r\n\r\n${'z'.repeat(1_000_000)}\r\n.\r\n`, replies: [ANY] })] },
  { name: '100,000 header fields', talk: [MAIL, RCPT, DATA, orClosed({ send: `${'X-Junk: 1\r\n'.repeat(100_000)}\r\nbody\r\n.\r\n`, replies: [ANY] })] },
  { name: '500 Received fields', talk: [MAIL, RCPT, DATA, { send: `${'Received: from a by b; Mon, 05 Jan 2026 09:00:00 +0900\r\n'.repeat(500)}\r\nloop\r\n.\r\n`, replies: [/^5[05]4/] }] },
];

const encodings: HostileCase[] = [
  { name: 'a zero octet in a command', talk: [{ send: 'NO\0OP\r\n', replies: [/^5/], orClosed: true }] },
  { name: 'a bare LF as the end of a command', talk: [orClosed({ send: 'NOOP\nNOOP\r\n', replies: [/^5/] })] },
  { name: 'a bare CR inside a command', talk: [orClosed({ send: 'NOOP\rNOOP\r\n', replies: [/^5/] })] },
  { name: '8-bit in an address without SMTPUTF8', talk: [{ send: Buffer.from('MAIL FROM:<ボブ@outside.test>\r\n'), replies: [REFUSED] }] },
  { name: 'UTF-8 that is cut off, with SMTPUTF8', talk: [{ send: Buffer.from('MAIL FROM:<\xe3\x83@outside.test> SMTPUTF8\r\n', 'latin1'), replies: [REFUSED] }] },
  { name: 'escape sequences for the log reader', talk: [{ send: 'EHLO \x1b[2J\x1b[31mroot\r\n', replies: [/^5/], orClosed: true }], greeted: false },
  { name: 'zero octets in a message', talk: [MAIL, RCPT, DATA, { send: 'Subject: zero\r\n\r\na\0b\r\n.\r\n', replies: [ANY] }] },
  { name: 'all 256 octets in a message', talk: [MAIL, RCPT, DATA, { send: Buffer.concat([Buffer.from('Subject: bytes\r\n\r\n'), Buffer.from(Array.from({ length: 256 }, (_, i) => i)), Buffer.from('\r\n.\r\n')]), replies: [ANY], orClosed: true }] },
  { name: 'a multipart nested 5,000 deep', talk: [MAIL, RCPT, DATA, { send: nested(5_000), replies: [ANY] }] },
  { name: 'a header that claims every charset', talk: [MAIL, RCPT, DATA, { send: `Subject: ${['utf-7', 'iso-2022-jp', 'x-nonsense', 'utf-16'].map((c) => `=?${c}?B?GyRCJEI=?=`).join(' ')}\r\nContent-Type: text/plain; charset="\0"\r\n\r\nx\r\n.\r\n`, replies: [ANY] }] },
  { name: 'an encoded word of 500 KB', talk: [MAIL, RCPT, DATA, { send: `Subject: =?utf-8?B?${'QUFB'.repeat(125_000)}?=\r\n\r\nx\r\n.\r\n`, replies: [ANY], orClosed: true }] },
];

function nested(depth: number): string {
  let text = 'Subject: nested\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n';
  for (let i = 0; i < depth; i++) text += `--b${i}\r\nContent-Type: multipart/mixed; boundary=b${i + 1}\r\n\r\n`;
  return `${text}.\r\n`;
}

const chunks: HostileCase[] = [
  { name: 'BDAT before RCPT', talk: [line('BDAT 0 LAST', /^50[0-3]|^554/)] },
  { name: 'BDAT with a negative size', talk: [MAIL, RCPT, orClosed(line('BDAT -1 LAST', REFUSED))] },
  { name: 'BDAT with a size beyond any number', talk: [MAIL, RCPT, orClosed(line(`BDAT ${'9'.repeat(30)} LAST`, REFUSED))] },
  { name: 'BDAT without a size', talk: [MAIL, RCPT, orClosed(line('BDAT', REFUSED))] },
];

const junk: HostileCase[] = [
  { name: 'an HTTP request', talk: [orClosed({ send: 'POST / HTTP/1.1\r\nHost: mail\r\nContent-Length: 6\r\n\r\nQUIT\r\n', replies: [ANY] })], greeted: false },
  { name: 'a TLS ClientHello on a plain port', talk: [orClosed({ send: Buffer.from('16030100c6010000c20303000000000000000000000000000d0a', 'hex'), replies: [/^5|^421/] })], greeted: false },
  { name: '5,000 pipelined commands that do not exist', talk: [{ send: 'JUNK\r\n'.repeat(5_000), replies: Array<RegExp>(5_000).fill(/^5|^421/), orClosed: true }] },
  { name: 'a whole transaction in one packet, twice, the first with a wrong recipient', talk: [
    { send: 'MAIL FROM:<mallory@outside.test>\r\nRCPT TO:<>\r\nDATA\r\nRSET\r\nMAIL FROM:<mallory@outside.test>\r\nRSET\r\n', replies: [OK, REFUSED, /^503|^554/, OK, OK, OK] },
  ] },
];

export const HOSTILE_SMTP: readonly HostileCase[] = [...syntax, ...order, ...lengths, ...encodings, ...chunks, ...junk];

/** Forms of an end of data that some servers take for one and others do not (SMTP smuggling, 2023). */
export const FALSE_ENDS: readonly (readonly [name: string, bytes: string])[] = [
  ['LF . LF', '\n.\n'],
  ['LF . CR LF', '\n.\r\n'],
  ['CR . CR', '\r.\r'],
  ['CR . CR LF', '\r.\r\n'],
  ['CR LF . LF', '\r\n.\n'],
  ['CR LF . CR', '\r\n.\r'],
  ['LF CR . CR LF', '\n\r.\r\n'],
  ['CR LF zero . CR LF', '\r\n\0.\r\n'],
];
