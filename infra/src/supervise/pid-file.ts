import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOf } from './process-table.js';

/** A process, named so that a later one with the same pid is not taken for it. */
export interface ProcessName {
  readonly pid: number;
  /** See `startOf`. */
  readonly start: string;
}

/** What runs on a data folder, for the CLI and for tests: `<data>/kiroku.pid`. */
export interface PidFile extends ProcessName {
  /** Epoch ms. */
  readonly startedAt: number;
  /** Of the listeners that are on, e.g. smtp: 2525. */
  readonly ports: Readonly<Record<string, number>>;
  /** Absent when PostgreSQL is an outside one, or being restarted. */
  readonly postgres?: ProcessName;
  /** Folder of the embedded PostgreSQL's socket. */
  readonly socket?: string;
  /** What the start waits for, before there are roles: an engine and its address. */
  readonly waiting?: string;
  /** `waiting` as above, of one that does not serve yet. */
  readonly roles: readonly (ProcessName & { readonly role: string; readonly index: number; readonly waiting?: string })[];
}

const fileIn = (data: string) => join(data, 'kiroku.pid');

/** Undefined when the process has ended already. */
export function nameOf(pid: number | undefined): ProcessName | undefined {
  const start = pid === undefined ? undefined : startOf(pid);
  return start === undefined ? undefined : { pid: pid!, start };
}

export const isAlive = ({ pid, start }: ProcessName): boolean => startOf(pid) === start;

/** The server that runs on this data folder; undefined when none does, whatever a crash has left. */
export function runningServer(data: string): PidFile | undefined {
  const file = lastServer(data);
  return file && isAlive(file) ? file : undefined;
}

/** What the file says, be it true or from before a crash. */
export function lastServer(data: string): PidFile | undefined {
  try {
    return JSON.parse(readFileSync(fileIn(data), 'utf8')) as PidFile;
  } catch {
    return undefined; // absent; or empty after a power cut, when nothing runs
  }
}

/** Readers see the old file or the new one, never half of it. */
export function writePidFile(data: string, content: PidFile): void {
  writeFileSync(`${fileIn(data)}.new`, JSON.stringify(content), { mode: 0o600 });
  renameSync(`${fileIn(data)}.new`, fileIn(data));
}

export const removePidFile = (data: string): void => rmSync(fileIn(data), { force: true });
