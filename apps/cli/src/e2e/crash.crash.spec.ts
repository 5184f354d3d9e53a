import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect } from '@jest/globals';
import { signalAll } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';
import { MailboxWitness, viewsThatDiffer, whatIsWrong } from './crash-check.js';
import { Senders } from './crash-load.js';
import { chance, upTo, useServer } from './harness.js';

const ROUNDS = Number(process.env.KIROKU_CRASH_ROUNDS ?? 30);
/** The same seed gives the same victims at the same moments; what they were doing then is still chance. */
const SEED = Number(process.env.KIROKU_CRASH_SEED ?? Date.now() % 1_000_000);
const USERS = upTo(8).map((i) => `user${i}`);
const SENDERS = 6;
const RECOVERY = 45_000; // ms after a kill until mail is accepted again

const server = useServer(USERS);
let senders: Senders;
let witnesses: MailboxWitness[];

beforeAll(() => {
  console.info(`${ROUNDS} rounds, KIROKU_CRASH_SEED=${SEED}`);
  senders = new Senders(server.kiroku.ports.smtp, USERS, `kt${SEED}`, chance(SEED));
  witnesses = USERS.map((user) => new MailboxWitness(server, user));
});

interface Victim {
  readonly what: string;
  readonly pid: number;
}

/** Everything that can die now: the supervisor, each role, PostgreSQL's first process and one of its backends. */
function victims(random: () => number): Victim[] {
  const { pid, roles } = server.kiroku.pidFile;
  const [first, ...backends] = server.kiroku.postgresPids();
  const backend = backends[Math.floor(random() * backends.length)];
  return [
    { what: 'supervisor', pid },
    ...roles.map((entry) => ({ what: entry.role, pid: entry.pid })),
    ...(first === undefined ? [] : [{ what: 'PostgreSQL', pid: first }]),
    ...(backend === undefined ? [] : [{ what: 'PostgreSQL backend', pid: backend }]),
  ];
}

/** Kills one process by SIGKILL; starts the server again when it was the supervisor. */
async function killOne(random: () => number): Promise<string> {
  const all = victims(random);
  const victim = all[Math.floor(random() * all.length)]!;
  signalAll([victim.pid], 'SIGKILL');
  if (victim.what === 'supervisor') await server.kiroku.up();
  return victim.what;
}

async function round(number: number): Promise<void> {
  const random = chance(SEED * 1_000 + number);
  const killed: string[] = [];
  senders.start(SENDERS);
  try {
    for (let kills = 1 + Math.floor(random() * 3); kills > 0; kills--) {
      await pause(50 + random() * 800); // the moment is the test's subject
      killed.push(await killOne(random));
    }
    const before = senders.acknowledged.size;
    await until(`mail is accepted again after ${killed.join(', ')}`, RECOVERY, () => senders.acknowledged.size > before + 20);
  } finally {
    await senders.stop();
  }
  const wrong = await whatIsWrong(senders, witnesses, { ms: RECOVERY });
  expect({ killed, wrong: wrong.slice(0, 20) }).toEqual({ killed, wrong: [] });
  expect(senders.surprises).toEqual([]);
}

describe('a server whose processes are killed at random under load', () => {
  for (const number of upTo(ROUNDS)) {
    server.it(`has every acknowledged message exactly once in its mailbox after round ${number}`, () => round(number), 150_000);

    if (number % 10 === 0 || number === ROUNDS) {
      server.it(
        `has views equal to their rebuild after round ${number}`,
        async () => expect(await viewsThatDiffer(server)).toEqual([]),
        150_000,
      );
    }
  }

  server.it(
    'still has every message with its content when all are read again at the end',
    async () => {
      expect(senders.acknowledged.size).toBeGreaterThan(0);
      const wrong = await whatIsWrong(senders, witnesses, { ms: RECOVERY, whole: true });
      console.info(`${senders.acknowledged.size} acknowledged, ${senders.uncertain.size} of unknown outcome`);
      expect(wrong.slice(0, 20)).toEqual([]);
    },
    300_000,
  );
});
