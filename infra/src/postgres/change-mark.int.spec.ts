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

  it('is one per database of the embedded server, and none of a server elsewhere', async () => {
    const here = (database: string) => new pg.Pool({ host: folder, database });
    expect(changeMark(here('a'))).toBe(changeMark(here('a')));
    expect(changeMark(here('a'))).not.toBe(changeMark(here('b')));
    expect(changeMark(here('a')).seen()).toBeDefined();
    for (const elsewhere of [{ host: 'db.test', database: 'a' }, { connectionString: `postgres:///a?host=${folder}` }]) {
      const mark = changeMark(new pg.Pool(elsewhere));
      mark.move();
      expect(mark.seen()).toBeUndefined();
    }
  });
});
