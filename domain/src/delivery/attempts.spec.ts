import { describe, expect, it } from '@jest/globals';
import { fold } from '../kernel/fold.js';
import { attemptFacts, stillTrue, type Tried, triedOf } from './attempts.js';
import type { DeliveryEvent } from './delivery.js';
import { noticeOwed } from './notices.js';
import type { Attempt, AttemptResult, QueuedMessage, QueuedRecipient, QueueEvent } from './queue-events.js';
import { type QueueRow, queueView } from './queue-view.js';
import { DEFAULT_RETRY_SETTINGS } from './retry-settings.js';
import { BOB, CID, inStream, MESSAGE, MESSAGE_ID as messageId } from './testing.js';

type Event = QueueEvent | DeliveryEvent;
const HOUR = 3_600_000;
const T0 = MESSAGE.acceptedAt;
const settings = { ...DEFAULT_RETRY_SETTINGS, base: { jitter: 0 } };
const attempt = (...results: AttemptResult[]): Attempt => ({ messageId, host: 'mx1.y.test', ip: '192.0.2.25', port: 25, route: 'mx', duration: 9, results });
const said = (address: string, more: Partial<AttemptResult> = {}): AttemptResult => ({ address, outcome: 'deferred', cause: 'line', reply: '450 4.7.1 Later', phase: 'RCPT', ...more });
const delivered = (address: string, more: Partial<AttemptResult> = {}): AttemptResult => ({ address, outcome: 'delivered', reply: '250 2.0.0 Ok', phase: 'end-of-data', ...more });
const refused = (address: string): AttemptResult => said(address, { outcome: 'refused', cause: 'refused', reply: '550 5.1.1 Unknown' });

/** The rows of a queue with this message in it, after these events. */
const rowsOf = (recipients: readonly QueuedRecipient[], message: QueuedMessage = MESSAGE, ...more: readonly (Event & { at?: number })[]): readonly QueueRow[] =>
  fold(queueView, inStream({ type: 'MessageQueued', data: { messageId, message, recipients, priority: 0 } }, ...more));
const tried = (recipients: readonly QueuedRecipient[] = [BOB, CID], message = MESSAGE): readonly Tried[] => rowsOf(recipients, message).map(triedOf);
const facts = (now: number, results: readonly AttemptResult[], message: QueuedMessage = MESSAGE, who: readonly Tried[] = tried(undefined, message)): readonly Event[] =>
  attemptFacts(attempt(...results), message, who, { settings, now, chance: 0.5 });
const typesOf = (events: readonly Event[]): readonly string[] => events.map((e) => (e.type === 'NoticeOwed' ? `${e.type} ${e.data.kind}` : e.type));

describe('a row of the queue', () => {
  it('gives back the recipient that made it', () => {
    expect(tried()[0]).toEqual({ ...BOB, destination: 'y.test', retry: { tries: 0, refused: 0, run: 0, since: 0 }, delayed: false });
    expect(tried()[1]).toMatchObject(CID);
  });
});

describe('an attempt at several recipients', () => {
  it('is one event; each recipient has its own fate', () => {
    const [first, ...others] = facts(T0 + 1_000, [said(BOB.address), refused(CID.address)]);
    expect(first).toEqual({
      type: 'DeliveryAttempted',
      data: attempt(
        said(BOB.address, { nextAt: T0 + 121_000, why: 'line fault: try 1, next in 120 s, given up after 8 h' }),
        { ...refused(CID.address), why: 'refused: try 1, given up at once' },
      ),
    });
    expect(others).toEqual([
      { type: 'RecipientBounced', data: { messageId, recipient: CID.recipient, address: CID.address, via: [], rule: 'refused', reply: '550 5.1.1 Unknown' } },
      ...noticeOwed('failed', messageId, MESSAGE, CID, { reply: '550 5.1.1 Unknown', host: 'mx1.y.test', rule: 'refused', lastAttemptAt: T0 + 1_000 }),
    ]);
  });

  it('leads to the next times at which they are tried together again', () => {
    const [first] = facts(T0 + 1_000, [said(BOB.address), said(CID.address)]);
    expect(new Set((first as Extract<Event, { type: 'DeliveryAttempted' }>).data.results.map((r) => r.nextAt)).size).toBe(1);
  });

  it('that delivered is nothing but itself', () => expect(typesOf(facts(T0, [delivered(BOB.address), delivered(CID.address)]))).toEqual(['DeliveryAttempted']));

  it('records results of recipients that nobody told about', () => expect(facts(T0, [said('eve@q.test')])).toEqual([{ type: 'DeliveryAttempted', data: attempt(said('eve@q.test')) }]));
});

describe('a recipient whose time is up', () => {
  const old = { ...MESSAGE, acceptedAt: T0 - 121 * HOUR };
  it('expires, and the sender hears the last reply', () => {
    const [, expired, notice] = facts(T0, [said(BOB.address)], old);
    expect(expired).toEqual({ type: 'RecipientExpired', data: { messageId, address: BOB.address, recipient: BOB.recipient, rule: 'too-old', reply: '450 4.7.1 Later' } });
    expect(notice).toMatchObject({ type: 'NoticeOwed', data: { kind: 'failed', rule: 'too-old', reply: '450 4.7.1 Later', host: 'mx1.y.test' } });
  });
  it('is delivered all the same when the server takes it', () => expect(typesOf(facts(T0, [delivered(BOB.address)], old))).toEqual(['DeliveryAttempted']));
  it("does not expire by this server's own trouble, however long; but its sender hears that it takes longer", () => {
    const local = said(BOB.address, { cause: 'local' });
    expect(typesOf(facts(T0, [local], old))).toEqual(['DeliveryAttempted', 'NoticeOwed delayed']);
    expect(typesOf(facts(T0, [local], { ...MESSAGE, acceptedAt: T0 - 2_400 * HOUR }))).toEqual(['DeliveryAttempted', 'NoticeOwed delayed']);
  });
});

describe('the server named in a notice', () => {
  const hostIn = (result: Partial<AttemptResult>) =>
    facts(T0, [{ ...refused(BOB.address), ...result }]).flatMap((e) => (e.type === 'NoticeOwed' ? [e.data.host] : []));
  it.each([['RCPT', 'mx1.y.test'], ['greeting', 'mx1.y.test'], ['dns', undefined], ['connect', undefined], ['policy', undefined]])('at %s is %s', (phase, host) => expect(hostIn({ phase })).toEqual([host]));
});

describe('the notice of delay', () => {
  const late = T0 + 5 * HOUR;
  it('is owed once the message is late, and says how long it will be tried', () =>
    expect(facts(late, [said(BOB.address)])[1]).toMatchObject({ type: 'NoticeOwed', data: { kind: 'delayed', until: late + 8 * HOUR, lastAttemptAt: late } }));
  it('is owed once', () => {
    const [first, ...others] = facts(late, [said(BOB.address)], MESSAGE, rowsOf([BOB], MESSAGE, ...facts(late, [said(BOB.address)])).map(triedOf));
    expect(first?.type).toBe('DeliveryAttempted');
    expect(others).toEqual([]);
  });
  it.each([
    ['before it is late', T0 + HOUR, {}, {}],
    ['when it was not asked for', late, {}, { notify: ['FAILURE'] as const }],
    ['to the null sender', late, { sender: '' }, {}],
  ])('is not owed %s', (_, now, message, recipient) => {
    const its = { ...MESSAGE, ...message };
    expect(typesOf(facts(now, [said(BOB.address)], its, tried([{ ...BOB, ...recipient }], its)))).toEqual(['DeliveryAttempted']);
  });
  it('gives way to the notice of failure', () => expect(typesOf(facts(late, [refused(BOB.address)]))).toEqual(['DeliveryAttempted', 'RecipientBounced', 'NoticeOwed failed']));
});

describe('a success that was asked for', () => {
  const asking = [{ ...BOB, notify: ['SUCCESS'] as const }];
  it('is reported where the next server does not', () =>
    expect(facts(T0, [delivered(BOB.address, { relayed: true })], MESSAGE, tried(asking))[1]).toMatchObject({ type: 'NoticeOwed', data: { kind: 'relayed', reply: '250 2.0.0 Ok', host: 'mx1.y.test' } }));
  it('is left to the next server where it reports itself', () => expect(facts(T0, [delivered(BOB.address)], MESSAGE, tried(asking))).toHaveLength(1));
  it('is not reported to those who did not ask', () => expect(facts(T0, [delivered(BOB.address, { relayed: true })])).toHaveLength(1));
});

describe('a failure that the sender does not want to hear of', () => {
  it('bounces without a notice', () => expect(typesOf(facts(T0, [refused(BOB.address)], MESSAGE, tried([{ ...BOB, notify: ['NEVER'] }])))).toEqual(['DeliveryAttempted', 'RecipientBounced']));
});

describe('an outcome that is unknown', () => {
  it('is tried again as after a line fault, and nobody is blamed', () => {
    const [first] = facts(T0, [said(BOB.address, { outcome: 'unknown', phase: 'end-of-data', reply: '451 4.4.2 This server stopped before it recorded the outcome' })]);
    expect(first).toMatchObject({ data: { results: [{ outcome: 'unknown', nextAt: T0 + 120_000, why: 'line fault: try 1, next in 120 s, given up after 8 h' }] } });
  });
});

describe('after somebody else was faster', () => {
  const before = facts(T0, [said(BOB.address), refused(CID.address)]);
  it('nothing changes for recipients that still wait', () => expect(stillTrue(before, () => true)).toEqual(before));
  it('what was tried stays, what would follow does not', () =>
    expect(stillTrue(before, () => false)).toEqual([{ type: 'DeliveryAttempted', data: attempt(said(BOB.address), refused(CID.address)) }]));
  it('a delivery is told in any case', () => {
    const success = facts(T0, [delivered(BOB.address)]);
    expect(stillTrue(success, () => false)).toEqual(success);
  });
});

describe('the view and the schedule', () => {
  it('count alike: what the row remembers is what the schedule reckoned with', () => {
    let rows = rowsOf([BOB]);
    const history: (Event & { at: number })[] = [];
    let now = T0 + 1_000;
    for (const cause of ['no-answer', 'no-answer', 'line', 'line', 'local', 'line'] as const) {
      const [first] = attemptFacts(attempt(said(BOB.address, { cause })), MESSAGE, rows.map(triedOf), { settings, now, chance: 0.5 });
      const data = (first as Extract<Event, { type: 'DeliveryAttempted' }>).data;
      history.push({ type: 'DeliveryAttempted', data, at: now });
      rows = rowsOf([BOB], MESSAGE, ...history);
      now = data.results[0]?.nextAt ?? NaN;
      expect(rows[0]?.next_at).toBe(now);
    }
    expect(rows[0]).toMatchObject({ attempts: 5, why: expect.stringContaining('try 5, next in 270 s') });
  });
});
