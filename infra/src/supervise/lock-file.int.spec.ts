import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Locked, LockFile } from './lock-file.js';
import { makeScript } from './testing.js';

const home = mkdtempSync('/tmp/kiroku-lock-');
let files = 0;
const fresh = () => join(home, `${++files}`, 'lock');

describe('a lock file', () => {
  afterAll(() => rmSync(home, { recursive: true }));

  it('is held by one at a time, also within a process', () => {
    const file = fresh();
    const lock = LockFile.take(file);
    expect(() => LockFile.take(file)).toThrow(Locked);
    lock.release();
    lock.release();
    LockFile.take(file).release();
  });

  it('is free again when its holder was killed, and leaves nothing but itself', async () => {
    const file = fresh();
    const script = join(home, 'hold.mjs');
    makeScript(
      `import { LockFile } from '@kiroku/infra/supervise/lock-file.js';
       const lock = LockFile.take(process.argv[2]!);
       console.log('held');
       setInterval(() => lock, 1000);`,
      script,
    );
    const holder = spawn(process.execPath, [script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(createInterface({ input: holder.stdout }), 'line');
    expect(() => LockFile.take(file)).toThrow(Locked);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    LockFile.take(file).release();
    expect(readdirSync(join(file, '..'))).toEqual(['lock']);
    expect(statSync(file)).toMatchObject({ size: 0 });
  });
});
