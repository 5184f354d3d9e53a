// Bundles one application: apps/<role>/src/main.ts → dist/apps/<role>/main.js. Libraries stay outside, our own code goes in.
import { build } from 'esbuild';

const [root] = process.argv.slice(2);

await build({
  entryPoints: [`./${root}/src/main.ts`],
  outfile: `dist/${root}/main.js`,
  tsconfig: 'tsconfig.base.json',
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node24',
  format: 'esm',
  sourcemap: true,
  keepNames: true,
  logLevel: 'warning',
}).catch(() => process.exit(1)); // esbuild has said why
