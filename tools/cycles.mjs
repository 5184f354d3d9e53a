// Finds import cycles among the files of these folders; Nx reports only those between projects. Type-only imports do not count:
// they are gone at run time.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const files = process.argv.slice(2).flatMap((root) =>
  readdirSync(root, { recursive: true })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => `./${join(root, file)}`),
);

// One output for all: one for each file would hold all that it imports, again and again.
const { metafile } = await build({
  stdin: { contents: files.map((file) => `import ${JSON.stringify(file)};`).join('\n'), resolveDir: '.' },
  tsconfig: 'tsconfig.base.json',
  outdir: 'dist/cycles',
  bundle: true,
  write: false,
  metafile: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  logLevel: 'warning',
});

const done = new Set();
let cycles = 0;

function walk(file, path) {
  const at = path.indexOf(file);
  if (at >= 0) {
    cycles++;
    console.error(`import cycle: ${[...path.slice(at), file].join(' → ')}`);
    return;
  }
  if (done.has(file)) return;
  for (const { path: next, external } of metafile.inputs[file]?.imports ?? []) {
    if (!external) walk(next, [...path, file]);
  }
  done.add(file);
}

for (const file of Object.keys(metafile.inputs)) walk(file, []);
process.exitCode = cycles ? 1 : 0;
