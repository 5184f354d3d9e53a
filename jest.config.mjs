import { existsSync } from 'node:fs';

/**
 * What a test costs is in its name; each suite has its own patience. Times in milliseconds. Workers are for two cores, and more than one
 * where tests wait: for servers that start or were killed. Each file has ports, folders, databases and clusters of its own.
 */
const SUITES = {
  unit: { match: '**/!(*.int|*.e2e|*.crash|*.engines).spec.ts', timeout: 10_000, workers: 2 },
  int: { match: '**/*.int.spec.ts', timeout: 120_000, workers: 3 },
  e2e: { match: '**/*.e2e.spec.ts', timeout: 180_000, workers: 2 },
  // Kafka, an S3 server: tools/engines provides them.
  engines: { match: '**/*.engines.spec.ts', timeout: 300_000, workers: 2 },
  crash: { match: '**/*.crash.spec.ts', timeout: 1_500_000, workers: 1 },
};

const suite = SUITES[process.env.KIROKU_SUITE ?? 'unit'];
if (!suite) throw new Error(`KIROKU_SUITE is one of ${Object.keys(SUITES).join(', ')}`);

export default {
  roots: ['domain', 'infra', 'migrations', 'apps', 'bench', 'tools'].filter((root) => existsSync(root)),
  testMatch: [suite.match],
  testTimeout: suite.timeout,
  maxWorkers: suite.workers,
  // A worker has a gigabyte to give back in the end, for which half a second is too short on a busy machine; a leak is told after this too.
  workerGracefulExitTimeout: 10_000,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^@kiroku/(domain|infra|migrations)/(.*)\\.js$': '<rootDir>/$1/src/$2',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: false, verbatimModuleSyntax: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
};
