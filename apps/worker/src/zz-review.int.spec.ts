import { mkdtemp, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { claimEngines } from '@kiroku/infra/config/engines-in-use.js';
import { readConfig } from '@kiroku/infra/config/config.js';
import { openFileObjectStore } from '@kiroku/infra/object-store/files.js';
import { PgBodyIndex } from '@kiroku/infra/object-store/pg-index.js';
import { testHistory } from '@kiroku/infra/read-model/testing.js';
import { sweepBodies } from './sweep.js';

it('fresh database beside a full folder', async () => {
  const data = await mkdtemp(join(tmpdir(), 'kiroku-zz-'));
  await mkdir(join(data, 'objects'));
  const config = readConfig({ KIROKU_DATA: data });
  const a = await testHistory();
  await claimEngines(a.pool, config);
  const open = (h: typeof a) => openFileObjectStore({ folder: join(data, 'objects'), index: new PgBodyIndex(h.pool), writer: true, trouble: (e) => console.log(e), clock: h.engine.clock });
  const first = await open(a);
  const w = first.create();
  await w.write(new Uint8Array(1000).fill(65));
  const ref = await w.commit();
  await first.close();
  const b = await testHistory(); // the wrong, empty database
  await claimEngines(b.pool, config);
  const second = await open(b);
  console.log('recovered', await second.recoverIndex());
  const now = a.engine.clock.now() + 25 * 3_600_000;
  console.log('swept', await sweepBodies(b, second, { now, grace: 24 * 3_600_000, patience: 0 }));
  await second.close();
  const third = await open(a); // back to the right one
  let size = 0; let error: unknown;
  try { for await (const c of third.read(ref)) size += c.length; } catch (e) { error = e; }
  console.log('read again', size, String(error));
  await third.close();
  expect(1).toBe(1);
  await a.close(); await b.close();
});
