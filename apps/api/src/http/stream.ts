import { once } from 'node:events';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import type { Response } from 'express';
import { reasonOf } from './problem.js';

/** Each value on a line of its own. */
export async function* jsonLines(lines: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}

/**
 * Sends piece by piece, as fast as the client reads; stops when it has left.
 * @param broken the last piece when it fails half-way. Without it, the connection is cut, so that nobody takes a part for the whole.
 */
export async function stream(response: Response, type: string, pieces: AsyncIterator<string> & AsyncIterable<string>, broken?: (error: unknown) => string): Promise<void> {
  let first = await pieces.next(); // a refusal before the first piece is still an ordinary answer
  response.setHeader('Content-Type', type);
  response.flushHeaders();
  try {
    for (; !first.done && !response.destroyed; first = await pieces.next())
      if (!response.write(first.value)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  } catch (error) {
    if (broken) response.end(broken(error));
    throw error;
  } finally {
    await pieces.return?.();
  }
  response.end();
}

/** The last line of JSON when it fails half-way: what came before stands. */
export const brokeOff = ({ correlation }: Origin) => (error: unknown): string =>
  `${JSON.stringify({ problem: { reason: reasonOf(error).reason, instance: correlation } })}\n`;
