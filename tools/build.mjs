// Bundles one application: apps/<role>/src/main.ts → dist/apps/<role>/main.js. Libraries stay outside, our own code goes in;
// what is imported dynamically stays apart, so that the supervisor need not hold what other commands need.
import { readFileSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const [root] = process.argv.slice(2);
/**
 * zod: only a fifth of it is used, and every process would hold all of it (7 MB). @nestjs/swagger: it reads 500 files one by one, which was a
 * quarter of the api's start (1.4 to 1.1 s of processor).
 */
const BUNDLED = ['zod', '@nestjs/swagger'];
/** What those would use if it were installed. */
const ABSENT = ['@fastify/static'];
const { dependencies, optionalDependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const external = [...Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }).filter((name) => !BUNDLED.includes(name)), ...ABSENT];

rmSync(`dist/${root}`, { recursive: true, force: true });
await build({
  entryPoints: [`./${root}/src/main.ts`],
  outdir: `dist/${root}`,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  tsconfig: 'tsconfig.base.json',
  bundle: true,
  external,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  sourcemap: true,
  logLevel: 'warning',
}).catch(() => process.exit(1)); // esbuild has said why
