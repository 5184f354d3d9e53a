import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fold } from '../kernel/fold.js';
import { columnsOf, entryOf, lastUidOf } from './batch.js';
import { appendMessages, changeFlags, expungeAll } from './decisions.js';
import { runsOf } from './flag-runs.js';
import { storedFlags } from './flags.js';
import { createMailbox, type MailboxEvent, type MailboxHead } from './mailbox.js';
import { flagsIn, mailboxStates } from './state-view.js';
import type { FlagRun } from './store-port.js';
import { hasUid, parseUids, rangesOf, uidsIn, uidText } from './uid-set.js';
import { mailboxes, mailboxKeywords, mailboxMessages, mailboxVanished } from './views.js';
import { eachRun } from './chunk.js';

const NINE = Date.UTC(2026, 0, 5);
const BOX = 'box-1';
const created = createMailbox(BOX, 'account-1', 'Work', NINE);
const empty: MailboxHead = created.data.head;
const entry = (n: number, more: object = {}) => ({ messageId: `Q${n}`, sha256: n.toString(16).padStart(64, '0'), bodySize: 100, size: 100, prefix: '', receivedAt: NINE + n, ...more });
const entering = (n: number, flags: readonly string[] = []) => ({ columns: columnsOf(Array.from({ length: n }, (_, i) => entry(i + 1))), flags: Array.from({ length: n }, () => flags) });
const recorded = (events: readonly MailboxEvent[], at = NINE) =>
  events.map((event, i) => ({ stream: `mailbox-${event.data.mailboxId}`, event: { id: `${i}`, version: 1, at, actor: 'account:a', correlation: 'I1', ...event } }));
const messages = (flags: readonly (readonly string[])[], modSeqs?: readonly number[]): readonly FlagRun[] => runsOf(flags.map((set, i) => ({ uid: i + 1, modSeq: modSeqs?.[i] ?? 2, flags: set })));
const head: MailboxHead = { ...empty, uidNext: 4, highestModSeq: 4, messages: 3, bytes: 300 };

describe('STORE', () => {
  const change = (operation: 'add' | 'remove' | 'replace', flags: readonly string[], before: readonly FlagRun[], more: object = {}) => changeFlags(BOX, head, before, { operation, flags, ...more });

  it('is one event with one MODSEQ, messages with equal flags together', () => {
    const { event, changed } = change('add', ['\\Seen'], messages([[], ['\\Flagged'], []]));
    expect(event?.data).toMatchObject({ modSeq: 5, groups: [{ flags: ['\\Seen'], uids: '1,3' }, { flags: ['\\Flagged', '\\Seen'], uids: '2' }], head: { highestModSeq: 5, uidNext: 4 } });
    expect(changed.map((c) => [c.first, c.modSeq, c.flags.join(' ')])).toEqual([[1, 5, '\\Seen'], [2, 5, '\\Flagged \\Seen'], [3, 5, '\\Seen']]);
  });

  it('leaves the MODSEQ of a message whose flags stay as they are', () => {
    const { event, changed } = change('add', ['\\Seen'], messages([['\\Seen'], []]));
    expect(event?.data.groups).toEqual([{ flags: ['\\Seen'], uids: '2' }]);
    expect(changed.map((c) => c.modSeq)).toEqual([2, 5]);
  });

  it('is no event when nothing changes', () => {
    expect(change('remove', ['\\Seen'], messages([[], ['\\Flagged']]))).toMatchObject({ event: undefined, head });
    expect(change('replace', [], messages([]))).toMatchObject({ event: undefined, changed: [] });
  });

  it('leaves alone what was changed after UNCHANGEDSINCE, and nothing at that very MODSEQ', () => {
    const { changed, modified } = change('add', ['\\Seen'], messages([[], [], []], [2, 3, 4]), { unchangedSince: 3 });
    expect(modified).toEqual([3]);
    expect(changed.flatMap((c) => uidsIn([[c.first, c.last]]))).toEqual([1, 2]);
  });

  it('changes only the flags that the account may change', () => {
    const allowed = (flag: string) => flag === '\\Seen';
    expect(change('replace', ['\\Seen', 'kw'], messages([['\\Deleted']]), { allowed }).changed[0]?.flags).toEqual(['\\Deleted', '\\Seen']);
    expect(change('remove', ['\\Deleted', '\\Seen'], messages([['\\Deleted', '\\Seen']]), { allowed }).changed[0]?.flags).toEqual(['\\Deleted']);
  });
});

describe('messages that enter together', () => {
  it('get UIDs in order and one MODSEQ, in events of at most a thousand', () => {
    const { events, head: after, uids } = appendMessages(BOX, empty, entering(2_500, ['\\Seen']));
    expect(events.map((e) => [e.data.firstUid, lastUidOf(e.data), e.data.modSeq])).toEqual([[1, 1000, 2501], [1001, 2000, 2501], [2001, 2500, 2501]]);
    expect(after).toMatchObject({ uidNext: 2501, highestModSeq: 2501, messages: 2500, bytes: 250_000 });
    expect(uids).toHaveLength(2500);
  });

  it('move the highest MODSEQ as far as the next UID, as single ones do', () => {
    const { head: after } = appendMessages(BOX, head, entering(7));
    expect(after.highestModSeq - after.uidNext).toBe(head.highestModSeq - head.uidNext);
  });

  it('are refused when UIDs run out, all of them', () => {
    const last = { ...empty, uidNext: 0xffff_fffe };
    expect(appendMessages(BOX, last, entering(2)).head.uidNext).toBe(0x1_0000_0000);
    expect(() => appendMessages(BOX, last, entering(3))).toThrow('uids-used-up');
  });

  it('are in the event as they came', () => {
    const entries = [entry(1, { prefix: 'P: 1\r\n', size: 106, at: 's/1/0' }), entry(2), entry(3, { smtputf8: true })];
    const { events } = appendMessages(BOX, head, { columns: columnsOf(entries), flags: [[], [], []], from: 'box-9' });
    const data = JSON.parse(JSON.stringify(events[0]?.data)) as (typeof events)[0]['data'];
    expect([4, 5, 6].map((uid) => entryOf(data, uid))).toEqual(entries.map((e, i) => ({ ...e, uid: 4 + i, modSeq: 7 })));
    expect(data).toMatchObject({ from: { mailboxId: 'box-9', uids: '1:3' }, smtputf8: '6' });
  });
});

describe('the views of a mailbox that IMAP uses', () => {
  const many = appendMessages(BOX, empty, entering(600, ['\\Seen']));
  const stored = changeFlags(BOX, many.head, [{ first: 1, last: 1, modSeq: 601, flags: ['\\Seen'] }, { first: 300, last: 301, modSeq: 601, flags: ['\\Seen'] }], { operation: 'add', flags: ['\\Deleted', 'Wichtig'] });
  const gone = expungeAll(BOX, stored.head, { uids: [300, 301], messageIds: ['Q300', 'Q301'], sizes: [100, 100] });
  const history = recorded([created, ...many.events, ...(stored.event ? [stored.event] : []), ...gone.events]);

  it('count', () => expect(fold(mailboxes, history)).toMatchObject([{ uid_next: 601, highest_mod_seq: 603, messages: 598, bytes: 59_800 }]));

  it('hold no message that is gone', () => {
    const uids = fold(mailboxMessages, history).map((r) => r.uid);
    expect(uids).toHaveLength(598);
    expect(uids).not.toContain(300);
  });

  it('know the flags of each message, 256 to a row, equal neighbours as one', () => {
    const rows = fold(mailboxStates, history);
    expect(rows.map((r) => [r.chunk, r.mod_seq, r.seen, r.deleted])).toEqual([[0, 602, 255, 1], [1, 601, 254, 0], [2, 601, 89, 0]]);
    expect(rows[0]?.flags).toBe('1 602 Wichtig \\Deleted \\Seen\n2:255 601 \\Seen');
    expect(rows[1]?.flags).toBe('256:299 601 \\Seen\n302:511 601 \\Seen');
    expect(rows[1]?.saved).toBe(`256:299 ${NINE}\n302:511 ${NINE}`);
  });

  it('have no row left for a chunk whose messages are gone', () => {
    const left = { uids: Array.from({ length: 89 }, (_, i) => 512 + i), messageIds: [], sizes: [] };
    expect(fold(mailboxStates, [...history, ...recorded(expungeAll(BOX, gone.head, left).events)]).map((r) => r.chunk)).toEqual([0, 1]);
  });

  it('remember what vanished and when', () => expect(fold(mailboxVanished, history)).toEqual([{ mailbox_id: BOX, mod_seq: 603, first_uid: 300, uids: '300:301' }]));

  it('keep keywords as they were written first', () => {
    const again = changeFlags(BOX, gone.head, messages([[]]), { operation: 'add', flags: ['WICHTIG'] });
    expect(fold(mailboxKeywords, [...history, ...recorded(again.event ? [again.event] : [])])).toEqual([{ mailbox_id: BOX, name: 'wichtig', keyword: 'Wichtig' }]);
  });

  it('are empty when the mailbox is deleted', () => {
    const deleted = recorded([{ type: 'MailboxDeleted', data: { mailboxId: BOX, head: gone.head } }]);
    for (const view of [mailboxes, mailboxMessages, mailboxStates, mailboxVanished, mailboxKeywords]) expect(fold(view as never, [...history, ...deleted])).toEqual([]);
  });

  it('agree with a plain model of flags, whatever happens', () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.uniqueArray(fc.integer({ min: 1, max: 600 }), { minLength: 1 }), fc.constantFrom('\\Seen', '\\Deleted', 'a', 'b'), fc.boolean()), { maxLength: 8 }), (steps) => {
        const model = new Map(Array.from({ length: 600 }, (_, i) => [i + 1, { modSeq: 601, flags: ['\\Seen'] as readonly string[] }]));
        const events: MailboxEvent[] = [created, ...many.events];
        let now = many.head;
        for (const [asked, flag, expunges] of steps) {
          const uids = asked.filter((uid) => model.has(uid)).sort((a, b) => a - b);
          if (uids.length === 0) continue;
          if (expunges) {
            const done = expungeAll(BOX, now, { uids, messageIds: [], sizes: [] });
            for (const uid of uids) model.delete(uid);
            events.push(...done.events);
            now = done.head;
          } else {
            const known = uids.map((uid) => ({ uid, ...(model.get(uid) as { modSeq: number; flags: readonly string[] }) }));
            const done = changeFlags(BOX, now, runsOf(known), { operation: 'add', flags: [flag] });
            for (const { first, last, modSeq, flags } of done.changed) for (let uid = first; uid <= last; uid++) model.set(uid, { modSeq, flags });
            if (done.event) events.push(done.event);
            now = done.head;
          }
        }
        const found = new Map<number, object>();
        for (const row of fold(mailboxStates, recorded(events))) eachRun(row.flags, (first, last, text) => { for (let uid = first; uid <= last; uid++) found.set(uid, flagsIn(text)); });
        expect([...found].sort(([a], [b]) => a - b)).toEqual([...model]);
      }),
      { numRuns: 60 },
    ));
});

describe('sets of UIDs', () => {
  it('are text and back', () =>
    fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 0xffff_ffff })), (some) => {
      const uids = some.sort((a, b) => a - b);
      const ranges = parseUids(uidText(rangesOf(uids)));
      expect(uidsIn(ranges)).toEqual(uids);
      for (const uid of uids) expect(hasUid(ranges, uid)).toBe(true);
      expect(hasUid(ranges, (uids.at(-1) ?? 0) + 1)).toBe(false);
    })));
  it('are short', () => expect(uidText(rangesOf([1, 2, 3, 5, 7, 8]))).toBe('1:3,5,7:8'));
});

describe('flags as they are stored', () => {
  const known = new Map([['wichtig', 'Wichtig']]);
  it.each([
    [['\\seen', '\\SEEN', '\\Recent'], '\\Seen'],
    [['WICHTIG', '$MDNSent', '\\Flagged'], '$MDNSent Wichtig \\Flagged'],
    [[], ''],
  ])('%j are %j', (flags, stored) => expect(storedFlags(flags, known).join(' ')).toBe(stored));
  it.each([['bad-name', ['\\Unknown']], ['bad-name', ['a b']], ['bad-name', ['']], ['bad-name', ['a\nb']], ['bad-name', ['ä']], ['too-big', ['x'.repeat(101)]], ['too-many', Array.from({ length: 101 }, (_, i) => `k${i}`)]])(
    'are refused as %s: %j', (trouble, flags) => expect(() => storedFlags(flags, known)).toThrow(trouble));
});
