import { describe, expect, it } from '@jest/globals';
import { decodeStructure, encodeStructure } from './codec.js';
import { withPrefix } from './prefix.js';
import { bytesOf } from './binary.js';
import { binarySize } from './sections.js';
import { structureOf } from './testing.js';

const structure = structureOf(
  'Subject: x',
  'From: Ann <ann@x.test>',
  'To: g:;',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  ...['--b', 'Content-Type: text/plain; charset=utf-8', 'Content-Disposition: inline; filename=f', 'Content-Language: ja', '', 'hello'],
  ...['--b', 'Content-Type: message/rfc822', 'Content-ID: <i@x>', '', 'Subject: inner', '', 'y', '--b--'],
);
/** As it lies in stores. If this changes, the version has to change as well. */
const STORED =
  '1[290,[[null,"x",null,null,[["ann","x.test","Ann"]],[],[],[["g"],[]],[],[]],' +
  '[0,90,200,5,13,"multipart","mixed",null,["boundary","b"],' +
  '[[95,106,5,4,0,"text","plain",null,["charset","utf-8"],[],[null,null,null,"inline",["filename","f"],["ja"]]],' +
  '[213,51,19,3,2,"message","rfc822",null,[],[],["<i@x>"],[[null,"inner",null,null,[],[],[],[],[],[]],[264,18,1,2,0,"text","plain",null,[],[],[]]]]],[]]],[],"hello"]';

describe('a stored structure', () => {
  it('is read back', () => expect(decodeStructure(encodeStructure(structure))).toEqual(structure));

  it('is what older stores hold', () => expect(encodeStructure(structure)).toBe(STORED));

  it.each(['', '2[]', '1', '1{', '1null', '1[]', 'x'])('of another form (%j) is not taken for one', (text) => expect(decodeStructure(text)).toBeUndefined());
});

describe('a prefix', () => {
  const prefix = bytesOf('Return-Path: <a@x>\r\nReceived: from y\r\n\tby z\r\n');

  it('moves all offsets and makes the header longer', () => {
    const moved = withPrefix(structure, prefix);
    expect(moved.size).toBe(structure.size + prefix.length);
    expect(moved.root).toMatchObject({ headerStart: 0, bodyStart: structure.root.bodyStart + prefix.length, headerLines: structure.root.headerLines + 3, bodyLines: structure.root.bodyLines });
    expect(moved.root.parts[1]?.message?.root.bodyStart).toBe((structure.root.parts[1]?.message?.root.bodyStart ?? NaN) + prefix.length);
  });

  it('leaves the envelope as the body has it', () => expect(withPrefix(structure, bytesOf('Subject: other\r\nFrom: b@x\r\n')).envelope).toEqual(structure.envelope));

  it('adds what the body lacks', () =>
    expect(withPrefix(structure, bytesOf('Message-ID: <m@x>\r\nCc: c@x\r\nReferences: <r@x>\r\n'))).toMatchObject({
      envelope: { subject: 'x', messageId: '<m@x>', cc: [{ mailbox: 'c', host: 'x' }] },
      references: ['r@x'],
    }));

  it('may be empty', () => expect(withPrefix(structure, new Uint8Array(0))).toBe(structure));
});

describe('the decoded size of a part', () => {
  it.each([
    ['8bit', 'abc', 3],
    ['base64', 'QUJD', undefined],
    ['quoted-printable', 'abc', undefined],
    ['base64', '', 0],
  ])('in %s of %j is %s', (encoding, body, expected) => expect(binarySize(structureOf(`Content-Transfer-Encoding: ${encoding}`, '', body).root)).toBe(expected));
});
