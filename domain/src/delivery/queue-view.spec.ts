import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { partitionOf } from '../kernel/event-log.js';
import { fold } from '../kernel/fold.js';
import type { DeliveryEvent } from './delivery.js';
import type { AttemptResult, Cause, QueueEvent } from './queue-events.js';
import { destinationOf, QUEUE_PARTITIONS, type QueueRow, queueView } from './queue-view.js';
import { counted, FRESH } from './retry.js';
import { BOB, CID, inStream, MESSAGE, MESSAGE_ID as messageId } from './testing.js';

type Kept = (QueueEvent | DeliveryEvent) & { readonly at?: number };
const T0 = MESSAGE.acceptedAt;
const about = { messageId, address: BOB.address, reason: 'because' };

const queued: Kept = { type: 'MessageQueued', data: { messageId, message: MESSAGE, recipients: [BOB, CID], priority: 2 } };
const attempted = (at: number, ...results: AttemptResult[]): Kept => ({
  type: 'DeliveryAttempted', at, data: { messageId, host: 'mx1.y.test', ip: '192.0.2.25', port: 25, route: 'mx', duration: 9, results },
});
const result = (more: Partial<AttemptResult> = {}): AttemptResult => ({ address: BOB.address, outcome: 'deferred', cause: 'line', reply: '450 No', phase: 'RCPT', nextAt: T0 + 500_000, why: 'line fault', ...more });
const held: Kept = { type: 'RecipientHeld', data: about };
const rows = (...events: Kept[]): readonly QueueRow[] => fold(queueView, inStream(...events));
const bob = (...events: Kept[]): QueueRow | undefined => rows(...events).find((r) => r.address === BOB.address);

describe('a queued message', () => {
  it('has a row for each recipient, due at once', () => {
    expect(bob(queued)).toEqual({
      message_id: messageId, address: 'bob@y.test', recipient: 'sales@x.test', via: '["sales@x.test"]', notify: '["FAILURE","DELAY"]', orcpt: 'rfc822;sales@x.test',
      destination: 'y.test', partition: partitionOf('y.test', QUEUE_PARTITIONS), envelope_sender: null, sender: 'ann@x.test', state: 'waiting', next_at: T0, priority: 2, attempts: 0,
      accepted_at: T0, retry: JSON.stringify(FRESH), last_at: null, last_host: null, last_reply: null, last_outcome: null, why: 'new', route: '', delayed: false,
      size: 1_234, message: JSON.stringify(MESSAGE), version: 1,
    });
    expect(rows(queued)[1]).toMatchObject({ address: 'cid@z.test', via: '[]', notify: null, orcpt: null, destination: 'z.test', version: 1 });
  });

  it('takes the place of what release 0.1 had routed', () => {
    const routed: Kept = { type: 'RecipientRouted', data: { messageId, recipient: BOB.recipient, address: BOB.address, via: BOB.via, route: 'remote' } };
    expect(rows(routed)).toMatchObject([{ state: 'unread', message: '{}', sender: '', destination: 'y.test', next_at: T0, version: 1 }]);
    expect(bob(routed, queued)).toEqual({ ...bob(queued), next_at: T0 + 1_000, version: 2 });
  });

  it.each([
    ['Bob@Y.Test', 'y.test'], ['bob@例え.test', 'xn--r8jz45g.test'], ['"a@b"@y.test', 'y.test'], ['bob@[192.0.2.9]', '[192.0.2.9]'], ['bob@[IPv6:2001:DB8::1]', '[ipv6:2001:db8::1]'],
    ['no address', 'no address'],
  ])('goes to the domain of its recipient: %s to %s', (address, destination) => expect(destinationOf(address)).toBe(destination));
});

describe('an attempt', () => {
  it('that delivers takes the row away without reading it', () => {
    const delivered = attempted(T0 + 5_000, result({ outcome: 'delivered', address: BOB.address }), result({ address: CID.address }));
    expect(rows(queued, delivered).map((r) => r.address)).toEqual([CID.address]);
    const [, event] = inStream(queued, delivered);
    const positioned = { position: 0, key: event?.stream ?? '', event: event?.event as never };
    expect(queueView.keysOf(positioned).map((key) => queueView.unread?.(positioned, key))).toEqual([true, false]);
  });

  it('that fails says when the next one is and why, and keeps what the server said', () =>
    expect(bob(queued, attempted(T0 + 5_000, result()))).toEqual({
      ...bob(queued), attempts: 1, retry: JSON.stringify(counted(FRESH, 'line', T0 + 5_000)), next_at: T0 + 500_000, last_at: T0 + 5_000, last_host: 'mx1.y.test',
      last_reply: '450 No', last_outcome: 'deferred', why: 'line fault', version: 2,
    }));

  it.each([
    ['unknown', result({ outcome: 'unknown', cause: 'line' }), 'line'],
    ['unknown without a cause', { address: BOB.address, outcome: 'unknown', reply: '451 4.4.2 Stopped', phase: 'end-of-data', nextAt: T0 + 9_000 } as const, 'line'],
    ['refused, to be tried again', result({ outcome: 'refused', cause: 'refused' }), 'refused'],
    ['not answered', result({ cause: 'no-answer' }), 'no-answer'],
  ] as const)('counts by its cause: %s', (_, one, cause) =>
    expect(JSON.parse(bob(queued, attempted(T0 + 5_000, one))?.retry ?? '')).toEqual(counted(FRESH, cause, T0 + 5_000)));

  it("is not counted when this server's own trouble was the cause", () =>
    expect(bob(queued, attempted(T0 + 5_000, result({ cause: 'local', nextAt: T0 + 65_000 })))).toMatchObject({ attempts: 0, retry: JSON.stringify(FRESH), next_at: T0 + 65_000, last_reply: '450 No' }));

  it('touches nobody else', () => expect(rows(queued, attempted(T0 + 5_000, result()))[1]).toEqual(rows(queued)[1]));

  it('that does not say when is made again later, not at once', () => {
    const { nextAt: _, ...silent } = result();
    expect(bob(queued, attempted(T0 + 5_000, silent))?.next_at).toBe(T0 + 5_000 + 900_000);
  });

  it('about a recipient that is gone changes nothing', () =>
    expect(rows(queued, { type: 'RecipientRemoved', data: about }, attempted(T0 + 5_000, result())).map((r) => r.address)).toEqual([CID.address]));
});

describe('what people do', () => {
  it('holds a recipient, whose attempt under way is still noted', () => {
    expect(bob(queued, held)).toMatchObject({ state: 'held', next_at: T0, why: 'held', version: 2 });
    expect(bob(queued, held, attempted(T0 + 5_000, result()))).toMatchObject({ state: 'held', attempts: 1, last_reply: '450 No', next_at: T0 + 500_000, why: 'held', version: 3 });
    expect(bob(queued, held, attempted(T0 + 5_000, result({ outcome: 'delivered' })))).toBeUndefined();
  });

  it('releases it, on a schedule that begins anew', () =>
    expect(bob(queued, attempted(T0 + 500, result()), held, { type: 'RecipientReleased', at: T0 + 9_000, data: about })).toMatchObject({
      state: 'waiting', next_at: T0 + 9_000, retry: JSON.stringify({ ...FRESH, from: T0 + 9_000 }), why: 'released', attempts: 1,
    }));

  it('asks for a retry: due at once, and the schedule goes on', () => {
    const before = bob(queued, attempted(T0 + 500, result()));
    expect(bob(queued, attempted(T0 + 500, result()), { type: 'RetryRequested', at: T0 + 9_000, data: about })).toEqual({ ...before, next_at: T0 + 9_000, why: 'retry requested', version: 3 });
  });

  it('reroutes it, held or not', () => {
    const rerouted: Kept = { type: 'RecipientRerouted', at: T0 + 9_000, data: { ...about, route: 'relay.test:25' } };
    expect(bob(queued, rerouted)).toMatchObject({ state: 'waiting', route: 'relay.test:25', next_at: T0 + 9_000, why: 'rerouted' });
    expect(bob(queued, held, rerouted)).toMatchObject({ state: 'held', route: 'relay.test:25' });
  });

  it('gives it another priority; what is due comes due anew, so that it is seen', () => {
    const first = (at: number): Kept => ({ type: 'RecipientPrioritized', at, data: { ...about, priority: -5 } });
    expect(bob(queued, first(T0 + 9_000))).toMatchObject({ priority: -5, next_at: T0 + 9_000, attempts: 0, state: 'waiting' });
    expect(bob(queued, attempted(T0 + 500, result()), first(T0 + 9_000))).toMatchObject({ priority: -5, next_at: T0 + 500_000, attempts: 1 });
    expect(bob({ ...queued, data: { ...queued.data, recipients: [{ ...BOB, priority: 8 }] } })).toMatchObject({ priority: 8 });
  });

  it('moves it to another address', () => {
    const to = 'bob@other.test';
    const changed = (isHeld: boolean): Kept => ({ type: 'RecipientChanged', at: T0 + 9_000, data: { ...about, to, recipient: { ...BOB, address: to }, message: MESSAGE, priority: 2, held: isHeld } });
    const moved = rows(queued, attempted(T0 + 500, result()), changed(false));
    expect(moved.map((r) => r.address).sort()).toEqual([to, CID.address]);
    expect(moved.find((r) => r.address === to)).toEqual({
      ...bob(queued), address: to, destination: 'other.test', partition: partitionOf('other.test', QUEUE_PARTITIONS), next_at: T0 + 9_000,
      retry: JSON.stringify({ ...FRESH, from: T0 + 9_000 }), why: 'recipient changed', version: 3,
    });
    expect(rows(queued, held, changed(true)).find((r) => r.address === to)).toMatchObject({ state: 'held' });
  });

  it.each([
    ['RecipientBounced', { ...about, recipient: BOB.recipient, via: BOB.via, rule: 'refused', reply: '550 No' }],
    ['RecipientExpired', { ...about, recipient: BOB.recipient, rule: 'too-old', reply: '450 No' }],
    ['RecipientRemoved', about],
  ] as const)('or the schedule ends it: %s', (type, data) => expect(rows(queued, { type, data } as Kept).map((r) => r.address)).toEqual([CID.address]));
});

describe('a notice that is owed', () => {
  const owed = (kind: 'delayed' | 'failed' | 'relayed'): Kept => ({ type: 'NoticeOwed', data: { ...about, kind, recipient: BOB.recipient, reply: '450 No', message: MESSAGE } });
  it('of delay is remembered', () => expect(bob(queued, owed('delayed'))).toMatchObject({ delayed: true, version: 2 }));
  it.each(['failed', 'relayed'] as const)('of another kind (%s) is not the row’s business', (kind) => expect(bob(queued, owed(kind))).toEqual(bob(queued)));
  it('makes no row where there is none', () => expect(rows(owed('delayed'))).toEqual([]));
});

describe('the rows', () => {
  const BY_PEOPLE = ['RecipientHeld', 'RecipientReleased', 'RetryRequested', 'RecipientRemoved'] as const;
  const address = fc.constantFrom(BOB.address, CID.address);
  const step: fc.Arbitrary<Kept> = fc.oneof(
    fc.tuple(address, fc.constantFrom<AttemptResult['outcome']>('delivered', 'deferred', 'refused', 'unknown'), fc.constantFrom<Cause>('line', 'refused', 'no-answer', 'local'))
      .map(([a, outcome, cause]) => attempted(T0 + 7_000, result({ address: a, outcome, cause }))),
    fc.tuple(address, fc.constantFrom(...BY_PEOPLE)).map(([a, type]) => ({ type, data: { ...about, address: a } })),
  );

  it('carry the version of the last event that touched them, and are the same after a JSON round trip of history', () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const history = inStream(queued, ...steps);
        const now = fold(queueView, history);
        expect(fold(queueView, JSON.parse(JSON.stringify(history)) as typeof history)).toEqual(now);
        for (const row of now) {
          const touching = history.flatMap(({ stream, event }, i) =>
            queueView.types.includes(event.type) && queueView.keysOf({ position: i, key: stream, event }).some((k) => k.address === row.address) ? [i + 1] : []);
          expect(row.version).toBe(touching.at(-1));
        }
      }),
    ));
});
