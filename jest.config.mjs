import { existsSync } from 'node:fs';

/** What a test costs is in its name; each suite has its own patience. Times in milliseconds. */
const SUITES = {
  unit: { match: '**/!(*.int|*.e2e|*.crash|*.engines).spec.ts', timeout: 10_000, workers: 2 },
  int: { match: '**/*.int.spec.ts', timeout: 120_000, workers: 2 },
  e2e: { match: '**/*.e2e.spec.ts', timeout: 180_000, workers: 1 },
  // Kafka, an S3 server: tools/engines provides them.
  engines: { match: '**/*.engines.spec.ts', timeout: 300_000, workers: 1 },
  crash: { match: '**/*.crash.spec.ts', timeout: 1_500_000, workers: 1 },
};

const suite = SUITES[process.env.KIROKU_SUITE ?? 'unit'];
if (!suite) throw new Error(`KIROKU_SUITE is one of ${Object.keys(SUITES).join(', ')}`);

export default {
  roots: ['domain', 'infra', 'migrations', 'apps', 'bench', 'tools'].filter((root) => existsSync(root)),
  testMatch: [suite.match],
  testTimeout: suite.timeout,
  maxWorkers: suite.workers,
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
