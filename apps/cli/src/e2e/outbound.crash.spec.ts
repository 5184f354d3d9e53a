import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect } from '@jest/globals';
import type { QueueItem } from '@kiroku/infra/admin/queue.js';
import { haveSmtpSink, type SmtpSink } from '@kiroku/infra/rig/remote/smtp-sink.js';
import { signalAll } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';
import { Senders } from './crash-load.js';
import { chance, upTo } from './harness.js';
import { outboundFindings } from './outbound-check.js';
import { useOutbound } from './outbound-scene.js';

const ROUNDS = Number(process.env.KIROKU_CRASH_ROUNDS ?? 30);
/** The same seed gives the same victims at the same moments; what they were doing then is still chance. */
const SEED = Number(process.env.KIROKU_CRASH_SEED ?? Date.now() % 1_000_000);
/** Ten domains whose server answers at once, and two whose server takes a second to answer the end of a message: there a kill leaves the outcome open. */
const FAST = upTo(10).map((i) => `user@fast${i}.test`);
const SLOW = upTo(2).map((i) => `user@slow${i}.test`);
/** ms at most between two messages of a sender. Faster ones only bring in what waits while delivery is dead, and then has to be sent before the end. */
const PACE = 100;
const RECOVERY = 60_000; // ms after a kill until mail is accepted again
const STANDSTILL = 60_000; // ms in which nothing arrives although mail waits: it is stuck
const DRAINED = 900_000; // ms until the queue is empty at the end, however much a slow machine has gathered

if (haveSmtpSink()) {
  describe('outbound delivery whose processes are killed under load', () => {
    const scene = useOutbound([]);
    const { server } = scene;
    const domains = (addresses: readonly string[]): string[] => addresses.map((address) => address.slice(address.indexOf('@') + 1));
    let senders: Senders;
    let fast: SmtpSink;
    let sinks: SmtpSink[];

    beforeAll(async () => {
      console.info(`${ROUNDS} rounds, KIROKU_CRASH_SEED=${SEED}`);
      fast = await scene.sink(domains(FAST), { keep: true });
      sinks = [fast, await scene.sink(domains(SLOW), { keep: true, waits: { command: '.', seconds: 1 } })];
      await scene.retry({ base: { interval: 1_000, longest: 2_000 } });
      senders = new Senders(server.kiroku.ports.smtp, [...FAST, ...SLOW], `ko${SEED}`, chance(SEED), (address) => address, { pace: PACE });
    });

    const arrived = (): number => sinks.reduce((sum, sink) => sum + sink.count(), 0);

    /** What is left in the queue when it is empty, or nothing arrives any more. */
    function leftWaiting(): Promise<readonly QueueItem[]> {
      let last = { count: arrived(), at: performance.now() };
      return until('the queue is empty, or at a standstill', DRAINED, async () => {
        const left = await scene.waiting();
        if (arrived() > last.count) last = { count: arrived(), at: performance.now() };
        return (left.length === 0 || performance.now() - last.at > STANDSTILL) && left;
      });
    }

    /** Mostly delivery; now and then the database under it, or everything. */
    async function killOne(random: () => number): Promise<string> {
      const lot = random();
      const { pid } = server.kiroku.pidFile;
      const victim = lot < 0.7 ? { what: 'delivery', pids: server.kiroku.pidsOf('delivery') }
        : lot < 0.9 ? { what: 'PostgreSQL', pids: server.kiroku.postgresPids().slice(0, 1) }
        : { what: 'supervisor', pids: [pid] };
      signalAll(victim.pids, 'SIGKILL');
      if (victim.what === 'supervisor') await server.kiroku.up();
      return victim.what;
    }

    for (const number of upTo(ROUNDS)) {
      server.it(`goes on by itself after round ${number}`, async () => {
        const random = chance(SEED * 1_000 + number);
        const killed: string[] = [];
        senders.start(4);
        try {
          for (let kills = 1 + Math.floor(random() * 3); kills > 0; kills--) {
            await pause(50 + random() * 1_200); // the moment is the test's subject
            killed.push(await killOne(random));
          }
          const [accepted, sent] = [senders.acknowledged.size, arrived()];
          await until(`mail is accepted and sent on again after ${killed.join(', ')}`, RECOVERY, () =>
            senders.acknowledged.size > accepted + 20 && arrived() > sent + 20);
        } finally {
          await senders.stop();
        }
        expect(senders.surprises).toEqual([]);
      }, 150_000);
    }

    server.it('has lost nothing, and sent nothing twice without an event that says so', async () => {
      // What still waits for the slow server would take minutes: after a last kill its domains lead to the other one.
      scene.elsewhere.route(fast.host, ...domains(SLOW));
      signalAll(server.kiroku.pidsOf('delivery'), 'SIGKILL');
      expect((await leftWaiting()).slice(0, 5)).toEqual([]);
      expect(senders.acknowledged.size).toBeGreaterThan(0);
      const { wrong, doubled, unknown } = await outboundFindings(scene, senders, sinks);
      console.info(`${senders.acknowledged.size} acknowledged, ${senders.uncertain.size} of unknown acceptance, ${doubled} arrived twice, ${unknown} unknown outcomes for them`);
      expect(wrong.slice(0, 20)).toEqual([]);
      // Else the kills never hit the moment that this is about.
      expect(doubled).toBeGreaterThan(0);
    }, DRAINED + 60_000);
  });
}
