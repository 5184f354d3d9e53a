import { describe, expect, it } from '@jest/globals';
import { fold } from '../kernel/fold.js';
import { messages, stories } from './views.js';

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
    expect(fold(messages, history.toReversed())).toEqual([row]);
    expect(fold(messages, [...history.slice(1), history[0] as (typeof history)[0]])).toEqual([row]);
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

describe('a story', () => {
  it('is every event of a message or a session, once', () => {
    const opened = event('SessionOpened', { protocol: 'smtp' }, 'S1');
    const history = [opened, accepted(), appended(), event('DomainAdded', { name: 'x.test' })];
    const rows = fold(stories, [...history, ...history]);
    expect(rows.map((r) => r.subject)).toEqual(['S1', 'Q1', 'Q1']);
    expect(JSON.parse(rows[0]?.event ?? '')).toEqual(opened.event);
  });
});
