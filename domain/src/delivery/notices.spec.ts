import { describe, expect, it } from '@jest/globals';
import type { EnvelopeRecipient, Notify } from '../mail/events.js';
import { mailExamples } from '../mail/examples.js';
import type { Expansion } from './expand.js';
import { failedNotice, messageOf, noticeOwed, queued, successNotices, wants } from './notices.js';
import type { NoticeKind } from './queue-events.js';
import { BOB, MESSAGE, MESSAGE_ID } from './testing.js';

const local = (recipient: string, ...via: string[]) => ({ recipient, deliveredTo: recipient, via, account: {} }) as unknown as Expansion['local'][number];
const remote = (recipient: string, address = recipient, ...via: string[]) => ({ recipient, address, via });
const nothing: Expansion = { local: [], remote: [], failures: [] };
const asks = (address: string, ...notify: Notify[]): EnvelopeRecipient => ({ address, notify, orcpt: `rfc822;${address}` });

describe('what the sender asked to hear', () => {
  const kinds: readonly NoticeKind[] = ['failed', 'delayed', 'relayed', 'delivered', 'expanded'];
  it.each<[string, readonly Notify[] | undefined, readonly NoticeKind[]]>([
    ['nothing said', undefined, ['failed', 'delayed']],
    ['NEVER', ['NEVER'], []],
    ['FAILURE', ['FAILURE'], ['failed']],
    ['DELAY', ['DELAY'], ['delayed']],
    ['SUCCESS', ['SUCCESS'], ['relayed', 'delivered', 'expanded']],
    ['SUCCESS,FAILURE,DELAY', ['SUCCESS', 'FAILURE', 'DELAY'], kinds],
  ])('%s', (_, notify, wanted) => expect(kinds.filter((kind) => wants(kind, notify))).toEqual(wanted));

  it('is told with all that the report needs', () =>
    expect(noticeOwed('failed', MESSAGE_ID, MESSAGE, BOB, { reply: '550 No', host: 'mx1.y.test', rule: 'refused', lastAttemptAt: 5 })).toEqual([{
      type: 'NoticeOwed',
      data: { messageId: MESSAGE_ID, address: 'bob@y.test', kind: 'failed', recipient: 'sales@x.test', orcpt: 'rfc822;sales@x.test', reply: '550 No', host: 'mx1.y.test', rule: 'refused', lastAttemptAt: 5, message: MESSAGE },
    }]));

  it.each(kinds)('is told to nobody when the sender is null: %s', (kind) =>
    expect(noticeOwed(kind, MESSAGE_ID, { ...MESSAGE, sender: '' }, { ...BOB, notify: ['SUCCESS', 'FAILURE', 'DELAY'] }, { reply: '550 No' })).toEqual([]));
});

describe('an accepted message', () => {
  it('is queued as it was accepted', () => {
    const accepted = mailExamples.MessageAccepted[0] as Parameters<typeof messageOf>[0];
    const { sender, sha256, size, at, trace, body, smtputf8, requireTls, ret, envid, hops, headerMessageId, login } = accepted.data;
    expect(messageOf(accepted)).toEqual({ sender, sha256, size, at, trace, body, smtputf8, requireTls, ret, envid, hops, headerMessageId, login, acceptedAt: accepted.at });
  });

  it('is queued without what it did not have', () => {
    const { at: _1, ret: _2, envid: _3, headerMessageId: _4, login: _5, ...data } = mailExamples.MessageAccepted[0].data as Parameters<typeof messageOf>[0]['data'];
    expect(Object.values(messageOf({ ...mailExamples.MessageAccepted[0], data }))).not.toContain(undefined);
  });

  it('without recipients elsewhere is not queued', () => expect(queued(MESSAGE_ID, MESSAGE, [{ address: 'ann@x.test' }], { ...nothing, local: [local('ann@x.test')] })).toBeUndefined());

  it('is queued with what was asked for each recipient', () =>
    expect(queued(MESSAGE_ID, MESSAGE, [asks('bob@y.test', 'NEVER'), { address: 'cid@z.test' }], { ...nothing, remote: [remote('bob@y.test'), remote('cid@z.test')] }, () => 3)).toEqual({
      type: 'MessageQueued',
      data: {
        messageId: MESSAGE_ID, message: MESSAGE, priority: 3,
        recipients: [{ address: 'bob@y.test', recipient: 'bob@y.test', via: [], notify: ['NEVER'], orcpt: 'rfc822;bob@y.test' }, { address: 'cid@z.test', recipient: 'cid@z.test', via: [] }],
      },
    }));
});

describe('success', () => {
  const all: readonly Notify[] = ['SUCCESS', 'FAILURE'];
  const fates = (asked: readonly EnvelopeRecipient[], expansion: Expansion) => ({
    notices: successNotices(MESSAGE_ID, MESSAGE, asked, expansion).map(({ data }) => [data.kind, data.recipient, data.address]),
    passedOn: queued(MESSAGE_ID, MESSAGE, asked, expansion)?.data.recipients.map((r) => r.notify),
  });

  it.each<[string, readonly Notify[], Expansion, ReturnType<typeof fates>]>([
    ['in a mailbox here is reported at once', all, { ...nothing, local: [local('a@x.test')] }, { notices: [['delivered', 'a@x.test', 'a@x.test']], passedOn: undefined }],
    ['through an alias of one mailbox too', all, { ...nothing, local: [local('a@x.test', 'a@x.test')] }, { notices: [['delivered', 'a@x.test', 'a@x.test']], passedOn: undefined }],
    ['elsewhere is asked of the next server', all, { ...nothing, remote: [remote('a@x.test')] }, { notices: [], passedOn: [all] }],
    ['behind an alias of one address elsewhere too', all, { ...nothing, remote: [remote('a@x.test', 'b@y.test', 'a@x.test')] }, { notices: [], passedOn: [all] }],
    ['of an alias of several is that it was expanded', all, { ...nothing, local: [local('a@x.test', 'a@x.test')], remote: [remote('a@x.test', 'b@y.test', 'a@x.test')] },
      { notices: [['expanded', 'a@x.test', 'a@x.test']], passedOn: [['FAILURE']] }],
    ['asked for alone leaves nothing to ask behind the alias', ['SUCCESS'], { ...nothing, remote: [remote('a@x.test', 'b@y.test', 'a@x.test'), remote('a@x.test', 'c@y.test', 'a@x.test')] },
      { notices: [['expanded', 'a@x.test', 'a@x.test']], passedOn: [['NEVER'], ['NEVER']] }],
    ['of an alias whose targets others reached first is that it was expanded', all, nothing, { notices: [['expanded', 'a@x.test', 'a@x.test']], passedOn: undefined }],
    ['is not reported of a recipient that failed', all, { ...nothing, failures: [{ recipient: 'a@x.test', address: 'a@x.test', via: [], reason: 'unknown' }] }, { notices: [], passedOn: undefined }],
    ['is not reported unasked', ['FAILURE'], { ...nothing, local: [local('a@x.test')] }, { notices: [], passedOn: undefined }],
  ])('%s', (_, notify, expansion, expected) => expect(fates([asks('a@x.test', ...notify)], expansion)).toEqual(expected));

  it('of a message without a sender is nobody’s', () =>
    expect(successNotices(MESSAGE_ID, { ...MESSAGE, sender: '' }, [asks('a@x.test', 'SUCCESS')], { ...nothing, local: [local('a@x.test')] })).toEqual([]));
});

describe('a recipient that fails here at once', () => {
  const failed = { recipient: 'a@x.test', rule: 'unknown', reply: '550 5.1.1 User unknown' };
  it('is reported under the name that the sender knows', () =>
    expect(failedNotice(MESSAGE_ID, MESSAGE, [asks('a@x.test', 'FAILURE')], failed)).toMatchObject([
      { data: { kind: 'failed', recipient: 'a@x.test', address: 'a@x.test', orcpt: 'rfc822;a@x.test', rule: 'unknown', reply: '550 5.1.1 User unknown' } },
    ]));
  it('is not reported where the sender never wants to hear', () => expect(failedNotice(MESSAGE_ID, MESSAGE, [asks('a@x.test', 'NEVER')], failed)).toEqual([]));
  it('is not reported to the null sender', () => expect(failedNotice(MESSAGE_ID, { ...MESSAGE, sender: '' }, [], failed)).toEqual([]));
});
