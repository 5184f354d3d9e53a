import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadServerKey } from './seal.js';

let data: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'kiroku-key-'));
});
afterEach(() => rm(data, { recursive: true }));

describe('the server key file', () => {
  it('is made on first start, kept, and readable by its owner only', async () => {
    const folder = join(data, 'new', 'data');
    const key = await loadServerKey(folder, '');
    expect(key).toHaveLength(32);
    expect((await stat(join(folder, 'server.key'))).mode & 0o777).toBe(0o600);
    expect(await loadServerKey(folder, '')).toEqual(key);
  });

  it('is one and the same for all who start at once', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => loadServerKey(data, '')));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect(await readdir(data)).toEqual(['server.key']);
  });

  it('is never replaced when it is damaged', async () => {
    await writeFile(join(data, 'server.key'), '');
    await expect(loadServerKey(data, '')).rejects.toThrow('server.key must be base64 of 32 bytes');
  });
});
