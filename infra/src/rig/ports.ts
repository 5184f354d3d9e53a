import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Below what the kernel chooses from for connections and for listeners without a wish (32,768 and up on Linux): a server that is killed
 * and started again must find its port as it left it, however many connections others make meanwhile.
 */
const FIRST = 10_240;
const BLOCK = 32;
const BLOCKS = 704;

/** Ports of our blocks that nobody was given yet. */
let left: number[] = [];
/** One caller after the other. */
let last: Promise<unknown> = Promise.resolve();

/**
 * That many TCP ports of 127.0.0.1 that are free, all different, and given to nobody else as long as this process lives: tests run side by
 * side.
 * @throws Error when no block of ports is free.
 */
export function freePorts(count: number): Promise<number[]> {
  const mine = last.then(() => take(count));
  last = mine.catch(() => undefined);
  return mine;
}

async function take(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    if (left.length === 0) left = await claim();
    const port = left.shift() as number;
    const server = await listen(port);
    if (!server) continue; // a server that is no test's
    server.close();
    await once(server, 'close');
    ports.push(port);
  }
  return ports;
}

/** A block is his who listens at its first port, until his process ends, however it ends. */
async function claim(): Promise<number[]> {
  for (let attempt = 0; attempt < 10 * BLOCKS; attempt++) {
    const first = FIRST + BLOCK * Math.floor(Math.random() * BLOCKS);
    const claimed = await listen(first);
    if (!claimed) continue;
    claimed.unref(); // it must not keep this process
    return Array.from({ length: BLOCK - 1 }, (_, i) => first + 1 + i);
  }
  throw new Error('no block of ports is free');
}

/** Undefined where somebody listens already. */
function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined)).listen(port, '127.0.0.1', () => resolve(server));
  });
}
