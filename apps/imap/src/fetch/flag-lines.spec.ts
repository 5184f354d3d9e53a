import { describe, expect, it } from '@jest/globals';
import type { MailboxStatus, MailboxStore, StoredFlags } from '@kiroku/domain/mailbox/store-port.js';
import { LiveMailbox } from '../mailboxes/live-mailbox.js';
import type { LiveMailboxes } from '../mailboxes/live-mailboxes.js';
import { Selected } from '../selected.js';
import type { Session } from '../session.js';
import { FlagLines } from './flag-lines.js';

const UIDS = [4, 5, 6, 9];
const status = (highestModSeq: number): MailboxStatus => ({ id: 'm', uidValidity: 1, uidNext: 10, highestModSeq, messages: UIDS.length, bytes: 0 });
const stored = (before: number, ...changed: StoredFlags['changed']): StoredFlags => ({ changed, modified: [], status: status(before + 1), before });
const SEEN = stored(7, { first: 4, last: 6, modSeq: 8, flags: ['\\Seen'] }, { first: 9, last: 9, modSeq: 3, flags: ['\\Draft', '\\Seen'] });

/** A session that has selected a mailbox of four messages. */
function stage(more: Partial<Pick<Session, 'condstore' | 'uidOnly'>> = {}, uidForm = false) {
  let said = '';
  const live = new LiveMailbox('m', {} as MailboxStore, {
    status: status(7), uids: Uint32Array.from(UIDS), modSeqs: new Float64Array(4).fill(3), flags: new Uint32Array(4), flagSets: [[]],
  });
  const selected = new Selected({} as Selected['folder'], live, {} as LiveMailboxes, false);
  const output = { write: (data: string | Uint8Array) => void (said += Buffer.from(data).toString('latin1')) };
  const lines = new FlagLines({ output, condstore: false, uidOnly: false, ...more } as unknown as Session, selected, uidForm);
  return { live, lines, said: () => said };
}

describe('what a STORE answers, put together while it is being written', () => {
  const all: readonly (readonly [Parameters<typeof stage>, readonly string[]])[] = [
    [[], ['* 1 FETCH (FLAGS (\\Seen))', '* 2 FETCH (FLAGS (\\Seen))', '* 3 FETCH (FLAGS (\\Seen))', '* 4 FETCH (FLAGS (\\Draft \\Seen))']],
    [[{}, true], ['* 1 FETCH (UID 4 FLAGS (\\Seen))', '* 2 FETCH (UID 5 FLAGS (\\Seen))', '* 3 FETCH (UID 6 FLAGS (\\Seen))', '* 4 FETCH (UID 9 FLAGS (\\Draft \\Seen))']],
    [[{ condstore: true }], ['* 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (8))', '* 2 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (8))', '* 3 FETCH (UID 6 FLAGS (\\Seen) MODSEQ (8))', '* 4 FETCH (UID 9 FLAGS (\\Draft \\Seen) MODSEQ (3))']],
    [[{ condstore: true, uidOnly: true }], ['* 4 UIDFETCH (FLAGS (\\Seen) MODSEQ (8))', '* 5 UIDFETCH (FLAGS (\\Seen) MODSEQ (8))', '* 6 UIDFETCH (FLAGS (\\Seen) MODSEQ (8))', '* 9 UIDFETCH (FLAGS (\\Draft \\Seen) MODSEQ (3))']],
  ];
  it.each(all)('is said once it is written, as the session has it said: %j', async (how, expected) => {
    const { live, lines, said } = stage(...how);
    lines.prepare(SEEN);
    expect(said()).toBe('');
    await live.stored(SEEN);
    expect(lines.send(SEEN)).toBe(true);
    expect(said()).toBe(expected.map((line) => `${line}\r\n`).join(''));
  });

  it('is what was decided last', async () => {
    const { live, lines, said } = stage();
    const again = stored(7, { first: 5, last: 5, modSeq: 8, flags: ['k'] });
    lines.prepare(SEEN);
    lines.prepare(again);
    await live.stored(again);
    expect(lines.send(again)).toBe(true);
    expect(said()).toBe('* 2 FETCH (FLAGS (k))\r\n');
  });

  it('is not said when it was decided anew, when nothing was prepared, or when something else has happened as well', async () => {
    const { live, lines, said } = stage();
    expect(lines.send(SEEN)).toBe(false);
    lines.prepare(stored(8, ...SEEN.changed)); // of a mailbox that the session has not caught up with
    expect(lines.send(stored(8, ...SEEN.changed))).toBe(false);
    lines.prepare(SEEN);
    expect(lines.send({ ...SEEN })).toBe(false);
    await live.stored(SEEN);
    await live.stored(stored(8, { first: 4, last: 4, modSeq: 9, flags: [] }));
    expect(lines.send(SEEN)).toBe(false);
    expect(said()).toBe('');
  });
});
