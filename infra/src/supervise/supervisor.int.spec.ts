import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { processesIn, startOf } from './process-table.js';
import { runningServer } from './pid-file.js';
import type { Log } from './role-slot.js';
import { StoppedEarly, Supervisor, type SupervisorOptions } from './supervisor.js';
import { until } from '../rig/until.js';
import { makeScript } from './testing.js';

const home = mkdtempSync('/tmp/kiroku-supervise-');
// Where scripts of this test look for PostgreSQL's package.
symlinkSync(join(import.meta.dirname, '../../../node_modules'), join(home, 'node_modules'));
const NOWHERE = { connectionString: 'postgres://nowhere.test/mail' };
const supervisors: Supervisor[] = [];
let files = 0;

const fresh = () => join(home, `data-${++files}`);

/** A role's main.js. `diary(word)` tells the test; the supervisor's log tells it the rest. */
function script(main: string): string {
  const file = join(home, `role-${++files}.mjs`);
  makeScript(
    `import { appendFileSync } from 'node:fs';
     import pg from 'pg';
     import { leave, runRole, type Runtime } from '@kiroku/infra/supervise/role-process.js';
     const diary = (word: string) => appendFileSync(${JSON.stringify(diaryOf(file))}, word + '\\n');
     const work = setInterval(() => undefined, 1000);
     const never = new Promise<never>(() => undefined);
     const query = async ({ postgres }: Runtime, text: string) => {
       const client = new pg.Client(postgres);
       await client.connect();
       await client.query(text);
       await client.end();
     };
     runRole('test', ${main});`,
    file,
  );
  return file;
}

const diaryOf = (file: string) => `${file}.diary`;
const diary = (file: string) => readFileSync(diaryOf(file), 'utf8').trim().split('\n');

const IDLE = 'async () => ({ drain: async () => diary("drained") })';
const role = (main: string, count = 1, name = 'test') => ({ role: name, count, script: script(main) });

/** With the embedded PostgreSQL. */
function superviseAll(options: Partial<SupervisorOptions>) {
  const happened = new EventEmitter();
  const data = options.data ?? fresh();
  const log: Log = (_level, message) => happened.emit(message);
  const supervisor = new Supervisor({ data, roles: [], log, ...options });
  supervisors.push(supervisor);
  return { supervisor, data, happened };
}

/** With an outside PostgreSQL, which no role asks for anything: faster. */
const supervise = (options: Partial<SupervisorOptions>) => superviseAll({ postgres: NOWHERE, ...options });

interface Elsewhere {
  readonly child: ChildProcess;
  /** Resolves when its log says so. */
  readonly until: (message: string) => Promise<unknown>;
}

/** `kiroku up` in small, in a process that the test can kill. Prints each line of its log. */
function superviseElsewhere(data: string, roleScript: string, embedded: boolean): Elsewhere {
  const file = join(home, `up-${++files}.mjs`);
  makeScript(
    `import { Supervisor } from '@kiroku/infra/supervise/supervisor.js';
     const supervisor = new Supervisor({
       data: ${JSON.stringify(data)},
       ${embedded ? '' : `postgres: ${JSON.stringify(NOWHERE)},`}
       roles: [{ role: 'test', count: 2, script: ${JSON.stringify(roleScript)} }],
       log: (_level, message) => console.log(message),
     });
     await supervisor.start().catch(() => process.exit(1));
     console.log('started');
     process.exitCode = await supervisor.untilStopped();`,
    file,
  );
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = new EventEmitter();
  createInterface({ input: child.stdout }).on('line', (line) => lines.emit(line));
  return { child, until: (message) => once(lines, message) };
}

const pids = (data: string) => runningServer(data)?.roles.map(({ pid }) => pid) ?? [];

/** Asked again and again, because nobody tells when a process that is not ours ends. */
async function gone(pid: number): Promise<void> {
  while (startOf(pid)) await new Promise(setImmediate);
}

describe('the supervisor', () => {
  afterEach(() => Promise.all(supervisors.splice(0).map((supervisor) => supervisor.stop('once'))));
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it('starts as many processes as asked for, and its file names them', async () => {
    const { supervisor, data } = supervise({ roles: [role(IDLE, 2), role(IDLE, 1, 'other')], ports: { smtp: 2525 } });
    await supervisor.start();
    const running = runningServer(data);
    expect(running).toMatchObject({ pid: process.pid, ports: { smtp: 2525 } });
    expect(running?.roles.map(({ role, index }) => `${role} ${index}`)).toEqual(['test 0', 'test 1', 'other 0']);
    expect(new Set(pids(data)).size).toBe(3);
  });

  it('tells a process how often its place was filled again', async () => {
    const main = `async ({ restarts }) => { diary(restarts.total + ' ' + restarts.lately.length + ' ' + (restarts.lately.every((at) => at <= Date.now()))); return { drain: async () => undefined }; }`;
    const only = role(main);
    const { supervisor, data, happened } = supervise({ roles: [only] });
    await supervisor.start();
    for (let i = 0; i < 2; i++) {
      process.kill(pids(data)[0]!, 'SIGKILL');
      await once(happened, 'role serves');
    }
    expect(diary(only.script)).toEqual(['0 0 true', '1 1 true', '2 2 true']);
  });

  it('tells a process that the one before ended abnormally, and what it left; but not of one that was killed', async () => {
    const main = `async ({ after }) => {
      diary(JSON.stringify(after ?? null));
      await leave({ in: 'hand' });
      process.on('SIGUSR2', () => process.abort());
      return { drain: async () => undefined };
    }`;
    const only = role(main);
    const { supervisor, data, happened } = supervise({ roles: [only] });
    await supervisor.start();
    for (const signal of ['SIGUSR2', 'SIGKILL', 'SIGTERM'] as const) {
      process.kill(pids(data)[0]!, signal);
      await once(happened, 'role serves');
    }
    expect(diary(only.script).map((line) => JSON.parse(line) as unknown)).toEqual([null, { reason: 'SIGABRT', left: { in: 'hand' } }, null, null]);
  });

  it('ends a process in an endless loop, but not one that waits or was stopped', async () => {
    const looping = role(`async ({ after }) => { diary(after?.reason ?? 'first'); process.on('SIGUSR2', () => { for (;;); }); return { drain: async () => undefined }; }`);
    const waiting = role(`async ({ after }) => { diary('first'); process.on('SIGUSR2', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)); return { drain: () => never }; }`, 2);
    const { supervisor, data, happened } = supervise({ roles: [looping, waiting], stuckAfter: 300, patience: 50 });
    await supervisor.start();
    const [loops, waits, stops] = pids(data);
    process.kill(waits!, 'SIGUSR2');
    process.kill(stops!, 'SIGSTOP');
    process.kill(loops!, 'SIGUSR2');
    await once(happened, 'role serves');
    process.kill(pids(data)[0]!, 'SIGUSR2');
    await once(happened, 'role serves');
    expect(diary(looping.script)).toEqual(['first', 'endless loop', 'endless loop']);
    expect(pids(data).slice(1)).toEqual([waits, stops]);
    process.kill(stops!, 'SIGCONT');
  });

  it('starts a killed process again, and no other', async () => {
    const { supervisor, data, happened } = supervise({ roles: [role(IDLE, 2)] });
    await supervisor.start();
    const [first, second] = pids(data);
    process.kill(first!, 'SIGKILL');
    await once(happened, 'role serves');
    const [again, other] = pids(data);
    expect(again).not.toBe(first);
    expect(other).toBe(second);
  });

  it('tells each process its place and the database, but not on its command line', async () => {
    const tell = role('async ({ role, index, postgres }) => { diary(JSON.stringify([role, index, postgres])); return { drain: async () => {} }; }');
    const { supervisor, data } = supervise({ roles: [tell] });
    await supervisor.start();
    expect(JSON.parse(diary(tell.script)[0]!)).toEqual(['test', 0, NOWHERE]);
    expect(readFileSync(`/proc/${pids(data)[0]}/cmdline`, 'utf8')).not.toContain('nowhere');
  });

  it('drains the roles while PostgreSQL still runs, then stops that too', async () => {
    const writer = role(`async (runtime) => {
      await query(runtime, 'CREATE TABLE mail (id int)');
      return { drain: async () => { await query(runtime, 'INSERT INTO mail VALUES (1)'); diary('drained'); } };
    }`);
    const { supervisor, data } = superviseAll({ roles: [writer] });
    await supervisor.start();
    const postgres = runningServer(data)!.postgres!.pid;
    await supervisor.stop();
    expect(diary(writer.script)).toEqual(['drained']);
    expect(startOf(postgres)).toBeUndefined();
    expect(existsSync(join(data, 'kiroku.pid'))).toBe(false);
  });

  it('prepares the database before any role starts', async () => {
    const reader = role(`async (runtime) => { await query(runtime, 'SELECT FROM prepared'); return { drain: async () => {} }; }`);
    const prepare: SupervisorOptions['prepare'] = async (connection) => {
      const client = new pg.Client(connection);
      await client.connect();
      await client.query('CREATE TABLE prepared ()');
      await client.end();
    };
    const { supervisor } = superviseAll({ roles: [reader], prepare });
    await supervisor.start();
  });

  it('starts a killed PostgreSQL again while the roles go on', async () => {
    const { supervisor, data, happened } = superviseAll({ roles: [role(IDLE)] });
    await supervisor.start();
    const before = runningServer(data)!;
    process.kill(before.postgres!.pid, 'SIGKILL');
    await once(happened, 'PostgreSQL serves');
    const after = runningServer(data)!;
    expect(after.postgres!.pid).not.toBe(before.postgres!.pid);
    expect(after.roles).toEqual(before.roles);
  });

  it('kills a role that does not end in time', async () => {
    const { supervisor, data, happened } = supervise({ roles: [role('async () => ({ drain: () => never })')], patience: 50 });
    await supervisor.start();
    const [pid] = pids(data);
    const killed = once(happened, 'role killed: it did not end in time');
    await supervisor.stop();
    await killed;
    expect(startOf(pid!)).toBeUndefined();
  });

  it('does not start by halves: when one role fails, it says why and stops the others', async () => {
    const broken = role(`async () => { throw new Error('port 25 is taken'); }`);
    const { supervisor, data } = supervise({ roles: [role(IDLE), broken] });
    await expect(supervisor.start()).rejects.toThrow(/test did not start: Error: port 25 is taken/);
    expect(pids(data)).toEqual([]);
    await supervise({ data }).supervisor.start();
  });

  it('gives up on a role that never serves', async () => {
    const { supervisor } = supervise({ roles: [role('() => never')], readyWithin: 300 });
    await expect(supervisor.start()).rejects.toThrow(/did not serve within 300 ms/);
  });

  it('lets a role wait for an engine longer than it may take to start, and says what it waits for', async () => {
    const asked = join(home, `asked-${++files}`);
    const patient = role(`async () => {
      const { whenThere } = await import('@kiroku/infra/platform/away.js');
      const { existsSync } = await import('node:fs');
      await whenThere({ connectionString: 'postgres://me:secret@db.test/mail' }, undefined, async () => {
        if (!existsSync(${JSON.stringify(asked)})) throw Object.assign(new Error('nobody answers'), { code: 'ECONNREFUSED' });
      });
      return { drain: async () => diary('drained') };
    }`);
    const { supervisor, data, happened } = supervise({ roles: [patient], readyWithin: 4_000 });
    const waits = once(happened, 'waiting for an engine');
    const began = performance.now();
    const started = supervisor.start();
    await waits;
    await until('it has waited longer than a start may take', 10_000, () => performance.now() - began > 4_200);
    const [{ pid, waiting } = { pid: 0, waiting: '' }] = runningServer(data)?.roles ?? [];
    expect(waiting).toBe('PostgreSQL at db.test:5432');
    // It has been told to end, and ends although it waits; another takes its place and waits as well.
    const again = once(happened, 'waiting for an engine');
    process.kill(pid, 'SIGTERM');
    await again;
    expect(pids(data)).not.toContain(pid);
    const there = once(happened, 'the engine is there');
    writeFileSync(asked, '');
    await there;
    await started;
  });

  it('starts a role again for which an engine went away while it started', async () => {
    const flag = join(home, `flag-${++files}`);
    const unlucky = role(`async () => {
      const { existsSync, writeFileSync } = await import('node:fs');
      if (existsSync(${JSON.stringify(flag)})) return { drain: async () => undefined };
      writeFileSync(${JSON.stringify(flag)}, '');
      throw Object.assign(new Error('the database system is shutting down'), { code: '57P01' });
    }`);
    const { supervisor, data, happened } = supervise({ roles: [unlucky] });
    const ended = once(happened, 'role ended, is started again');
    await supervisor.start();
    await ended;
    expect(pids(data).length).toBe(1);
  });

  it('stops at a signal while the start waits, which its file tells', async () => {
    const { supervisor, data } = supervise({
      roles: [role(IDLE)],
      prepare: (_postgres, waits, signal) => {
        waits({ for: 'Kafka at broker.test:9092', why: 'nobody answers' });
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('told to end'))));
      },
    });
    const started = supervisor.start();
    started.catch(() => undefined); // looked at below
    await until('its file tells', 10_000, () => runningServer(data) !== undefined);
    expect(runningServer(data)).toMatchObject({ waiting: 'Kafka at broker.test:9092', roles: [] });
    process.emit('SIGTERM', 'SIGTERM'); // a real one would end the tests
    await expect(started).rejects.toBeInstanceOf(StoppedEarly);
    expect(runningServer(data)).toBeUndefined();
  });

  it('is alone on its data folder, and says who is there already', async () => {
    const { supervisor, data } = supervise({});
    await supervisor.start();
    await supervise({ roles: [role(IDLE)] }).supervisor.start();
    await expect(supervise({ data }).supervisor.start()).rejects.toThrow(/already running on .*data-/);
    await supervisor.stop();
    await supervise({ data }).supervisor.start();
  });

  it('takes everything with it when it is killed, and can be started again at once', async () => {
    const data = fresh();
    const { script: roleScript } = role('async () => ({ drain: () => never })');
    const { child, until } = superviseElsewhere(data, roleScript, true);
    await until('started');
    const { postgres, roles } = runningServer(data)!;
    expect(roles).toHaveLength(2);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(runningServer(data)).toBeUndefined();
    const { supervisor } = superviseAll({ data, roles: [role(IDLE)] });
    await supervisor.start();
    expect([...roles, postgres!].map(({ pid }) => startOf(pid))).toEqual([undefined, undefined, undefined]);
    expect(processesIn(join(data, 'postgres'), ['postgres'])).toContain(runningServer(data)!.postgres!.pid);
  });

  it('stops gently at the first signal and at once at the second', async () => {
    const data = fresh();
    const { child, until } = superviseElsewhere(data, role('async () => ({ drain: () => never })').script, false);
    await until('started');
    const roles = pids(data);
    child.kill('SIGTERM');
    await until('stopping');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await Promise.all(roles.map(gone));
  });

  it('leaves nothing behind when a signal comes while it starts', async () => {
    const data = fresh();
    const { child, until } = superviseElsewhere(data, role('() => never').script, true);
    await until('PostgreSQL serves');
    const { pid } = runningServer(data)!.postgres!;
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([1, null]);
    expect(startOf(pid)).toBeUndefined();
    expect(existsSync(join(data, 'kiroku.pid'))).toBe(false);
  });

  it('does not take the terminal’s ^C to its roles for an order', async () => {
    const { supervisor, data, happened } = supervise({ roles: [role(IDLE)] });
    await supervisor.start();
    const [pid] = pids(data);
    const ended = once(happened, 'role ended, is started again');
    process.kill(pid!, 'SIGINT');
    process.kill(pid!, 'SIGHUP');
    process.kill(pid!, 'SIGKILL');
    await ended;
    expect(pids(data)).not.toContain(pid);
  });
});
