import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { NoticeKind, QueuedMessage, QueueEvent, QueueFact } from '@kiroku/domain/delivery/queue-events.js';
import type { EventStore } from '@kiroku/domain/kernel/event-store.js';
import { BodyDamaged, type ObjectStore, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import { MemoryObjectStore } from '@kiroku/infra/object-store/memory.js';
import { PostgresNotices } from '@kiroku/infra/read-model/notices.js';
import { type Member, recorded, type TestHistory, testHistory } from '@kiroku/infra/read-model/testing.js';
import { until } from '@kiroku/infra/rig/until.js';
import { Notices, type NoticesParts } from './notices.js';
import { type NoticeSettings, NOTICES_PER_HOUR, type SubmitMessage } from './ports.js';

const HOUR = 3_600_000;
type Submitted = QueueFact<'MessageSubmitted'>;

let h: TestHistory;
let bodies: MemoryObjectStore;
let original: Pick<QueuedMessage, 'sha256' | 'size'>;
const ORIGINAL = Buffer.from('From: ann@y.test\r\nSubject: Hello\r\n\r\nBody text\r\n');

beforeAll(async () => {
  h = await testHistory();
  bodies = new MemoryObjectStore();
  const writer = bodies.create();
  await writer.write(ORIGINAL);
  original = await writer.commit();
});
afterAll(() => h.close());
beforeEach(async () => {
  // What earlier tests left owed is not this one's business.
  expect((await h.pool.query('SELECT 1 FROM view.notice_1')).rowCount).toBe(0);
});

const settings: NoticeSettings = {
  hostname: 'mx.x.test', offset: () => 540, styleOf: () => ({ domain: 'x.test', languages: ['en'] }), postmasterCopy: [], perHour: NOTICES_PER_HOUR,
};

/** As LocalDelivery does it, less the routing. */
const submitTo = (store: EventStore): SubmitMessage => (message, also) =>
  store.append([{ stream: messageStream(message.messageId), expected: 0, events: [recorded(h.engine, { type: 'MessageSubmitted', data: message }, message.messageId)] }, ...also]);

function noticesOf(more: Partial<Omit<NoticesParts, 'settings'>> & { readonly settings?: Partial<NoticeSettings> } = {}, member: Member = h) {
  const troubles: unknown[] = [];
  const notices = new Notices({
    engine: member.engine, rows: new PostgresNotices(member.pool), bodies, submit: submitTo(member.store), trouble: (e) => troubles.push(e),
    ...more, settings: () => ({ ...settings, ...more.settings }),
  });
  return { notices, troubles };
}

let count = 0;
const messageId = (): string => `M${String(++count).padStart(6, '0')}`;
let senders = 0;
/** Nobody's limit is touched by another test. */
const sender = (): string => `ann${++senders}@y.test`;

async function append(id: string, ...events: readonly QueueEvent[]): Promise<void> {
  const { version } = await h.store.read(messageStream(id));
  await h.store.append([{ stream: messageStream(id), expected: version, events: events.map((e) => recorded(h.engine, e, id)) }]);
}
function owed(id: string, addresses: readonly string[], message: Partial<QueuedMessage> = {}, kind: NoticeKind = 'failed'): Promise<void> {
  const whole: QueuedMessage = {
    sender: 'ann@y.test', ...original, trace: 'Received: here\r\n', body: '7BIT', smtputf8: false, requireTls: false, hops: 0, acceptedAt: h.engine.clock.now(), ...message,
  };
  return append(id, ...addresses.map((address) => ({
    type: 'NoticeOwed' as const, data: { messageId: id, address, kind, recipient: address, reply: '550 5.1.1 User unknown', host: 'mx.z.test', message: whole },
  })));
}

/** Reports on their way about that message, oldest first. */
async function reportsAbout(id: string): Promise<readonly Submitted[]> {
  const { rows } = await h.pool.query<{ events: string }>(`SELECT events FROM history.decision WHERE stream LIKE 'message-%' ORDER BY position`);
  return rows.flatMap((r) => JSON.parse(r.events) as { type: string; data: Submitted }[]).filter((e) => e.type === 'MessageSubmitted' && e.data.about === id).map((e) => e.data);
}
const sentOf = async (id: string): Promise<readonly QueueFact<'NoticeSent'>[]> =>
  (await h.store.read(messageStream(id))).events.filter((e) => e.type === 'NoticeSent').map((e) => e.data as QueueFact<'NoticeSent'>);

async function textOf({ message }: Submitted): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bodies.read(message)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
const later = (ms: number): void => h.engine.clock.advance(ms);

describe('a report that is owed', () => {
  it('goes to the sender with the null sender, is durable before it is announced, and is owed no more', async () => {
    const [id, ann] = [messageId(), sender()];
    await owed(id, ['bob@z.test'], { sender: ann, requireTls: true });
    later(2_000);
    const { notices, troubles } = noticesOf();
    await notices.round();
    const [report, ...more] = await reportsAbout(id);
    expect(more).toEqual([]);
    expect(report).toMatchObject({ origin: 'notice', about: id, recipients: [ann], message: { sender: '', body: '7BIT', requireTls: true, hops: 0, acceptedAt: h.engine.clock.now() } });
    expect(report?.message.trace).toMatch(/^Received: by mx\.x\.test id /);
    const text = await textOf(report as Submitted);
    expect(text.length).toBe(report?.message.size);
    expect(text).toContain(`To: <${ann}>\r\n`);
    expect(text).toContain('Final-Recipient: rfc822; bob@z.test\r\n');
    expect(await sentOf(id)).toEqual([{ messageId: id, kind: 'failed', addresses: ['bob@z.test'], noticeId: report?.messageId }]);
    await notices.round();
    expect(await reportsAbout(id)).toHaveLength(1);
    expect(troubles).toEqual([]);
  });

  it('waits two seconds for other recipients of the message, and is one for all of them; of another kind it is another', async () => {
    const [id, ann] = [messageId(), sender()];
    const { notices } = noticesOf();
    await owed(id, ['bob@z.test'], { sender: ann });
    await owed(id, ['late@z.test'], { sender: ann }, 'delayed');
    later(1_500);
    await owed(id, ['cid@z.test', 'dan@z.test'], { sender: ann });
    later(1_500);
    await notices.round();
    expect((await sentOf(id)).map((s) => [s.kind, s.addresses])).toEqual([['delayed', ['late@z.test']]]);
    later(500);
    await notices.round();
    expect((await sentOf(id)).map((s) => [s.kind, s.addresses])).toEqual([['delayed', ['late@z.test']], ['failed', ['bob@z.test', 'cid@z.test', 'dan@z.test']]]);
    expect(await reportsAbout(id)).toHaveLength(2);
  });

  it('does not wait longer than a minute for a message that fails bit by bit', async () => {
    const id = messageId();
    const { notices } = noticesOf();
    for (let n = 0; n < 41; n++) {
      await owed(id, [`u${n}@z.test`]);
      later(1_500);
      await notices.round();
      if ((await sentOf(id)).length > 0) break;
    }
    expect((await sentOf(id))[0]?.addresses.length).toBeGreaterThan(35);
    later(HOUR);
    await notices.round();
  });

  it('lists a thousand recipients and settles all', async () => {
    const id = messageId();
    await owed(id, Array.from({ length: 1_100 }, (_, n) => `u${n}@z.test`), { sender: sender() });
    later(2_000);
    await noticesOf().notices.round();
    expect((await sentOf(id))[0]?.addresses).toHaveLength(1_100);
    expect((await textOf((await reportsAbout(id))[0] as Submitted)).match(/^Final-Recipient:/gm)).toHaveLength(1_000);
  });

  it('is written by a process that runs by itself, until it is stopped', async () => {
    const id = messageId();
    const { notices } = noticesOf();
    notices.start();
    await owed(id, ['bob@z.test'], { sender: sender() });
    later(2_000);
    notices.hint();
    await until('the report', 20_000, async () => (await sentOf(id)).length === 1).finally(() => notices.stop());
  });

  it('is left alone by a process that it does not belong to', async () => {
    const id = messageId();
    const { notices } = noticesOf({ owns: () => false });
    await owed(id, ['bob@z.test'], { sender: sender() });
    later(2_000);
    notices.start();
    notices.hint();
    await notices.stop();
    expect(await sentOf(id)).toEqual([]);
    await noticesOf().notices.round();
  });
});

describe('what a report returns', () => {
  it('is streamed when the sender wants a large message whole', async () => {
    const big = Buffer.concat([ORIGINAL, Buffer.from(`${'y'.repeat(70)}\r\n`.repeat(10_000))]);
    const writer = bodies.create();
    await writer.write(big);
    const id = messageId();
    await owed(id, ['bob@z.test'], { sender: sender(), ...(await writer.commit()), ret: 'FULL' });
    later(2_000);
    await noticesOf().notices.round();
    const [report] = await reportsAbout(id);
    expect(report?.message.body).toBe('8BITMIME');
    expect(await textOf(report as Submitted)).toContain(`Content-Description: Undelivered message\r\n\r\nReceived: here\r\n${big.toString()}\r\n--`);
  });

  it('is left out when the message is lost or damaged', async () => {
    const [lost, damaged] = [messageId(), messageId()];
    await owed(lost, ['bob@z.test'], { sender: sender(), sha256: 'f'.repeat(64) });
    // Damage that shows only at the end of a large body.
    const rotten: ObjectStore = {
      create: () => bodies.create(), delete: (s) => bodies.delete(s), compact: () => bodies.compact(), usage: () => bodies.usage(), close: () => bodies.close(),
      readMany: async (refs) => refs.map(() => undefined),
      async *read(ref, range) {
        if (ref.sha256 === 'f'.repeat(64)) yield* bodies.read(ref);
        yield Buffer.alloc(range ? range.length : 70_000, 'x\r\n');
        if (!range) throw new BodyDamaged(ref.sha256);
      },
    };
    await owed(damaged, ['bob@z.test'], { sender: sender(), sha256: 'e'.repeat(64), size: 100_000, ret: 'FULL' });
    later(2_000);
    const { notices, troubles } = noticesOf({ bodies: rotten });
    await notices.round();
    for (const id of [lost, damaged]) {
      const text = await textOf((await reportsAbout(id))[0] as Submitted);
      expect(text).not.toContain('Undelivered message');
      expect(text).toContain('message/delivery-status');
    }
    expect(troubles).toEqual([]);
  });
});

describe('exactly one report', () => {
  it('comes of it when answers are lost before and after each step', async () => {
    const messages = Array.from({ length: 12 }, messageId);
    for (const id of messages) await owed(id, ['bob@z.test', 'cid@z.test'], { sender: sender() });
    let n = 0;
    const submit: SubmitMessage = async (message, also) => {
      n++;
      if (n % 3 === 1) throw new Error('the connection broke before the append');
      await submitTo(h.store)(message, also);
      if (n % 3 === 2) throw new Error('the connection broke after the append');
    };
    let stored = 0;
    const flaky: ObjectStore = {
      read: (r, range) => bodies.read(r, range), delete: (s) => bodies.delete(s), compact: () => bodies.compact(), usage: () => bodies.usage(), close: () => bodies.close(),
      readMany: (refs) => bodies.readMany(refs),
      create: () => {
        const writer = bodies.create();
        return {
          size: 0, write: (c) => writer.write(c), abort: () => writer.abort(),
          commit: async () => {
            if (stored++ % 4 === 0) throw new StoreUnavailable('disk full');
            return writer.commit();
          },
        };
      },
    };
    const { notices, troubles } = noticesOf({ submit, bodies: flaky });
    for (let round = 0; round < 12; round++) {
      later(700_000);
      await notices.round();
    }
    for (const id of messages) {
      expect(await reportsAbout(id)).toHaveLength(1);
      expect(await sentOf(id)).toHaveLength(1);
    }
    expect(troubles.length).toBeGreaterThan(10);
  });

  it('comes of it when two processes believe it is theirs', async () => {
    const messages = Array.from({ length: 40 }, messageId);
    for (const id of messages) await owed(id, ['bob@z.test'], { sender: sender() });
    later(2_000);
    const others = [h.another(), h.another()].map((member) => {
      member.engine.clock.advance(h.engine.clock.now() - member.engine.clock.now());
      return noticesOf({}, member);
    });
    await Promise.all(others.map(({ notices }) => notices.round()));
    for (const id of messages) expect(await reportsAbout(id)).toHaveLength(1);
    expect(others.flatMap((o) => o.troubles)).toEqual([]);
  });

  it('comes of it when something else happens to the message meanwhile, and tells of whom failed meanwhile', async () => {
    const [id, ann] = [messageId(), sender()];
    await owed(id, ['bob@z.test'], { sender: ann });
    later(2_000);
    const meanwhile = [
      () => append(id, { type: 'RetryRequested', data: { messageId: id, address: 'dan@z.test', reason: 'now' } }),
      () => owed(id, ['cid@z.test'], { sender: ann }),
    ];
    const tried: string[] = [];
    const submit: SubmitMessage = async (message, also) => {
      tried.push(message.messageId);
      await meanwhile.shift()?.();
      return submitTo(h.store)(message, also);
    };
    const { notices, troubles } = noticesOf({ submit });
    await notices.round();
    expect([new Set(tried).size, tried.length, troubles]).toEqual([2, 3, []]); // the first body served twice
    expect(await sentOf(id)).toEqual([{ messageId: id, kind: 'failed', addresses: ['bob@z.test', 'cid@z.test'], noticeId: tried[2] }]);
    expect(await textOf((await reportsAbout(id))[0] as Submitted)).toContain('Final-Recipient: rfc822; cid@z.test');
  });

  it('that cannot be written holds up no other, and is tried again after a pause', async () => {
    const [bad, good] = [messageId(), messageId()];
    await owed(bad, ['bob@z.test'], { sender: sender() });
    later(1);
    await owed(good, ['bob@z.test'], { sender: sender() });
    later(2_000);
    let tries = 0;
    const submit: SubmitMessage = (message, also) => {
      if (message.about !== bad) return submitTo(h.store)(message, also);
      return ++tries < 3 ? Promise.reject(new Error('no')) : submitTo(h.store)(message, also);
    };
    const { notices, troubles } = noticesOf({ submit });
    await notices.round();
    await notices.round();
    expect([tries, troubles.length, (await sentOf(good)).length]).toEqual([1, 1, 1]);
    later(10_000);
    await notices.round();
    later(10_000);
    await notices.round(); // the pause has doubled
    expect(tries).toBe(2);
    later(10_000);
    await notices.round();
    expect([tries, (await sentOf(bad)).length]).toEqual([3, 1]);
  });
});

describe('no report', () => {
  it('goes to the null sender', async () => {
    const id = messageId();
    await owed(id, ['bob@z.test'], { sender: '' });
    later(2_000);
    await noticesOf({ settings: { postmasterCopy: ['root@x.test'] } }).notices.round();
    expect(await reportsAbout(id)).toEqual([]);
    expect(await sentOf(id)).toEqual([{ messageId: id, kind: 'failed', addresses: ['bob@z.test'], why: 'the message has the null sender' }]);
  });

  it('goes to an address beyond its hourly number, except about its own logged-in mail; the next hour has room again', async () => {
    const ann = sender();
    const { notices } = noticesOf({ settings: { perHour: 2 } });
    const sent = async (message: Partial<QueuedMessage>): Promise<string> => {
      const id = messageId();
      await owed(id, ['bob@z.test'], message);
      later(2_000);
      await notices.round();
      return (await sentOf(id))[0]?.why ?? 'sent';
    };
    const over = 'more than 2 reports an hour to this address';
    const upper = ann.replace('ann', 'ANN');
    expect([await sent({ sender: ann }), await sent({ sender: upper }), await sent({ sender: ann }), await sent({ sender: sender() })]).toEqual(['sent', 'sent', over, 'sent']);
    expect(await sent({ sender: ann, login: ann })).toBe('sent');
    later(HOUR);
    expect(await sent({ sender: ann })).toBe('sent');
  });

  it('that failed to be written counts', async () => {
    const [id, ann] = [messageId(), sender()];
    await owed(id, ['bob@z.test'], { sender: ann });
    let broken = true;
    const { notices } = noticesOf({ settings: { perHour: 1 }, submit: (m, also) => (broken ? Promise.reject(new Error('no')) : submitTo(h.store)(m, also)) });
    later(2_000);
    await notices.round();
    broken = false;
    later(10_000);
    await notices.round();
    expect(await reportsAbout(id)).toHaveLength(1);
  });
});

describe("the administrators' copy", () => {
  const copies = { settings: { postmasterCopy: ['root@x.test', 'Ann-Admin@x.test', 'not an address'] } };

  it('of a failure goes to each of them but the sender, with the header only', async () => {
    const id = messageId();
    await owed(id, ['bob@z.test'], { sender: 'ann-admin@x.test', ret: 'FULL' });
    later(2_000);
    await noticesOf(copies).notices.round();
    const [copy, report] = await reportsAbout(id);
    expect([copy?.recipients, copy?.message.sender, report?.recipients]).toEqual([['root@x.test'], '', ['ann-admin@x.test']]);
    expect(await textOf(copy as Submitted)).not.toContain('Body text');
    expect(await textOf(report as Submitted)).toContain('Body text');
  });

  it('is one, whatever dies between it and the report', async () => {
    const id = messageId();
    await owed(id, ['bob@z.test', 'cid@z.test'], { sender: sender() });
    for (let crash = 0; crash < 3; crash++) {
      later(700_000);
      // A new process each time: it knows nothing of what the one before has done.
      await noticesOf({ ...copies, submit: (m, also) => (also.length > 0 ? Promise.reject(new Error('dead')) : submitTo(h.store)(m, also)) }).notices.round();
    }
    expect((await reportsAbout(id)).map((r) => r.recipients)).toEqual([['root@x.test', 'ann-admin@x.test']]);
    later(700_000);
    await noticesOf(copies).notices.round();
    await owed(id, ['dan@z.test'], { sender: sender() });
    later(2_000);
    await noticesOf(copies).notices.round();
    // Of what failed later there is a copy of its own.
    expect((await reportsAbout(id)).map((r) => r.recipients.length)).toEqual([2, 1, 2, 1]);
  });

  it('is not made of delays, and not again while the report itself waits', async () => {
    const [late, id] = [messageId(), messageId()];
    await owed(late, ['bob@z.test'], { sender: sender() }, 'delayed');
    await owed(id, ['bob@z.test'], { sender: sender() });
    let tries = 0;
    const submit: SubmitMessage = (m, also) => (also.length > 0 && m.about === id && tries++ < 2 ? Promise.reject(new Error('no')) : submitTo(h.store)(m, also));
    const { notices } = noticesOf({ ...copies, submit });
    for (let round = 0; round < 3; round++) {
      later(60_000);
      await notices.round();
    }
    expect((await reportsAbout(late)).map((r) => r.recipients[0])).toEqual([expect.stringContaining('@y.test')]);
    expect((await reportsAbout(id)).map((r) => r.recipients.length)).toEqual([2, 1]);
  });
});
