import { describe, expect, it } from '@jest/globals';
import { StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import { codeOf, explain, isAbsent, isPassing, unavailable } from './s3-errors.js';

const failure = (code: unknown, more: object = {}): Error => Object.assign(new Error('secret-in-message'), { code, ...more });

describe('a failure of the S3 server', () => {
  it.each([
    ['SignatureDoesNotMatch', 's3SecretKey'],
    ['InvalidAccessKeyId', 's3AccessKey'],
    ['NoSuchBucket', 's3Bucket'],
    ['AuthorizationHeaderMalformed', 's3Region'],
    ['RequestTimeTooSkewed', 'clock'],
    ['ECONNREFUSED', 's3Endpoint'],
  ])('%s names what to look at', (code, setting) => {
    expect(explain(failure(code))).toContain(setting);
    expect(explain(failure(code))).toContain(code);
    expect(isPassing(failure(code))).toBe(code === 'ECONNREFUSED');
  });

  it('keeps to itself what the server said beside the code', () => {
    const told = unavailable(failure('SignatureDoesNotMatch', { stringtosign: 'AWS4-HMAC-SHA256 secret-in-string' }));
    expect(told).toBeInstanceOf(StoreUnavailable);
    expect(JSON.stringify([told.message, told.stack, told.cause ?? null])).not.toContain('secret-in');
  });

  it.each([undefined, null, 'text', {}, failure(17), failure(''), failure('a b'), failure('x'.repeat(100))])('without a proper code may pass', (error) => {
    expect(codeOf(error)).toBe('unknown');
    expect(isPassing(error)).toBe(true);
  });

  it('that is a mistake in the program does not pass', () => expect(isPassing(new TypeError('no function'))).toBe(false));

  it.each(['SlowDown', 'InternalError', 'ECONNRESET', 'ETIMEDOUT', 'BadDigest'])('%s passes', (code) => expect(isPassing(failure(code))).toBe(true));

  it('that there is no object is no failure of the server', () => {
    expect(isAbsent(failure('NoSuchKey'))).toBe(true);
    expect(isAbsent(failure('NoSuchBucket'))).toBe(false);
  });

  it('is told once', () => {
    const told = new StoreUnavailable('the object store is closed');
    expect(unavailable(told)).toBe(told);
  });
});
