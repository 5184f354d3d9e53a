import { describe, expect, it } from '@jest/globals';
import { fold } from '../kernel/fold.js';
import { messages, positionsOf, sessions } from './views.js';

let n = 0;
const event = (type: string, data: object, correlation = 'Q1') => {
  const id = `019b8b3a-0c00-7000-8000-${String(++n).padStart(12, '0')}`;
  return { stream: correlation, event: { id, type, version: 1, at: 1_000 + n, actor: 'system:test', correlation, data } };
};
const accepted = (more: object = {}) =>
  event('MessageAccepted', { messageId: 'Q1', session: 'S1', sender: 'bob@y.test', recipients: [{ address: 'ann@x.test' }], size: 10, sha256: 'ab'.repeat(32), ...more });
const appended = () => event('MessageAppended', { messageId: 'Q1', mailboxId: 'b', uid: 1 });
const routed = () => event('RecipientRouted', { messageId: 'Q1', recipient: 'a@x.test' });
const bounced = () => event('RecipientBounced', { messageId: 'Q1', recipient: 'a@x.test' });

describe('the view of messages', () => {
  it('is the same whichever lane comes first', () => {
    const history = [accepted(), appended(), appended(), routed(), bounced()];
    const [row] = fold(messages, history);
    expect(row).toMatchObject({ message_id: 'Q1', session: 'S1', delivered: 2, remote: 1, bounced: 1, sha256: `\\x${'ab'.repeat(32)}`, recipients: '["ann@x.test"]' });
    const places = { facts: expect.any(String), decisions: expect.any(String) };
    expect(fold(messages, history.toReversed())).toEqual([{ ...row, ...places }]);
    expect(fold(messages, [...history.slice(1), history[0] as (typeof history)[0]])).toEqual([{ ...row, ...places }]);
  });

  it('tells which rule refused a message', () => {
    const refused = event('MessageRefused', { messageId: 'Q2', session: 'S1', sender: '', recipients: ['ann@x.test'], size: 0, rule: 'message-too-big' }, 'Q2');
    expect(fold(messages, [refused])).toMatchObject([{ message_id: 'Q2', refused_by: 'message-too-big', refused_at: refused.event.at, accepted_at: null, sha256: null }]);
  });

  it.each([
    ['an ordinary one', 'id@y.test', 'id@y.test'],
    ['none', undefined, null],
    ['one that no index could take', '𩸽'.repeat(450), null],
  ])('can be searched by its Message-ID: %s', (_, headerMessageId, expected) =>
    expect(fold(messages, [accepted({ headerMessageId })])).toMatchObject([{ header_message_id: expected }]));
});

describe('where the events of a story lie', () => {
  it('is noted with its message, per lane and in order, whatever concerns it', () => {
    const history = [event('SessionOpened', {}, 'S1'), accepted(), appended(), event('DomainAdded', { name: 'x.test' }), event('RecipientRefused', {}), appended()];
    expect(fold(messages, history)).toMatchObject([{ message_id: 'Q1', facts: '1 4', decisions: '2 5' }]);
  });

  it('is noted with the session', () => {
    const history = [event('SessionOpened', {}, 'S1'), event('SessionOpened', {}, 'S2'), accepted(), event('SessionClosed', {}, 'S1')];
    expect(fold(sessions, history)).toEqual([{ session: 'S1', facts: '0 3' }, { session: 'S2', facts: '1' }]);
  });

  it('is read back as it was noted', () => expect([positionsOf(''), positionsOf('7'), positionsOf('7 12')]).toEqual([[], [7], [7, 12]]));
});

describe('a message for other servers', () => {
  it('counts its recipients there once, also when release 0.1 had noted each of them', () => {
    const queued = event('MessageQueued', { messageId: 'Q1', recipients: [{ address: 'a@y.test' }, { address: 'b@y.test' }] });
    expect(fold(messages, [routed(), routed(), queued])).toMatchObject([{ remote: 2 }]);
    expect(fold(messages, [queued])).toMatchObject([{ remote: 2, sent: 0 }]);
  });

  it('counts who was reached and who was given up', () => {
    const attempt = event('DeliveryAttempted', { messageId: 'Q1', results: [{ outcome: 'delivered' }, { outcome: 'deferred' }, { outcome: 'delivered' }] });
    expect(fold(messages, [attempt, event('RecipientExpired', { messageId: 'Q1' }), bounced()])).toMatchObject([{ sent: 2, bounced: 2 }]);
  });

  it('may be one that this server wrote', () => {
    const submitted = event('MessageSubmitted', {
      messageId: 'Q9', origin: 'notice', recipients: ['bob@y.test'], message: { sender: '', size: 9, sha256: 'cd'.repeat(32), headerMessageId: 'n@x.test' },
    }, 'Q9');
    expect(fold(messages, [submitted])).toMatchObject([{
      message_id: 'Q9', sender: '', size: 9, sha256: `\\x${'cd'.repeat(32)}`, header_message_id: 'n@x.test', recipients: '["bob@y.test"]', accepted_at: submitted.event.at,
    }]);
  });
});
