import { describe, expect, it } from '@jest/globals';
import { given } from '../kernel/given.js';
import type { DeliveryEvent } from './delivery.js';
import { noticeOwed } from './notices.js';
import { parseRoute, type QueueCommand, queueDecider } from './queue.js';
import type { AttemptResult, QueueEvent } from './queue-events.js';
import { BOB, CID, MESSAGE, MESSAGE_ID as messageId } from './testing.js';

type Event = QueueEvent | DeliveryEvent;
const history = given(queueDecider);
const reason = 'because';
const bob = { messageId, address: BOB.address, reason };
const cid = { messageId, address: CID.address, reason };
const queued: Event = { type: 'MessageQueued', data: { messageId, message: MESSAGE, recipients: [BOB, CID], priority: 1 } };
const held = (data = bob): Event => ({ type: 'RecipientHeld', data });
const attempted = (outcome: AttemptResult['outcome'], address = BOB.address): Event =>
  ({ type: 'DeliveryAttempted', data: { messageId, route: 'mx', duration: 1, results: [{ address, outcome, reply: '250 Ok', phase: 'RCPT' }] } });
const routed: Event = { type: 'RecipientRouted', data: { messageId, recipient: 'dan@q.test', address: 'dan@q.test', via: [], route: 'remote' } };
const removed: Event = { type: 'RecipientRemoved', data: bob };
const to = (type: 'Hold' | 'Release' | 'Retry' | 'Bounce' | 'Remove', ...addresses: string[]): QueueCommand => ({ type, messageId, reason, ...(addresses.length > 0 && { addresses }) });
const change = (address: string): QueueCommand => ({ type: 'Change', messageId, address: BOB.address, to: address, reason });
const prioritize = (priority: number): QueueCommand => ({ type: 'Prioritize', messageId, addresses: [BOB.address], priority, reason });
const reroute = (route: string): QueueCommand => ({ type: 'Reroute', messageId, addresses: [BOB.address], route, reason });

describe('a waiting recipient', () => {
  it('is held', () => history(queued).when(to('Hold', BOB.address)).then(held()));
  it('is not held twice', () => history(queued, held()).when(to('Hold', BOB.address)).refuses('already-held'));
  it('is not released', () => history(queued).when(to('Release', BOB.address)).refuses('not-held'));
  it('is tried again now', () => history(queued).when(to('Retry', BOB.address)).then({ type: 'RetryRequested', data: bob }));
  it('is taken out', () => history(queued).when(to('Remove', BOB.address)).then(removed));
  it('goes another way', () => history(queued).when(reroute('relay.test:2525')).then({ type: 'RecipientRerouted', data: { ...bob, route: 'relay.test:2525' } }));
  it('goes the usual way again', () =>
    history(queued, { type: 'RecipientRerouted', data: { ...bob, route: 'a.test:25' } }).when(reroute('')).then({ type: 'RecipientRerouted', data: { ...bob, route: '' } }));
  it.each(['', 'a.test:25'])('is not sent the way it goes already: "%s"', (route) =>
    history(queued, { type: 'RecipientRerouted', data: { ...bob, route } }).when(reroute(route)).refuses('same-route'));
  it.each(['relay', 'relay:0', 'relay:65536', ':25', 'a b:25', '2001:db8::1:25', 'a.test:25,b.test:25', 'a/b:25'])('is not sent to %s', (route) => history(queued).when(reroute(route)).refuses('bad-route'));

  it('goes before others', () => history(queued).when(prioritize(-10)).then({ type: 'RecipientPrioritized', data: { ...bob, priority: -10 } }));
  it('has its priority already', () => {
    history(queued).when(prioritize(1)).refuses('same-priority');
    history(queued, { type: 'RecipientPrioritized', data: { ...bob, priority: 5 } }).when(prioritize(5)).refuses('same-priority');
    history({ type: 'MessageQueued', data: { messageId, message: MESSAGE, recipients: [{ ...BOB, priority: 7 }], priority: 1 } }).when(prioritize(7)).refuses('same-priority');
  });
  it.each([101, -101, 1.5, NaN])('has no priority %p', (priority) => history(queued).when(prioritize(priority)).refuses('bad-priority'));

  it('is bounced, and its sender hears of it but not of the reason', () => {
    const said = { rule: 'bounced-by-administrator', reply: '554 5.7.1 Delivery was cancelled by an administrator' };
    const notice = noticeOwed('failed', messageId, MESSAGE, BOB, said);
    expect(notice).toHaveLength(1);
    expect(JSON.stringify(notice)).not.toContain(reason);
    history(queued).when(to('Bounce', BOB.address)).then({ type: 'RecipientBounced', data: { messageId, recipient: BOB.recipient, address: BOB.address, via: BOB.via, ...said, reason } }, ...notice);
  });

  it('of a message without a sender is bounced in silence', () => {
    const silent: Event = { type: 'MessageQueued', data: { messageId, message: { ...MESSAGE, sender: '' }, recipients: [BOB], priority: 0 } };
    history(silent).when(to('Bounce')).then(expect.objectContaining({ type: 'RecipientBounced' }) as unknown as Event);
  });

  it('gets another address, held or not', () => {
    const changed = (isHeld: boolean): Event => ({
      type: 'RecipientChanged', data: { ...bob, to: 'bob@other.test', recipient: { ...BOB, address: 'bob@other.test' }, message: MESSAGE, priority: 1, held: isHeld },
    });
    history(queued).when(change('bob@other.test')).then(changed(false));
    history(queued, held()).when(change('bob@other.test')).then(changed(true));
    history(queued, changed(true)).when(to('Hold', BOB.address)).refuses('unknown-recipient');
    history(queued, changed(true)).when(to('Release', 'bob@other.test')).then({ type: 'RecipientReleased', data: { ...bob, address: 'bob@other.test' } });
  });
  it('does not get its own address', () => history(queued).when(change(BOB.address)).refuses('same-address'));
  it('does not get the address of another', () => history(queued).when(change(CID.address)).refuses('already-a-recipient'));
  it.each(['bob', 'bob@', '@y.test', 'bob@-y.test', 'bob@y.test\r\n'])('does not get an address that is none: %j', (address) => history(queued).when(change(address)).refuses('bad-address'));
});

describe('a held recipient', () => {
  it('is released', () => history(queued, held()).when(to('Release', BOB.address)).then({ type: 'RecipientReleased', data: bob }));
  it('is not released twice', () => history(queued, held(), { type: 'RecipientReleased', data: bob }).when(to('Release', BOB.address)).refuses('not-held'));
  it('is not tried', () => history(queued, held()).when(to('Retry', BOB.address)).refuses('held'));
  it('is not there any more when the attempt under way delivered', () => history(queued, held(), attempted('delivered')).when(to('Release', BOB.address)).refuses('unknown-recipient'));
});

describe('a recipient that does not wait', () => {
  it.each([
    ['was never there', [queued], 'eve@y.test'],
    ['was delivered', [queued, attempted('delivered')], BOB.address],
    ['was removed', [queued, removed], BOB.address],
    ['bounced', [queued, { type: 'RecipientBounced', data: { ...bob, recipient: BOB.recipient, via: [], rule: 'refused', reply: '550 No' } }], BOB.address],
    ['was given up', [queued, { type: 'RecipientExpired', data: { ...bob, recipient: BOB.recipient, rule: 'too-old', reply: '450 No' } }], BOB.address],
  ] as const)('is unknown: it %s', (_, events, address) => {
    for (const type of ['Hold', 'Release', 'Retry', 'Bounce', 'Remove'] as const) history(...(events as readonly Event[])).when(to(type, address)).refuses('unknown-recipient');
  });
  it('is still there after an attempt that failed', () => history(queued, attempted('deferred')).when(to('Hold', BOB.address)).then(held()));
  it('of release 0.1 has to be taken over first', () => history(routed).when(to('Hold')).refuses('not-queued-yet'));
});

describe('a command for a whole message', () => {
  it('does what is left to do', () => history(queued, held()).when(to('Hold')).then(held(cid)));
  it('is refused when there is nothing left', () => history(queued, held(), held(cid)).when(to('Hold')).refuses('already-held'));
  it('is refused when nobody waits', () => history(queued, attempted('delivered'), attempted('delivered', CID.address)).when(to('Retry')).refuses('unknown-recipient'));
});

describe('a command for several recipients', () => {
  it('means each once', () => history(queued).when(to('Hold', CID.address, BOB.address, CID.address)).then(held(cid), held()));
  it('is done for all or none', () => history(queued).when(to('Hold', CID.address, 'eve@y.test')).refuses('unknown-recipient'));
});

describe('a command', () => {
  it.each(['', '  ', 'a\u0000b', 'x'.repeat(1_001), '\ud800'])('needs a reason that can be kept: %j', (bad) => history(queued).when({ type: 'Hold', messageId, reason: bad }).refuses('bad-reason'));
});

describe('a route', () => {
  it.each([
    ['Relay.Test:25', { host: 'relay.test', port: 25, implicitTls: false }],
    ['relay.test:465*', { host: 'relay.test', port: 465, implicitTls: true }],
    ['192.0.2.1:2525', { host: '192.0.2.1', port: 2525, implicitTls: false }],
    ['[2001:DB8:0::1]:25', { host: '2001:db8::1', port: 25, implicitTls: false }],
    ['localhost:25', { host: 'localhost', port: 25, implicitTls: false }],
    ['[relay.test]:25', undefined], ['[::1]', undefined], ['relay.test:', undefined], ['relay.test:25**', undefined],
  ])('%s', (text, route) => expect(parseRoute(text)).toEqual(route));
});
