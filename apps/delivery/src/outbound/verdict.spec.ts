import { describe, expect, it } from '@jest/globals';
import type { SendResult } from '@kiroku/domain/smtp-client/types.js';
import { verdictOf } from './verdict.js';

const result = (reply: string, phase: string, more: Partial<SendResult> = {}): SendResult =>
  ({ address: 'bob@y.test', outcome: reply.startsWith('2') ? 'delivered' : reply.startsWith('4') ? 'deferred' : 'refused', reply, phase, ...more });
const calm = { stale: false, elsewhere: false, overtaxed: false, local: false };
const [open, closed] = [{ usable: true }, { usable: false }];

describe('the verdict about a transaction', () => {
  it('is calm about recipients that have their own fates', () => {
    const results = [result('250 Ok', 'end-of-data'), result('450 4.2.1 Greylisted', 'RCPT'), result('550 5.1.1 No', 'RCPT')];
    expect(verdictOf(results, open, 0)).toEqual(calm);
    expect(verdictOf([result('550 5.7.1 No', 'MAIL')], open, 3)).toEqual(calm);
  });

  it('sends a message elsewhere that was put off at MAIL, and slows down', () => {
    expect(verdictOf([result('451 4.3.0 Later', 'MAIL')], open, 0)).toEqual({ ...calm, elsewhere: true, overtaxed: true });
  });

  it('makes nothing of a connection that had died before', () => {
    expect(verdictOf([result('421 4.4.2 Idle', 'MAIL')], closed, 1).stale).toBe(true);
    expect(verdictOf([result('421 4.4.2 Idle', 'MAIL')], closed, 0).stale).toBe(false);
    expect(verdictOf([result('421 4.4.2 Idle', 'RCPT')], closed, 1).stale).toBe(false);
  });

  it.each(['421 4.7.0 Try again', '452 4.5.3 Too many recipients', '450 4.7.28 unusual rate', '451 Rate limit exceeded'])('slows down for "%s"', (reply) => {
    expect(verdictOf([result('250 Ok', 'end-of-data'), result(reply, 'RCPT')], open, 0).overtaxed).toBe(true);
  });

  it('slows down when the connection breaks', () => {
    expect(verdictOf([result('451 4.4.2 Lost', 'end-of-data', { outcome: 'unknown' })], closed, 0)).toEqual({ ...calm, overtaxed: true });
  });

  it('blames nobody else for this machine’s own trouble', () => {
    expect(verdictOf([result('451 4.3.0 No body', 'DATA', { cause: 'local' })], closed, 0)).toEqual({ ...calm, local: true });
  });
});
