// A process that stores bodies and says so, for the tests that kill it or fill its disk: `node files-child.mjs FOLDER COUNT SEED`.
import { writeSync } from 'node:fs';
import { bytesOf } from './test-bytes.js';
import { openFileObjectStore } from './files.js';
import { MemoryBodyIndex } from './memory-index.js';

const [folder = '', count = '0', seed = '0'] = process.argv.slice(2);
// Straight to the descriptor: what was acknowledged must be known outside before anything else can happen.
const say = (line: string) => void writeSync(1, `${line}\n`);

const store = await openFileObjectStore({
  folder,
  index: new MemoryBodyIndex(),
  clock: { now: () => Date.now() },
  trouble: (error) => say(`trouble ${String(error)}`),
});

let next = 0;
async function lane(): Promise<void> {
  while (next < Number(count)) {
    const i = next++;
    const writer = store.create();
    const body = bytesOf(i % 40 === 39 ? 400_000 : 3000, Number(seed) + i);
    for (let at = 0; at < body.length; at += 65536) await writer.write(body.subarray(at, at + 65536));
    try {
      const { sha256, size, at } = await writer.commit();
      say(`stored ${sha256} ${size} ${at}`);
    } catch (error) {
      say(`refused ${(error as Error).name} ${(error as Error).message}`);
    }
  }
}
await Promise.all(Array.from({ length: 20 }, lane));
await store.close();
say('done');
