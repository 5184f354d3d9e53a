import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { arch, cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { median } from './settle.js';

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** The folder where every server keeps its data here. */
  readonly folder: string;
  /** Median milliseconds of an fdatasync after 4 KiB appended. */
  readonly fsyncMs: number;
  /** Load average of the last minute before the run: other work on the machine spoils the figures. */
  readonly loadBefore: number;
}

export function machine(): Machine {
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${release()} ${arch()}`,
    node: process.version,
    folder: tmpdir(),
    fsyncMs: fsyncLatency(tmpdir()),
    loadBefore: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
  };
}

function fsyncLatency(folder: string): number {
  const base = mkdtempSync(join(folder, 'bench-fsync-'));
  const file = openSync(join(base, 'file'), 'a');
  const block = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 50 }, () => {
    writeSync(file, block);
    const since = performance.now();
    fdatasyncSync(file);
    return performance.now() - since;
  });
  closeSync(file);
  rmSync(base, { recursive: true });
  return median(times);
}
