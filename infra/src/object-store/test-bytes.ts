import { createCipheriv } from 'node:crypto';

/** Bytes that differ from place to place and from seed to seed, the same in every run. */
export function bytesOf(size: number, seed: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
