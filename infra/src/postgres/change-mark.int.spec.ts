import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ChangeMark, changeMark } from './change-mark.js';

let folder: string;
let files = 0;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'kiroku-mark-'))));
afterAll(() => rmSync(folder, { recursive: true }));

/** As two processes have it. */
function pair() {
  const file = join(folder, `mark-${++files}`);
  let now = 5;
  const open = () => new ChangeMark(file, () => now);
  return { file, reader: open(), writer: open(), open, pass: (ms: number) => void (now += ms) };
}

describe('the mark of changes', () => {
  it('stands still while nobody appends', () => {
    const { reader } = pair();
    expect(reader.seen()).toBeDefined();
    expect(reader.seen()).toBe(reader.seen());
  });

  it('never shows again what it showed, whoever moves it', () => {
    const { reader, writer, open } = pair();
    const other = open();
    const shown = [reader.seen()];
    for (const who of [writer, other, writer, reader, other]) {
      who.move();
      shown.push(reader.seen());
      expect(writer.seen()).toBe(reader.seen());
    }
    expect(new Set(shown).size).toBe(6);
  });

  it('shows others, and not whoever listens, what was appended through it; what is not known so exactly it shows to all', () => {
    const { reader, writer, open } = pair();
    const other = open();
    const told: unknown[] = [];
    writer.onOwn((grown) => told.push(grown));
    writer.move(new Map([['warm-up', 1]]));
    const [own, shown] = [[writer.seenOfOthers()], [reader.seenOfOthers()]];
    for (let version = 2; version < 5; version++) {
      writer.move(new Map([['a', version]]));
      own.push(writer.seenOfOthers());
      shown.push(reader.seenOfOthers());
      expect(writer.seen()).toBe(shown.at(-1));
      expect(told.at(-1)).toEqual(new Map([['a', version]]));
    }
    expect([new Set(own).size, new Set(shown).size]).toEqual([1, 4]);
    writer.move();
    other.move(new Map([['a', 9]]));
    own.push(writer.seenOfOthers());
    writer.move();
    own.push(writer.seenOfOthers());
    expect(new Set(own).size).toBe(3);
    expect(told).toHaveLength(4);
  });

  it('has no slot of their own for all: who comes late moves the first, for itself too', () => {
    const { reader, open } = pair();
    const many = Array.from({ length: 70 }, () => open());
    const shown = [reader.seen()];
    for (const mark of [...many, ...many]) {
      mark.move(new Map([['a', 1]]));
      shown.push(reader.seen());
    }
    expect(new Set(shown).size).toBe(141);
    const [first, late] = [many[0], many[69]] as [ChangeMark, ChangeMark];
    const before = [first.seenOfOthers(), late.seenOfOthers()];
    late.move(new Map([['a', 2]]));
    expect(first.seenOfOthers()).not.toBe(before[0]);
    expect(late.seenOfOthers()).not.toBe(before[1]);
  });

  it('lets no answer count for longer than a second, for whoever died before moving it', () => {
    const { reader, pass } = pair();
    const first = reader.seen();
    pass(994);
    expect(reader.seen()).toBe(first);
    pass(1);
    expect(reader.seen()).not.toBe(first);
  });

  it('is found again by all when somebody removed the file', () => {
    const { file, reader, writer, pass } = pair();
    writer.move();
    reader.seen();
    rmSync(file);
    writer.move();
    pass(1_000);
    const before = reader.seen();
    writer.move();
    expect(reader.seen()).not.toBe(before);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('tells nothing where its file cannot be, and hinders nobody', () => {
    const lost = new ChangeMark(join(folder, 'no', 'folder'));
    lost.move();
    expect(lost.seen()).toBeUndefined();
  });

  it('is one per pool, of the database of the embedded server that it leads to, and none of a server elsewhere', async () => {
    const here = (database: string) => new pg.Pool({ host: folder, database });
    const [one, same, another] = [here('a'), here('a'), here('b')];
    expect(changeMark(one)).toBe(changeMark(one));
    const before = [one, same, another].map((pool) => changeMark(pool).seen());
    changeMark(one).move();
    expect([one, same, another].map((pool, i) => changeMark(pool).seen() === before[i])).toEqual([false, false, true]);
    for (const elsewhere of [{ host: 'db.test', database: 'a' }, { connectionString: `postgres:///a?host=${folder}` }]) {
      const mark = changeMark(new pg.Pool(elsewhere));
      mark.move();
      expect(mark.seen()).toBeUndefined();
    }
  });
});
