import { memoryOf } from '@kiroku/infra/rig/processes.js';
import type { SmtpSink } from '@kiroku/infra/rig/remote/smtp-sink.js';
import { setTimeout as pause } from 'node:timers/promises';
import type { OutboundServer } from './outbound-sut.js';

const PATIENCE = 120_000; // ms for one round
const LOOK = 20; // ms between two looks at the sink's counter

/** Messages per second from the first look that saw any to the last message. @throws Error when they do not all come. */
export async function arrivals(sink: SmtpSink, wanted: number, from: string): Promise<number> {
  const before = sink.count();
  const end = performance.now() + PATIENCE;
  let first: { readonly at: number; readonly count: number } | undefined;
  for (;;) {
    const count = sink.count() - before;
    const at = performance.now();
    if (first === undefined && count > 0) first = { at, count };
    if (first !== undefined && count >= wanted) return (count - first.count) / ((at - first.at) / 1000);
    if (at > end) throw new Error(`${count} of ${wanted} messages arrived from ${from} within ${PATIENCE} ms`);
    await pause(LOOK);
  }
}

/** Bytes of PSS. */
export interface Peak {
  readonly all: number;
  /** Of the processes that hold the queue. */
  readonly queue: number;
}

const SAMPLE = 1_000; // ms: reading the memory of 200 processes costs the machine some 30 ms

/** The largest sums seen; they need not be of the same moment. */
export function watchMemory(server: OutboundServer): { readonly peak: Peak; look(): void; stop(): void } {
  const peak = { all: 0, queue: 0 };
  const look = (): void => {
    peak.all = Math.max(peak.all, memoryOf(server.processes()).pss);
    peak.queue = Math.max(peak.queue, memoryOf(server.queueProcesses()).pss);
  };
  const timer = setInterval(look, SAMPLE);
  return { peak, look, stop: () => clearInterval(timer) };
}
