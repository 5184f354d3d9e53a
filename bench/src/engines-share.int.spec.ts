import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { endWithUs } from '@kiroku/infra/rig/remote/programs.js';
import { cpuSeconds } from '@kiroku/infra/rig/processes.js';
import { until } from '@kiroku/infra/rig/until.js';
import { limit } from './engines-share.js';

describe('a process held to a fifth of a core', () => {
  let child: ChildProcess;
  const pid = (): number => child.pid ?? 0;
  const used = (seconds: number): Promise<unknown> => until(`${seconds} s of processor time`, 30_000, () => Promise.resolve(cpuSeconds([pid()]) >= seconds));
  beforeAll(async () => {
    child = endWithUs(spawn(process.execPath, ['-e', 'for (;;);']));
    await used(0.1);
  });
  afterAll(() => void child.kill('SIGKILL'));

  it('takes five times as long for what it does, or longer', async () => {
    const [before, since] = [cpuSeconds([pid()]), performance.now()];
    const end = limit([pid()], 0.2);
    await used(before + 1);
    const seconds = (performance.now() - since) / 1000;
    end();
    expect(seconds).toBeGreaterThan(4); // 5, but for ticks of 10 ms, what it had saved up, and how late one looks
  });

  it('runs on when it is no longer held', async () => {
    await used(cpuSeconds([pid()]) + 0.1);
    expect(readFileSync(`/proc/${pid()}/stat`, 'utf8')).toMatch(/\) [RS] /);
  });
});
