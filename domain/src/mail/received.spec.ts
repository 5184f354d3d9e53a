import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Hop, mailDate, received } from './received.js';

const AT = Date.UTC(2026, 2, 2, 3, 4, 5);
const hop: Hop = {
  helo: 'client.test', ip: '192.0.2.7', host: 'mx.x.test', product: '', protocol: 'ESMTP', id: '01JQ0000ABCD00', at: AT, offset: 540, hideClient: false,
};
const TLS = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };

describe('a Received field', () => {
  it('says from where, by whom, how, under which name and when', () =>
    expect(received(hop)).toBe(
      'Received: from client.test ([192.0.2.7]) by mx.x.test with ESMTP id\r\n    01JQ0000ABCD00; Mon, 2 Mar 2026 12:04:05 +0900\r\n',
    ));

  it('adds the recipient, TLS and the product where they are known', () =>
    expect(received({ ...hop, recipient: 'ann@x.test', tls: TLS, protocol: 'ESMTPS', product: 'Kiroku 0.1.0' })).toBe(
      [
        'Received: from client.test ([192.0.2.7]) by mx.x.test (Kiroku 0.1.0) with', '    ESMTPS (TLSv1.3, TLS_AES_256_GCM_SHA384) id 01JQ0000ABCD00 for',
        '    <ann@x.test>; Mon, 2 Mar 2026 12:04:05 +0900', '',
      ].join('\r\n'),
    ));

  it('writes IPv6 with its tag', () => expect(received({ ...hop, ip: '2001:db8::1' })).toContain('([IPv6:2001:db8::1])'));

  it('can hide where the client is', () => {
    const text = received({ ...hop, hideClient: true, login: 'ann@x.test' }, '{from} {helo} {ip} by {host}; {date}');
    expect(text).not.toMatch(/192\.0\.2|client\.test/);
    expect(text).toContain('unknown');
  });

  it('follows a template', () =>
    expect(received({ ...hop, login: 'ann@x.test' }, 'from {helo} by {host} (auth={login}) id {id}{nothing}')).toBe(
      'Received: from client.test by mx.x.test (auth=ann@x.test) id 01JQ0000ABCD00;\r\n    Mon, 2 Mar 2026 12:04:05 +0900\r\n',
    ));

  it('ends with the date even where the template forgot it', () => expect(received(hop, 'by {host} {recipient}')).toMatch(/by mx\.x\.test; Mon, 2 Mar/));

  it('stays one field whatever it is told', () => {
    const evil = fc.string({ unit: 'binary', maxLength: 60 });
    const one = /^Received:(?: [^\r\n\t]*)?(?:\r\n {4}[^\s\r\n][^\r\n]*)*\r\n$/;
    fc.assert(
      fc.property(evil, evil, evil, evil, (helo, ip, recipient, template) => {
        const tls = { version: helo, cipher: ip };
        expect(received({ ...hop, helo, ip, host: helo, product: helo, protocol: ip, id: ip, recipient, login: recipient, tls }, template)).toMatch(one);
      }),
    );
    expect(received({ ...hop, helo: 'a\r\nX-Evil: b' })).toMatch(one);
  });

  it('keeps lines within 78 characters where words allow it', () => {
    const label = fc.stringMatching(/^[a-z]{1,60}$/);
    fc.assert(
      fc.property(label, label, label, (helo, host, local) => {
        for (const line of received({ ...hop, helo, host, recipient: `${local}@x.test`, tls: TLS }).split('\r\n')) expect(line.length).toBeLessThanOrEqual(78);
      }),
    );
  });
});

describe('a date in a header', () => {
  it.each([
    [0, 'Mon, 2 Mar 2026 03:04:05 +0000'],
    [540, 'Mon, 2 Mar 2026 12:04:05 +0900'],
    [-210, 'Sun, 1 Mar 2026 23:34:05 -0330'],
  ])('%s minutes east of UTC is written as %s', (offset, text) => expect(mailDate(AT, offset)).toBe(text));
});
