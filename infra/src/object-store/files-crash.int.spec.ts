import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import type { BodyRef } from '@kiroku/domain/kernel/object-store.js';
import { get, put } from './contract.js';
import { TestFolder } from './files-folder.js';
import { MemoryBodyIndex } from './memory-index.js';

let program: string;
beforeAll(async () => {
  program = join(await mkdtemp(join(tmpdir(), 'kiroku-child-')), 'files-child.mjs');
  const entryPoints = ['infra/src/object-store/files-child.ts'];
  await build({ entryPoints, bundle: true, platform: 'node', format: 'esm', tsconfig: 'tsconfig.base.json', outfile: program });
});
afterAll(() => rm(join(program, '..'), { recursive: true }));

let folder: TestFolder;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await TestFolder.make();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await folder.remove();
});

interface Writer {
  readonly child: ChildProcess;
  readonly lines: Interface;
}

/** @param fileBlocks the longest file it may write, in blocks of 512 bytes. */
function writer(count: number, seed: number, fileBlocks?: number): Writer {
  const limit = fileBlocks === undefined ? '' : `ulimit -f ${fileBlocks};`;
  const args = [process.execPath, program, folder.path, String(count), String(seed)];
  const child = spawn('sh', ['-c', `${limit} exec "$@"`, 'sh', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return { child, lines: createInterface({ input: child.stdout }) };
}

function refOf(line: string): BodyRef | undefined {
  const [, sha256, size, at] = /^stored (\w+) (\d+) (\S+)$/.exec(line) ?? [];
  return sha256 === undefined ? undefined : { sha256, size: Number(size), at: at! };
}

/** Everything that the writer said until it ended. */
async function allLines({ lines }: Writer): Promise<string[]> {
  const said: string[] = [];
  for await (const line of lines) said.push(line);
  return said;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}

const kept = (lines: readonly string[]): BodyRef[] => lines.flatMap((line) => refOf(line) ?? []);

async function expectReadable(refs: readonly BodyRef[]): Promise<void> {
  const store = await folder.open({ index: new MemoryBodyIndex() });
  for (const ref of refs) {
    expect((await get(store, ref)).length).toBe(ref.size);
    expect((await get(store, { sha256: ref.sha256, size: ref.size })).length).toBe(ref.size);
  }
}

describe('a process killed while it writes', () => {
  it.each([1, 30, 400])('after it acknowledged %d bodies loses none of them', async (enough) => {
    const { child, lines } = writer(100_000, enough);
    const said: string[] = [];
    const ended = once(child, 'exit');
    for await (const line of lines) {
      said.push(line);
      if (said.length === enough) child.kill('SIGKILL');
    }
    await ended;
    const refs = kept(said);
    expect(refs.length).toBeGreaterThanOrEqual(enough);
    await expectReadable(refs);

    const store = await folder.open();
    expect(await store.recoverIndex()).toBeGreaterThanOrEqual(refs.filter((ref) => !ref.at!.startsWith('L')).length);
    expect(await store.compact()).toBe(0);
    expect((await folder.files('segments')).filter((file) => file.endsWith('.open'))).toEqual([]);
    await expectReadable(refs);
  });
});

describe('a segment', () => {
  // Killing a process does not lose what the kernel has; only the way it is opened tells what a power cut would do.
  it('is opened so that a write is on disk when it returns', async () => {
    const store = await folder.open();
    await put(store, Buffer.from('x'));
    if (process.platform !== 'linux') return; // elsewhere a sync of its own follows, which leaves no trace
    const opened = readdirSync('/proc/self/fd').filter((fd) => linkOf(`/proc/self/fd/${fd}`).startsWith(join(folder.path, 'segments')));
    expect(opened.length).toBe(1);
    const [, flags] = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${opened[0]}`, 'latin1'))!;
    expect(Number.parseInt(flags!, 8) & constants.O_DSYNC).toBe(constants.O_DSYNC);
  });
});

describe('two processes at once', () => {
  it('write beside each other, and a third finds every body the moment it was acknowledged', async () => {
    const reader = await folder.open({ writer: false });
    const read = async ({ lines }: Writer): Promise<number> => {
      let bodies = 0;
      for await (const line of lines) {
        const ref = refOf(line);
        if (!ref) continue;
        const asked = bodies++ % 2 === 0 ? ref : { sha256: ref.sha256, size: ref.size };
        expect((await get(reader, asked)).length).toBe(ref.size);
      }
      return bodies;
    };
    expect(await Promise.all([read(writer(300, 1000)), read(writer(300, 2000))])).toEqual([300, 300]);
    expect((await folder.files('segments')).filter((file) => file.endsWith('.seg')).length).toBe(2);
  });
});

describe('a write that fails half-way', () => {
  it('harms only its own batch: the next goes to a new segment, and what was acknowledged stays', async () => {
    // Segments reach the limit of 512 KiB again and again; each time a write stops in the middle (EFBIG).
    const said = await allLines(writer(1000, 5000, 1024));
    const refused = said.filter((line) => line.startsWith('refused'));
    expect(refused.length).toBeGreaterThan(0);
    for (const line of refused) expect(line).toBe('refused Error the object store cannot write: EFBIG');
    expect(said.at(-1)).toBe('done');
    const refs = kept(said);
    expect(refs.length).toBe(1000 - refused.length);
    expect(refs.length).toBeGreaterThan(700);
    await expectReadable(refs);
    // Nothing of a refused batch was left: each segment ends with its last whole record.
    const store = await folder.open();
    await store.recoverIndex();
    expect((await store.usage()).bodies).toBe(refs.length);
  });

  it('refuses large bodies and leaves nothing of them', async () => {
    // 300 KB: below a large body, above a hundred small ones.
    const said = await allLines(writer(80, 7000, 600));
    expect(said.filter((line) => line.startsWith('refused')).length).toBeGreaterThanOrEqual(2);
    expect(await folder.files('large/incoming')).toEqual([]);
    expect(kept(said).some((ref) => ref.at!.startsWith('L'))).toBe(false);
    await expectReadable(kept(said));
  });
});
