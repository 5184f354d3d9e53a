import { describe, expect, it } from '@jest/globals';
import { startRig } from '../testing/rig.js';

describe('an answer to many', () => {
  it.each(['(UID FLAGS)', '(FLAGS UID MODSEQ)', 'FLAGS', '(THREADID UID)'])('says of each what it says of that one alone: FETCH %s', async (items) => {
    await using rig = await startRig();
    for (let i = 1; i <= 60; i++) await rig.deliver(`Subject: ${i}\r\n\r\n.`, { flags: i % 20 < 7 ? ['\\Seen'] : [] });
    const [client, other] = [await rig.selected(), await rig.selected()];
    await client.ok('UID STORE 20:31,55 +FLAGS.SILENT (\\Deleted)');
    await client.ok('EXPUNGE');
    await client.ok('STORE 11:15 +FLAGS.SILENT (\\Flagged kw)');
    // Gone for the other one as well, but for its numbers.
    await other.ok('UID STORE 3:4,40 +FLAGS.SILENT (\\Deleted)');
    await other.ok('UID EXPUNGE 3:4,40');
    const whole = (await client.ok(`FETCH 1:* ${items}`)).filter((line) => !/^\* OK|EXISTS|RECENT|^\* FLAGS|PERMANENTFLAGS/.test(line));
    const alone: string[] = [];
    for (let seq = 1; seq <= 47; seq++) alone.push(...(await client.ask(`FETCH ${seq} ${items}`)).filter((line) => line.startsWith('* ')));
    expect(alone).toHaveLength(44);
    expect(whole.filter((line) => !line.includes('\\Deleted'))).toEqual(alone.filter((line) => !line.includes('\\Deleted')));
  });

  it('to STORE is the same whether it names one message or all', async () => {
    await using rig = await startRig();
    for (let i = 1; i <= 30; i++) await rig.deliver('Subject: x\r\n\r\n.', { flags: i % 10 < 4 ? ['\\Seen'] : [] });
    const client = await rig.selected();
    const told = await client.ok('STORE 1:* +FLAGS (\\Flagged)');
    expect(told).toEqual(Array.from({ length: 30 }, (_, i) => `* ${i + 1} FETCH (FLAGS (\\Flagged${(i + 1) % 10 < 4 ? ' \\Seen' : ''}))`));
    const uids = await client.ok('UID STORE 5,7:20,29 -FLAGS (\\Seen)');
    expect(uids.map((line) => /UID (\d+)/.exec(line)?.[1])).toEqual([5, ...Array.from({ length: 14 }, (_, i) => i + 7), 29].map(String));
  });
});
