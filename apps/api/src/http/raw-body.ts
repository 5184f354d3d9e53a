import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { AdminRequest } from './request.js';

/** The bytes of a body that is no JSON. @param most bytes. @throws Refusal `too-large` */
export async function rawBody(request: AdminRequest, most: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > most) throw new Refusal('too-large');
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > most) throw new Refusal('too-large');
    parts.push(part);
  }
  return Buffer.concat(parts);
}
