import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ImapClient } from './testing/imap-client.js';
import { startRig } from './testing/rig.js';

interface Known {
  uid?: number;
  /** Undefined: not told yet. */
  flags?: string;
}

/** A client that believes what it is told, as RFC 9051 §5.2 and §7 have it. */
class Believer {
  readonly messages: Known[] = [];
  /** What it was told that it must not be told. */
  readonly wrong: string[] = [];

  constructor(
    readonly client: ImapClient,
    private readonly vanished: boolean,
  ) {}

  async say(command: string): Promise<void> {
    const lines = await this.client.ask(command);
    expect(lines.at(-1)).toMatch(/^(OK|NO \[EXPUNGEISSUED\]|BAD There is no message)/);
    const numbered = /^(FETCH|STORE|SEARCH|SORT|THREAD) /.test(command);
    for (const line of lines.slice(0, -1)) {
      if (numbered && /^\* (\d+ EXPUNGE|VANISHED \d)/.test(line)) this.wrong.push(`${command}: ${line}`);
      this.hear(line);
    }
  }

  private hear(line: string): void {
    const [, number, what, rest = ''] = /^\* (\d+) (EXISTS|EXPUNGE|FETCH)(.*)$/s.exec(line) ?? [];
    const seq = Number(number);
    if (what === 'EXISTS') {
      if (seq < this.messages.length) this.wrong.push(line);
      while (this.messages.length < seq) this.messages.push({});
    } else if (what === 'EXPUNGE') {
      if (this.vanished || seq > this.messages.length) this.wrong.push(line);
      this.messages.splice(seq - 1, 1);
    } else if (what === 'FETCH') this.learn(seq, rest);
    const [, set] = /^\* VANISHED (\S+)$/.exec(line) ?? [];
    if (set !== undefined) this.forget(set);
  }

  private learn(seq: number, rest: string): void {
    const message = this.messages[seq - 1];
    const uid = /UID (\d+)/.exec(rest)?.[1];
    const flags = /FLAGS \(([^)]*)\)/.exec(rest)?.[1];
    if (!message || (uid !== undefined && message.uid !== undefined && message.uid !== Number(uid))) this.wrong.push(`${seq} FETCH${rest}`);
    if (!message) return;
    if (uid !== undefined) message.uid = Number(uid);
    if (flags !== undefined) message.flags = flags;
  }

  private forget(set: string): void {
    for (const range of set.split(',')) {
      const [first = 0, last = first] = range.split(':').map(Number);
      for (let uid = first; uid <= last; uid++) {
        const known = this.messages.findIndex((message) => message.uid === uid);
        // It may go before its UID was told: then it is one of those in between.
        const at = known >= 0 ? known : this.messages.findIndex((message, i) => message.uid === undefined && !this.messages.slice(i).some((later) => (later.uid ?? uid) < uid));
        if (at < 0) this.wrong.push(`VANISHED ${set}`);
        else this.messages.splice(at, 1);
      }
    }
  }
}

const seq = fc.constantFrom('1', '2', '1:2', '2:*', '*', '1:*');
const flag = fc.constantFrom('\\Seen', '\\Flagged', '\\Deleted', 'work');
const command = fc.oneof(
  fc.tuple(fc.constantFrom('', 'UID '), seq, fc.constantFrom('+', '-', ''), flag).map(([uid, set, sign, name]) => `${uid}STORE ${set} ${sign}FLAGS (${name})`),
  fc.tuple(fc.constantFrom('', 'UID '), seq).map(([uid, set]) => `${uid}FETCH ${set} (UID FLAGS)`),
  fc.tuple(fc.constantFrom('', 'UID '), seq, fc.constantFrom('INBOX', 'to')).map(([uid, set, to]) => `${uid}COPY ${set} ${to}`),
  seq.map((set) => `UID MOVE ${set} to`),
  fc.constantFrom('EXPUNGE', 'NOOP', 'UID EXPUNGE 1:*', 'SEARCH UNSEEN', 'UID SEARCH DELETED', 'CHECK', 'STATUS INBOX (MESSAGES)', 'FETCH 1:* BODY[TEXT]', 'APPEND INBOX (\\Deleted) {3+}\r\na\r\n'),
);

describe('clients that work on one mailbox at the same time', () => {
  it('are each told what happens, so that their numbers and flags hold', async () => {
    await using rig = await startRig({ settings: { commandErrors: 0 } });
    await (await rig.loggedIn()).ok('CREATE to');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(command, { maxLength: 12 }), { minLength: 2, maxLength: 3 }), async (scripts) => {
        for (let i = 0; i < 3; i++) await rig.deliver('Subject: x\r\n\r\nx\r\n');
        const believers = await Promise.all(scripts.map(async (_, i) => {
          const believer = new Believer(await rig.loggedIn(), i === 0);
          if (i === 0) await believer.say('ENABLE QRESYNC');
          await believer.say('SELECT INBOX');
          await believer.say('FETCH 1:* (UID FLAGS)');
          return believer;
        }));
        await Promise.all(scripts.map(async (script, i) => {
          for (const each of script) {
            await believers[i]?.say(each);
            // VANISHED names UIDs: who hears it should know them.
            if (i === 0) await believers[i]?.say('UID FETCH 1:* (UID FLAGS)');
          }
        }));
        for (const believer of believers) {
          await believer.say('NOOP');
          const before = believer.messages.map((message) => ({ ...message }));
          expect(believer.wrong).toEqual([]);
          await believer.say('FETCH 1:* (UID FLAGS)');
          expect(believer.messages.map(({ uid, flags }, i) => ({ ...(before[i]?.uid !== undefined && { uid }), ...(before[i]?.flags !== undefined && { flags }) }))).toEqual(before);
          expect(believer.wrong).toEqual([]);
          believer.client.close();
        }
      }),
      { numRuns: 60 },
    );
    expect(rig.troubles).toEqual([]);
  }, 60_000);
});
