import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import { appendMessage, mailboxStream, type MailboxEvent } from '@kiroku/domain/mailbox/mailbox.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import type { Maildrop } from '@kiroku/domain/pop3/maildrop.js';
import { PostgresMaildrops } from './maildrops.js';
import { filledMailbox, type Member, NINE, recorded, sha256, type TestHistory, testHistory } from './testing.js';

const ORIGIN = { actor: 'session:P1', correlation: 'P1' };
let h: TestHistory;
let drops: PostgresMaildrops[] = [];
beforeAll(async () => void (h = await testHistory()));
afterAll(async () => {
  for (const d of drops) await d.close();
  await h.close();
});

const account = (inbox: string, id = inbox): AccountFacts => ({ id, address: 'ann@x.test', enabled: true, smtp: true, pop3: true, imap: true, quota: 0, used: 0, inbox });
/** A POP3 process. */
function maildrops(member: Member = h.another()): PostgresMaildrops {
  const made = new PostgresMaildrops(member.pool, h.connection, member.engine, (e) => member.troubles.push(e));
  drops = [...drops, made];
  return made;
}
async function opened(from: PostgresMaildrops, inbox: string): Promise<Maildrop> {
  const drop = await from.open(account(inbox));
  if (drop === 'in-use') throw new Error('in use');
  return drop;
}
const uidsIn = async (id: string): Promise<readonly number[]> =>
  (await h.pool.query<{ uid: number }>('SELECT uid FROM view.mailbox_message_1 WHERE mailbox_id = $1 ORDER BY uid', [id])).rows.map((r) => r.uid);
/** Mail comes in: read the head, append one, again when somebody was faster. */
async function deliver({ engine }: Member, id: string): Promise<void> {
  const stream = mailboxStream(id);
  for (;;) {
    const last = (await engine.store.readLast([stream])).get(stream);
    const { head } = (last?.event as unknown as MailboxEvent).data;
    const fact = appendMessage(id, head, {
      messageId: 'N', sha256: sha256(7), bodySize: 1, prefix: '', size: 1, receivedAt: NINE, recipient: 'ann@x.test', via: [], deliveredTo: 'ann@x.test',
    });
    try {
      return await engine.store.append([{ stream, expected: last?.version ?? 0, events: [recorded(engine, fact)] }]);
    } catch (error) {
      if (!(error instanceof VersionConflict)) throw error;
    }
  }
}

describe('a maildrop', () => {
  it('shows what is in the mailbox, oldest first, and where each message lies', async () => {
    const box = await filledMailbox(h, 3);
    const drop = await opened(maildrops(), box.id);
    expect(drop.uidValidity).toBe(NINE / 1000);
    expect([...drop.snapshot.uids]).toEqual([1, 2, 3]);
    const [size] = [...drop.snapshot.sizes];
    const located = await drop.locate(1);
    expect(located).toMatchObject({ body: { sha256: sha256(1), size: 10 }, smtputf8: false });
    expect(located?.prefix).toMatch(/X-Number: 1\r\n$/);
    expect((located?.prefix.length ?? 0) + 10).toBe(size);
    expect(await drop.locate(9)).toBeUndefined();
    await drop.close();
  });

  it('is held by one session at a time, in this process and in others', async () => {
    const box = await filledMailbox(h, 1);
    const [here, there] = [maildrops(), maildrops()];
    const drop = await opened(here, box.id);
    expect(await here.open(account(box.id))).toBe('in-use');
    expect(await there.open(account(box.id))).toBe('in-use');
    await drop.close();
    const next = await opened(there, box.id);
    expect(await here.open(account(box.id))).toBe('in-use');
    await next.close();
  });

  it('goes to exactly one of many sessions that want it at once', async () => {
    const box = await filledMailbox(h, 1);
    const [here, there] = [maildrops(), maildrops()];
    const results = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? here : there).open(account(box.id))));
    const got = results.filter((r) => r !== 'in-use');
    expect(got).toHaveLength(1);
    for (const drop of got) await drop.close();
  });

  it('is free when the connection of its holder dies, and the holder may not expunge any more', async () => {
    const box = await filledMailbox(h, 3);
    const [here, there] = [maildrops(), maildrops()];
    const lost = await opened(here, box.id);
    await h.cut('%pg_try_advisory_lock%');
    const next = await opened(there, box.id);
    await until(async () => lost.expunge([1], ORIGIN).then(() => false, () => true));
    await expect(lost.expunge([1], ORIGIN)).rejects.toThrow('the maildrop lock was lost');
    expect(await uidsIn(box.id)).toEqual([1, 2, 3]);
    await lost.close(); // takes nothing from the one that has it now
    expect(await here.open(account(box.id))).toBe('in-use');
    await next.close();
    const again = await opened(here, box.id);
    await again.close();
  });

  it('is never held twice, however often lock connections break while sessions come and go', async () => {
    const box = await filledMailbox(h, 1);
    const processes = [maildrops(), maildrops()];
    const held = processes.map(() => new Set<Maildrop>());
    const mine = (drop: Maildrop): Promise<boolean> => drop.expunge([99], ORIGIN).then(() => true, () => false);
    let twice = 0;
    let opens = 0;
    let cutting = true;
    const knife = (async () => { while (cutting) await h.cut('%advisory%'); })();
    await Promise.all(Array.from({ length: 8 }, async (_, n) => {
      for (let i = 0; i < 25; i++) {
        const drop = await processes[n % 2]?.open(account(box.id)).catch(() => undefined);
        if (!drop || drop === 'in-use') continue;
        opens++;
        const others = held[n % 2] as Set<Maildrop>;
        for (const other of others) if ((await mine(other)) && (await mine(drop)) && others.has(other)) twice++;
        others.add(drop);
        await mine(drop);
        others.delete(drop);
        await drop.close();
      }
    }));
    cutting = false;
    await knife;
    expect(twice).toBe(0);
    expect(opens).toBeGreaterThan(0);
    const drop = await until(async () => { const d = await processes[0]?.open(account(box.id)).catch(() => undefined); return d === 'in-use' ? undefined : d; });
    await drop.close();
  });

  it('cannot be opened when its mailbox is gone, and is not left locked', async () => {
    const gone = '019b8b3a-0c00-7000-8000-00000000dead';
    const [here, there] = [maildrops(), maildrops()];
    await expect(here.open(account(gone))).rejects.toThrow('is gone');
    await expect(there.open(account(gone))).rejects.toThrow('is gone');
  });
});

describe('an expunge', () => {
  it('removes what is there and minds nothing that is not', async () => {
    const box = await filledMailbox(h, 4);
    const drop = await opened(maildrops(), box.id);
    await drop.expunge([2, 4, 77], ORIGIN);
    await drop.expunge([2, 4], ORIGIN);
    expect(await uidsIn(box.id)).toEqual([1, 3]);
    expect(await drop.locate(2)).toBeUndefined();
    expect((await h.pool.query('SELECT messages::int FROM view.mailbox_1 WHERE id = $1', [box.id])).rows).toEqual([{ messages: 2 }]);
    const { events } = await h.store.read(mailboxStream(box.id), box.version);
    expect(events.map((e) => [e.type, e.actor])).toEqual([['MessageExpunged', 'session:P1'], ['MessageExpunged', 'session:P1']]);
    await drop.close();
  });

  it('gets through while mail keeps coming in, and loses none of it', async () => {
    const box = await filledMailbox(h, 50);
    const other = h.another();
    let flowing = true;
    let arrived = 0;
    const mail = (async () => { while (flowing) { await deliver(other, box.id); arrived++; } })();
    const drop = await opened(maildrops(), box.id);
    for (let uid = 1; uid <= 50; uid += 5) await drop.expunge([uid, uid + 1, uid + 2, uid + 3, uid + 4], ORIGIN);
    flowing = false;
    await mail;
    await drop.close();
    expect((await uidsIn(box.id)).length).toBe(arrived);
    const last = (await h.store.readLast([mailboxStream(box.id)])).get(mailboxStream(box.id));
    expect((last?.event as unknown as MailboxEvent).data.head).toMatchObject({ messages: arrived, uidNext: 51 + arrived });
  });

  it('of 10,000 messages is done in few steps', async () => {
    const box = await filledMailbox(h, 10_000);
    const drop = await opened(maildrops(), box.id);
    expect(drop.snapshot.uids).toHaveLength(10_000);
    await drop.expunge([...drop.snapshot.uids], ORIGIN);
    await drop.close();
    expect(await uidsIn(box.id)).toEqual([]);
    const last = (await h.store.readLast([mailboxStream(box.id)])).get(mailboxStream(box.id));
    expect((last?.event as unknown as MailboxEvent).data.head).toMatchObject({ messages: 0, bytes: 0 });
  });
});

async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
