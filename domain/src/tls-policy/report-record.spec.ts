import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { reportAddresses } from './report-record.js';

describe('the record that asks for TLS reports', () => {
  it.each([
    [['v=TLSRPTv1; rua=mailto:tls@x.test'], ['mailto:tls@x.test']],
    [['v=TLSRPTv1;rua=mailto:tls@x.test , https://x.test/v1/tls;'], ['mailto:tls@x.test', 'https://x.test/v1/tls']],
    [['v=spf1 -all', 'v=TLSRPTv1; ext=1; rua=mailto:tls@x.test'], ['mailto:tls@x.test']],
    [['v=TLSRPTv1; rua=http://x.test/,ftp://x.test/,mailto:nobody'], []],
    [['v=TLSRPTv1'], []],
    [['v=TLSRPTv1; rua='], []],
    [['v=TLSRPTv2; rua=mailto:tls@x.test'], []],
    [['v=TLSRPTv1; rua=mailto:a@x.test', 'v=TLSRPTv1; rua=mailto:b@x.test'], []],
    [[], []],
  ])('%j wants them at %j', (texts, addresses) => expect(reportAddresses(texts)).toEqual(addresses));

  it('names ten addresses at most, and never throws', () =>
    fc.assert(fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.string().map((s) => `v=TLSRPTv1; rua=${s}`))), (texts) => {
      expect(reportAddresses(texts).length).toBeLessThanOrEqual(10);
      expect(reportAddresses([`v=TLSRPTv1; rua=${'mailto:a@b,'.repeat(50)}`])).toHaveLength(10);
    })));
});
