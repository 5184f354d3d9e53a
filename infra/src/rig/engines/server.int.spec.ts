import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { alive } from '../processes.js';
import { EngineServer, Workplace } from './server.js';

describe('a server for tests', () => {
  let workplace: Workplace;
  afterEach(() => workplace.remove());

  const server = (script: string): EngineServer => {
    workplace = Workplace.make('test');
    const ready = (said: string): boolean => said.includes('ready');
    return new EngineServer({ folder: workplace.sub('work'), program: '/bin/sh', args: ['-c', script], ready, patience: 20_000 });
  };

  it('is there when it says so, and gone when it is killed', async () => {
    const engine = server('echo ready; exec sleep 600');
    await engine.start();
    const { pid } = engine;
    expect(alive(pid)).toBe(true);
    engine.pause();
    await engine.kill();
    expect([alive(pid), engine.pid]).toEqual([false, 0]);
  });

  it('starts again, and waits anew for it to be ready', async () => {
    const engine = server('echo x >>starts; [ $(wc -l <starts) = 1 ] || sleep 0.3; echo ready; exec sleep 600');
    await engine.start();
    await engine.kill();
    const since = performance.now();
    await engine.start();
    expect(performance.now() - since).toBeGreaterThan(250);
  });

  it('ends with its folder when the pipe of the guard is closed, as it is when this process dies', async () => {
    const engine = server('sleep 600 & echo ready; wait');
    await engine.start();
    const { pid } = engine;
    await workplace.remove();
    expect([alive(pid), existsSync(workplace.folder)]).toEqual([false, false]);
  });

  it('tells what it said when it does not start', async () => {
    await expect(server('echo no such luck; exit 3').start()).rejects.toThrow('no such luck');
  });

  it('has not started when it ended without a word', async () => {
    await expect(server('true').start()).rejects.toThrow('ended');
  });
});
