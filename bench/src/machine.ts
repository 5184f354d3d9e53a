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
  /** Share of the processors' time that the host gave to others during the run: with much of it, a second run tells other figures. */
  readonly stolen: number;
}

/** Processor time since the start, in ticks: of everything, and what the host kept from us although we wanted it. */
export interface ProcessorTicks {
  readonly all: number;
  readonly stolen: number;
}

/** @param stat the text of /proc/stat (proc_stat(5)); the first line sums all processors. */
export function processorTicks(stat: string): ProcessorTicks {
  // user nice system idle iowait irq softirq steal; what guests had, behind it, is in user and nice already.
  const ticks = stat.slice(0, stat.indexOf('\n')).trim().split(/\s+/).slice(1, 9).map(Number);
  return { all: ticks.reduce((sum, n) => sum + n, 0), stolen: ticks[7] ?? 0 };
}

/** Begins to watch; the answer is the share, from 0 to 1, that was stolen since. */
export function watchSteal(read: () => ProcessorTicks = () => processorTicks(readFileSync('/proc/stat', 'utf8'))): () => number {
  const before = read();
  return () => {
    const after = read();
    return after.all > before.all ? (after.stolen - before.stolen) / (after.all - before.all) : 0;
  };
}

export function machine(): Omit<Machine, 'stolen'> {
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
