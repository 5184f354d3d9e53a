import { describe, expect, it } from '@jest/globals';
import type { Reply } from './reply.js';
import { Transaction } from './transaction.js';

const reply = (text: string): Reply => ({ code: Number(text.slice(0, 3)), lines: [text.slice(4)] });
const OK = reply('250 2.0.0 ok');
const GO = reply('354 go');
const make = (recipients = 1, relayed = false) => new Transaction(Array.from({ length: recipients }, (_, i) => ({ address: `r${i}@y.test` })), relayed);
const fates = (transaction: Transaction) => transaction.done().map(({ outcome, cause, phase }) => [outcome, cause, phase].filter(Boolean).join(' '));

/** A whole transaction with these answers. */
function run(mail: string, rcpt: readonly string[], data = '354 go', end = '250 2.0.0 kept'): Transaction {
  const transaction = make(rcpt.length);
  transaction.mail(reply(mail));
  rcpt.forEach((text, i) => transaction.rcpt(i, reply(text)));
  transaction.data(reply(data));
  if (transaction.awaited === 'text') transaction.end(reply(end));
  return transaction;
}

describe('a transaction', () => {
  it('delivers to those who were accepted, with the final reply', () => {
    const transaction = run('250 ok', ['250 ok', '550 5.1.1 nobody', '251 will forward', '450 4.2.1 later', '252 perhaps'], '354 go', '250 2.0.0 as 42');
    expect(transaction.done()).toEqual([
      { address: 'r0@y.test', outcome: 'delivered', reply: '250 2.0.0 as 42', phase: 'end-of-data' },
      { address: 'r1@y.test', outcome: 'refused', cause: 'refused', reply: '550 5.1.1 nobody', phase: 'RCPT' },
      { address: 'r2@y.test', outcome: 'delivered', reply: '250 2.0.0 as 42', phase: 'end-of-data' },
      { address: 'r3@y.test', outcome: 'deferred', cause: 'line', reply: '450 4.2.1 later', phase: 'RCPT' },
      { address: 'r4@y.test', outcome: 'delivered', reply: '250 2.0.0 as 42', phase: 'end-of-data' },
    ]);
    expect(transaction).toMatchObject({ open: false, lost: false });
  });

  it('says where the other server will not report on delivery', () => {
    const transaction = make(1, true);
    transaction.mail(OK);
    transaction.rcpt(0, OK);
    transaction.data(GO);
    transaction.end(OK);
    expect(transaction.done()).toMatchObject([{ outcome: 'delivered', relayed: true }]);
  });

  it.each([
    ['MAIL', '550 5.7.1 no', '503 no', '503 no', ['refused refused MAIL', 'refused refused MAIL'], 'nothing'],
    ['MAIL', '451 4.7.1 later', '503 no', '503 no', ['deferred line MAIL', 'deferred line MAIL'], 'nothing'],
    ['MAIL, and the rest is taken all the same', '550 5.7.1 no', '250 ok', '354 go', ['refused refused MAIL', 'refused refused MAIL'], 'dot'],
    ['every RCPT', '250 ok', '550 no', '554 no', ['refused refused RCPT', 'refused refused RCPT'], 'nothing'],
    ['every RCPT, and the text is awaited all the same', '250 ok', '550 no', '354 go', ['refused refused RCPT', 'refused refused RCPT'], 'dot'],
    ['DATA', '250 ok', '250 ok', '554 5.7.1 no', ['refused refused DATA', 'refused refused DATA'], 'nothing'],
    ['DATA', '250 ok', '250 ok', '451 4.3.0 later', ['deferred line DATA', 'deferred line DATA'], 'nothing'],
  ])('knows the fate of all when %s is refused (%s, %s, %s)', (_, mail, rcpt, data, expected, awaited) => {
    const transaction = run(mail, [rcpt, rcpt], data);
    expect(transaction.awaited).toBe(awaited);
    expect(fates(transaction)).toEqual(expected);
  });

  it.each([
    ['552 too many', 'deferred line RCPT', 1],
    ['552 5.5.3 too many', 'deferred line RCPT', 1],
    ['552 5.2.2 mailbox full', 'refused refused RCPT', 0],
    ['452 4.5.3 too many', 'deferred line RCPT', 1],
    ['452 4.2.2 mailbox full', 'deferred line RCPT', 0],
  ])('%s for a recipient means %s', (text, fate, overflow) => {
    const transaction = run('250 ok', ['250 ok', text]);
    expect(fates(transaction)).toEqual(['delivered end-of-data', fate]);
    expect(transaction.overflow).toHaveLength(overflow);
  });

  it('is lost where an answer has no place', () => {
    for (const transaction of [run('354 what', ['250 ok']), run('250 ok', ['334 what']), run('250 ok', ['250 ok'], '250 what'), run('250 ok', ['250 ok'], '354 go', '354 what')]) {
      expect(transaction.lost).toBe(true);
      expect(transaction.done()).toMatchObject([{ outcome: 'deferred', cause: 'line', reply: expect.stringContaining('450 4.5.0 Unexpected reply') }]);
    }
  });

  it('stays open on the other side until the final reply', () => {
    expect(run('250 ok', ['550 no'], '554 no').open).toBe(true);
    expect(run('250 ok', ['250 ok'], '451 no').open).toBe(true);
    expect(run('550 no', ['503 no'], '503 no').open).toBe(false);
    expect(run('250 ok', ['250 ok'], '354 go', '550 no').open).toBe(false);
  });

  it('that breaks defers whom nobody has decided about', () => {
    const transaction = make(3);
    transaction.mail(OK);
    transaction.rcpt(0, OK);
    transaction.rcpt(1, reply('550 no'));
    transaction.broken('450 4.4.2 gone', 'RCPT');
    expect(fates(transaction)).toEqual(['deferred line RCPT', 'refused refused RCPT', 'deferred line RCPT']);
  });

  it('whose last answer never came is unknown', () => {
    const waiting = make(2);
    waiting.mail(OK);
    waiting.rcpt(0, OK);
    waiting.rcpt(1, reply('550 no'));
    waiting.data(GO);
    waiting.unknown('450 4.4.2 gone');
    expect(fates(waiting)).toEqual(['unknown line end-of-data', 'refused refused RCPT']);
  });

  it('has a result for everybody even if nothing was ever told', () => {
    expect(fates(make(2))).toEqual(['deferred line DATA', 'deferred line DATA']);
  });
});
