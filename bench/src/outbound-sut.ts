import { readFileSync } from 'node:fs';

/** A server under test that takes mail from 127.0.0.1 for everywhere and sends it on. */
export interface OutboundServer {
  readonly name: string;
  readonly version: string;
  readonly smtpPort: number;
  /** Every process that works for it now. */
  processes(): number[];
  /** Those of them that hold the queue. */
  queueProcesses(): number[];
  /** Messages that wait for another try. */
  waiting(): Promise<number>;
  /** Stops all of it and removes its data. */
  readonly stop: () => Promise<void>;
}

/** The name that a process has for the kernel, at most 15 characters. */
export function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1').trim();
  } catch {
    return '';
  }
}
