import { createHash } from 'node:crypto';
import { BodyDamaged, type BodyRef } from '@kiroku/domain/kernel/object-store.js';

/** The chunks of a whole body; the last one is withheld until the hash is right. @throws BodyDamaged */
export async function* checked(chunks: AsyncIterable<Buffer>, { sha256, size }: BodyRef): AsyncGenerator<Buffer> {
  const digest = createHash('sha256');
  let got = 0;
  for await (const chunk of chunks) {
    digest.update(chunk);
    got += chunk.length;
    if (got >= size && digest.digest('hex') !== sha256) throw new BodyDamaged(sha256);
    yield chunk;
  }
  if (got < size) throw new BodyDamaged(sha256);
}
