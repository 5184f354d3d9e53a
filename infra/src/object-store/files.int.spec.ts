import { afterAll } from '@jest/globals';
import { describeObjectStore } from './contract.js';
import { TestFolder } from './files-folder.js';

const folders: TestFolder[] = [];
afterAll(() => Promise.all(folders.map((folder) => folder.remove())));

async function make(more = {}) {
  const folder = await TestFolder.make();
  folders.push(folder);
  const store = await folder.open(more);
  return { store, damage: folder.damage.bind(folder) };
}

describeObjectStore('files', () => make());
describeObjectStore('files (segments of 8 KiB)', () => make({ segmentBytes: 8192, openSegments: 2 }));
describeObjectStore('files (no memory to spare)', () => make({ memory: 1500 }));
