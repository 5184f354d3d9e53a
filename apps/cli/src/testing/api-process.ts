import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { expect } from '@jest/globals';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { build } from 'esbuild';
import type { Adder } from '../command.js';
import { makeProgram, runProgram } from '../program.js';
import type { Terminal } from '../terminal.js';

const ROOT = join(import.meta.dirname, '../../../..');

export interface ApiProcess {
  /** What tells the command line where the server is. */
  readonly env: Readonly<Record<string, string>>;
  readonly data: string;
  /** What it stands on: for what only other roles could bring about. */
  readonly database: PostgresConnection;
  stop(): Promise<void>;
}

/** The admin API on a database of its own, as a process: applications do not import each other. */
export async function startApi(): Promise<ApiProcess> {
  const folder = mkdtempSync(join(dirname(import.meta.dirname), '.api-')); // inside the tree, where libraries are found
  const outfile = join(folder, 'api.js');
  const removed = (): void => rmSync(folder, { recursive: true, force: true });
  await build({
    entryPoints: [join(ROOT, 'apps/api/src/testing/serve.ts')], outfile, tsconfig: join(ROOT, 'tsconfig.base.json'), bundle: true, packages: 'external',
    platform: 'node', target: 'node24', format: 'esm', keepNames: true, logLevel: 'warning',
  });
  const child = spawn(process.execPath, [outfile], { stdio: ['pipe', 'pipe', 'inherit'], cwd: ROOT });
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), once(child, 'exit').then(([code]) => Promise.reject(new Error(`the API ended with ${code}`)))])) as [string];
  removed();
  const { url, data, database } = JSON.parse(line) as { url: string; data: string; database: PostgresConnection };
  return {
    data, database,
    env: { KIROKU_DATA: data, KIROKU_HTTP_PORT: new URL(url).port, LANG: 'C' },
    stop: async () => {
      const exited = once(child, 'exit');
      child.stdin.end();
      await exited;
    },
  };
}

export interface Spoken { readonly code: number; readonly out: string; readonly err: string }

/** One command line, in this process. @param input what is typed or piped in. @param more commands that need no server. */
export async function command(env: Readonly<Record<string, string>>, args: readonly string[], input?: string, more: readonly Adder[] = []): Promise<Spoken> {
  const errors = new PassThrough({ encoding: 'utf8' });
  let [out, err] = ['', ''];
  errors.on('data', (text: string) => (err += text));
  const stdin = new PassThrough();
  stdin.end(input ?? '');
  const terminal: Terminal = { env, input: stdin, output: { write: (text) => (out += text) }, errors, offset: () => 540 };
  const program = makeProgram(terminal);
  for (const add of more) add(program, terminal);
  const code = await runProgram(program, args, terminal);
  await new Promise((resolve) => setImmediate(resolve)); // what was written last has arrived
  return { code, out, err };
}

/** How tests of commands speak: a line at a time, to an API that is started meanwhile. */
export function speaker(api: () => ApiProcess) {
  const kiroku = (line: string, input?: string): Promise<Spoken> => command(api().env, line.split(' '), input);
  /** What it prints; the test fails where it fails. */
  const must = async (line: string, input?: string): Promise<string> => {
    const { code, out, err } = await kiroku(line, input);
    expect({ line, code, err }).toEqual({ line, code: 0, err: '' });
    return out;
  };
  const json = async <T>(line: string): Promise<T> => JSON.parse(await must(`${line} --json`)) as T;
  return { kiroku, must, json };
}
