import { describe, expect, it } from '@jest/globals';
import { parseServer, serversOf } from './servers.js';

describe('a DNS server', () => {
  it.each([
    ['192.0.2.1:5353', { host: '192.0.2.1', port: 5353, family: 4, loopback: false }],
    ['127.0.0.53', { host: '127.0.0.53', port: 53, family: 4, loopback: true }],
    ['[::1]:54', { host: '::1', port: 54, family: 6, loopback: true }],
    ['2001:db8::1', { host: '2001:db8::1', port: 53, family: 6, loopback: false }],
    ['[fe80::1%eth0]', { host: 'fe80::1%eth0', port: 53, family: 6, loopback: false }],
  ])('is understood from %j', (text, server) => expect(parseServer(text)).toEqual(server));

  it.each(['', 'dns.test:53', '192.0.2.1:0', '192.0.2.1:65536', '192.0.2.1:', '127.0.0.1.example', '[::1]x'])('is not %j', (text) =>
    expect(() => parseServer(text)).toThrow(RangeError),
  );

  it("is the system's when none is named", () => {
    expect(serversOf([]).length).toBeGreaterThan(0);
    expect(serversOf(undefined)).toEqual(serversOf([]));
    expect(serversOf(['192.0.2.1:53'])).toHaveLength(1);
  });
});
