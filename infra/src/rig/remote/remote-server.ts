import type { ChildProcess } from 'node:child_process';
import { LineSocket } from '../line-socket.js';
import { until } from '../until.js';

const STARTING = 30_000; // ms

/** Waits until somebody takes connections there. @throws Error when the program ends before, or takes too long. */
export function listening(child: ChildProcess, host: string, port: number, what: string): Promise<unknown> {
  return until(`${what} listens on ${host}:${port}`, STARTING, async () => {
    if (child.exitCode !== null) throw new Error(`${what} ended with ${child.exitCode}`);
    const socket = await LineSocket.connect({ host, port }, 1_000);
    socket.close();
    return true;
  });
}
