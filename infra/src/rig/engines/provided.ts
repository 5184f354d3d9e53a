import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** Folders of the engines' programs. */
export interface Provided {
  readonly kafka: string;
  readonly s3: string;
}

const SCRIPT = 'tools/engines/provision.mjs';

/** Where the engines are; fetched first if need be, which takes minutes on an empty cache: `npm run test:engines` does so beforehand. */
export async function provided(): Promise<Provided> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(checkout(), SCRIPT)]);
  return JSON.parse(stdout) as Provided;
}

/** A bundle lies elsewhere in the checkout than its sources. */
function checkout(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, SCRIPT))) {
    if (folder === dirname(folder)) throw new Error(`no ${SCRIPT} above ${import.meta.dirname}`);
    folder = dirname(folder);
  }
  return folder;
}
