import { describe, expect, it } from '@jest/globals';
import { fixedClock } from '../ids/ids.js';
import { DiskSpace } from './disk-space.js';

/** Disks by folder, in blocks of 4 KiB. */
function world(blocks: Record<string, number>) {
  const clock = fixedClock(1_000_000);
  const asked: string[] = [];
  const troubles: unknown[] = [];
  const statfs = async (folder: string) => {
    asked.push(folder);
    const bavail = blocks[folder];
    if (bavail === undefined) throw new Error(`no ${folder}`);
    return { bavail, bsize: 4096 };
  };
  return { blocks, clock, asked, troubles, disk: new DiskSpace(Object.keys(blocks), clock, (error) => void troubles.push(error), statfs) };
}

describe('free disk space', () => {
  it('is that of the fullest disk', async () => {
    const { disk } = world({ '/data': 10, '/data/objects': 7 });
    expect(await disk.free()).toBe(7 * 4096);
    expect(disk.known).toBe(7 * 4096);
  });

  it('is asked for once a second, however many want to know', async () => {
    const { disk, clock, asked, blocks } = world({ '/data': 10 });
    await Promise.all([disk.free(), disk.free()]);
    blocks['/data'] = 3;
    clock.advance(999);
    expect(disk.free()).toBe(10 * 4096);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    expect(await disk.free()).toBe(3 * 4096);
  });

  it('is asked for again when the clock was set back', async () => {
    const { disk, clock, asked } = world({ '/data': 10 });
    await disk.free();
    clock.advance(-5000);
    await disk.free();
    expect(asked).toHaveLength(2);
  });

  it('keeps nobody out when it cannot be told', async () => {
    const { disk, blocks, troubles } = world({ '/data': 10 });
    delete blocks['/data'];
    expect(await disk.free()).toBe(Infinity);
    expect(troubles.map(String)).toEqual(['Error: no /data']);
  });
});
