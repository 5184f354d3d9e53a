import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { childrenOf, titleOf } from '@kiroku/infra/supervise/process-table.js';
import { until } from '@kiroku/infra/rig/until.js';
import { RecoveryWatch } from './recovery-watch.js';

const CRASHED = '[1] LOG:  terminating any other active server processes';
const READY = '[1] LOG:  database system is ready to accept connections';

const started: ChildProcess[] = [];
afterEach(() => started.splice(0).forEach((child) => child.kill('SIGKILL')));

/** A child of ours that calls itself so. */
async function named(title: string): Promise<ChildProcess> {
  const child = spawn('/bin/sleep', ['60'], { argv0: title });
  started.push(child);
  await until(title, 5_000, () => titleOf(child.pid ?? 0)?.startsWith(title) === true);
  return child;
}

/** Looks every 10 ms, and allows 100. */
const watching = (): { readonly watch: RecoveryWatch; readonly gaveUp: Promise<void>; done: boolean } => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const its = { done: false, gaveUp: promise, watch: new RecoveryWatch(() => process.pid, () => { its.done = true; resolve(); }, 10, 100) };
  return its;
};

describe('the watch over a recovery', () => {
  it('leaves alone one that goes on, and gives it up when nobody carries it on', async () => {
    const [startup] = [await named('postgres: startup recovering 0001'), await named('postgres: checkpointer')];
    expect(childrenOf(process.pid)).toContain(startup.pid);
    const first = watching();
    first.watch.heard(CRASHED);
    // Far longer than is allowed without it, by the same clock.
    for (let looks = 0; looks < 50; looks++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(first.done).toBe(false);
    startup.kill('SIGKILL');
    await once(startup, 'exit');
    await first.gaveUp;
  });

  it('does nothing before a crash, and nothing once the server is ready again', async () => {
    await named('postgres: checkpointer');
    const [never, ready, crashed] = [watching(), watching(), watching()];
    never.watch.heard(READY);
    ready.watch.heard(CRASHED);
    ready.watch.heard(READY);
    crashed.watch.heard(CRASHED);
    await crashed.gaveUp;
    expect([never.done, ready.done]).toEqual([false, false]);
  });
});
