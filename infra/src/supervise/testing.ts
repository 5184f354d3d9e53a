import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');
const esbuild = createRequire(import.meta.url).resolve(`@esbuild/${process.platform}-${process.arch}/bin/esbuild`);

/** Libraries of the old module kind ask for `require`, which a bundle of the new kind lacks. */
const REQUIRE = `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);`;

/**
 * Makes a script that runs anywhere, under any user, out of a test's few lines of TypeScript: for tests of whole processes,
 * which must be killed, or run as somebody else. The lines may import as all our code does.
 * @param file where to, ending in .mjs.
 * @param external packages that are not to be in it: with native parts, for instance. Node looks for them from `file` on.
 */
export function makeScript(source: string, file: string, external: readonly string[] = []): void {
  const args = ['--bundle', '--loader=ts', '--platform=node', '--format=esm', '--target=node24', '--external:pg-native', ...external.map((name) => `--external:${name}`)];
  const places = [`--tsconfig-raw=${JSON.stringify({ compilerOptions: { verbatimModuleSyntax: true } })}`, `--outfile=${file}`];
  const aliases = [`--alias:@kiroku/infra=${root}/infra/src`, `--alias:@kiroku/domain=${root}/domain/src`];
  const options = [...args, ...places, ...aliases, `--banner:js=${REQUIRE}`, '--log-level=error'];
  execFileSync(esbuild, options, { cwd: root, input: source });
}
