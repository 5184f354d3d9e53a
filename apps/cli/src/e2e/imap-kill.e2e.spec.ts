import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from '@jest/globals';
import { Disconnected } from '@kiroku/infra/rig/line-socket.js';
import type { ImapClient } from '@kiroku/infra/rig/imap-client.js';
import { signalAll } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';
import { chance, crlf, upTo, useServer } from './harness.js';
import { heldIn, imapOf, note } from './imap-scene.js';

/** The same seed gives the same moments; what the process was doing then is still chance. */
const SEED = Number(process.env.KIROKU_CRASH_SEED ?? Date.now() % 1_000_000);
const ROUNDS = 5;
const SOURCE = 40; // messages that are copied and moved at once
const MARKED = 300; // messages whose flags change at once
const KEYWORDS = 7;

const server = useServer(['ann']);

const literal = (text: string): Buffer => {
  const bytes = crlf(text);
  return Buffer.concat([Buffer.from(` {${bytes.length}+}\r\n`), bytes]);
};
const multiAppend = (mailbox: string, tokens: readonly string[]): Buffer =>
  Buffer.concat([Buffer.from(`APPEND ${mailbox}`), ...tokens.map((token) => literal(note(token)))]);

const subjects = async (client: ImapClient, mailbox: string): Promise<string[]> => (await heldIn(client, mailbox)).map((line) => line.split(' ')[1] ?? '');

/** One kind of command, given again and again until the connection breaks. What it says is wrong afterwards must be nothing. */
interface Worker {
  readonly step: (client: ImapClient) => Promise<void>;
  readonly wrong: (client: ImapClient) => Promise<string[]>;
}

/** APPEND of one to three messages. */
function appender(): Worker {
  const kept = new Map<string, string>();
  const open: (readonly string[])[] = [];
  let count = 0;
  return {
    async step(client) {
      count += 1;
      const tokens = upTo(1 + (count % 3)).map((n) => `a${count}.${n}`);
      open.push(tokens);
      const end = await client.end(multiAppend('Appended', tokens));
      const [, first, last] = /^OK \[APPENDUID \d+ (\d+)(?::(\d+))?\]/.exec(end) ?? [];
      if (first === undefined || Number(last ?? first) - Number(first) + 1 !== tokens.length) throw new Error(`APPEND: ${end}`);
      open.pop();
      tokens.forEach((token, i) => kept.set(token, `${Number(first) + i}`));
    },
    async wrong(client) {
      const held = (await heldIn(client, 'Appended')).map((line) => line.split(' '));
      const uidsOf = (token: string): string[] => held.filter(([, subject]) => subject === token).map(([uid = '']) => uid);
      const lost = [...kept].filter(([token, uid]) => uidsOf(token).join() !== uid).map(([token, uid]) => `${token} had UID ${uid} and has ${uidsOf(token).join()}`);
      const halves = open.filter((tokens) => ![0, tokens.length].includes(tokens.flatMap(uidsOf).length)).map((tokens) => `${tokens.join()} is there in part`);
      const more = held.length - kept.size - open.flat().flatMap(uidsOf).length;
      return [...lost, ...halves, ...(more === 0 ? [] : [`${more} that nobody stored`])];
    },
  };
}

/** COPY of all at once, each time into a new mailbox. */
function copier(): Worker {
  const copied: string[] = [];
  const open: string[] = [];
  let count = 0;
  return {
    async step(client) {
      const to = `Copy${++count}`;
      await client.ok(`CREATE ${to}`);
      await client.ok('SELECT Source');
      open.push(to);
      await client.ok(`COPY 1:* ${to}`);
      open.pop();
      copied.push(to);
    },
    async wrong(client) {
      const sound = upTo(SOURCE).map((n) => `m${n}`).join();
      const wrong: string[] = [];
      for (const name of copied.splice(0)) if ((await subjects(client, name)).join() !== sound) wrong.push(`${name} lacks what was copied`);
      for (const name of open.splice(0)) if (!['', sound].includes((await subjects(client, name)).join())) wrong.push(`${name} has a part`);
      return wrong;
    },
  };
}

/** MOVE of all at once, to and fro. */
function mover(): Worker {
  let at = 'Here';
  let sure = true;
  return {
    async step(client) {
      const to = at === 'Here' ? 'There' : 'Here';
      await client.ok(`SELECT ${at}`);
      sure = false;
      await client.ok(`MOVE 1:* ${to}`);
      [at, sure] = [to, true];
    },
    async wrong(client) {
      const held = { Here: await subjects(client, 'Here'), There: await subjects(client, 'There') };
      const now = held.Here.length > 0 ? 'Here' : 'There';
      const all = [...held.Here, ...held.There].sort().join() === upTo(SOURCE).map((n) => `m${n}`).sort().join();
      const wrong = [...(all && held[now].length === SOURCE ? [] : [`Here ${held.Here.length}, There ${held.There.length}`]), ...(sure && now !== at ? [`all were moved to ${at}`] : [])];
      [at, sure] = [now, true];
      return wrong;
    },
  };
}

/** STORE of another keyword on all at once. */
function storer(): Worker {
  let stored = 0;
  let tried = 0;
  return {
    async step(client) {
      if (stored === tried) await client.ok('SELECT Marked');
      tried = stored + 1;
      await client.ok(`STORE 1:* FLAGS.SILENT (k${tried % KEYWORDS})`);
      stored = tried;
    },
    async wrong(client) {
      const flags = new Set((await heldIn(client, 'Marked')).map((line) => line.split(' ').slice(2).join(' ')));
      const [flag = ''] = flags;
      const right = [stored, tried].map((n) => `k${n % KEYWORDS}`);
      if (flag === right[1]) stored = tried;
      tried = stored;
      return flags.size === 1 && right.includes(flag) ? [] : [`${[...flags].join(', ')} instead of one of ${right.join(', ')}`];
    },
  };
}

/** @returns how many steps it came through. */
async function goesOn({ step }: Worker, client: ImapClient): Promise<number> {
  try {
    for (let done = 0; ; done++) {
      try {
        await step(client);
      } catch (error) {
        if (error instanceof Disconnected) return done;
        throw error;
      }
    }
  } finally {
    client.close();
  }
}

async function killImap(): Promise<void> {
  const [pid] = server.kiroku.pidsOf('imap');
  if (pid === undefined) throw new Error('no process serves IMAP');
  signalAll([pid], 'SIGKILL');
  await until('IMAP is served again', 30_000, async () => {
    await (await imapOf(server, 'ann')).logout();
    return !server.kiroku.pidsOf('imap').includes(pid);
  });
}

async function fill(): Promise<void> {
  const client = await imapOf(server, 'ann');
  for (const name of ['Appended', 'Source', 'Here', 'There', 'Marked']) await client.ok(`CREATE ${name}`);
  for (const name of ['Source', 'Here']) await client.ok(multiAppend(name, upTo(SOURCE).map((n) => `m${n}`)));
  await client.ok(multiAppend('Marked', upTo(MARKED).map((n) => `m${n}`)));
  await client.ok('SELECT Marked');
  await client.ok('STORE 1:* FLAGS.SILENT (k0)');
  await client.logout();
}

describe('an IMAP process that is killed in the middle of commands', () => {
  server.it(`has kept all that it said OK to, once, and of each command under way all or nothing (KIROKU_CRASH_SEED=${SEED})`, async () => {
    await fill();
    const random = chance(SEED);
    const workers = { appender: appender(), copier: copier(), mover: mover(), storer: storer() };
    let done = 0;
    for (const round of upTo(ROUNDS)) {
      const atWork = await Promise.all(Object.values(workers).map(async (worker) => ({ worker, client: await imapOf(server, 'ann') })));
      const running = Promise.all(atWork.map(({ worker, client }) => goesOn(worker, client)));
      running.catch(() => undefined);
      await pause(100 + random() * 300); // the moment is the test's subject
      await killImap();
      done += (await running).reduce((sum, steps) => sum + steps, 0);
      const client = await imapOf(server, 'ann');
      const wrong: Record<string, string[]> = {};
      for (const [name, worker] of Object.entries(workers)) wrong[name] = await worker.wrong(client);
      await client.logout();
      expect({ round, ...wrong }).toEqual({ round, appender: [], copier: [], mover: [], storer: [] });
    }
    expect(done).toBeGreaterThan(0);
    await server.kiroku.must('replay', '--all', '--verify');
  }, 120_000);
});
