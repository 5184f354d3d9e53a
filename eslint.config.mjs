import { readdirSync } from 'node:fs';
import { readCachedProjectGraph } from '@nx/devkit';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

// Without a cached project graph the Nx rule only warns, checks nothing and lets everything pass. Better no lint than that.
try {
  readCachedProjectGraph();
} catch {
  throw new Error('No Nx project graph: lint by `npm run lint` or `nx lint <project>`, not by eslint alone.');
}

/** All projects at once share one program (tsconfig.json), which takes half the time; one alone reads only what it needs. */
const TYPES = process.env.KIROKU_LINT === 'all' ? { project: ['tsconfig.json'] } : { projectService: true };

/** Who may import whom inside domain/src. Siblings meet only in `flow`, which may import all. */
const CONTEXTS = {
  kernel: [],
  mail: ['kernel'],
  directory: ['kernel', 'mail', 'mailbox'],
  policy: ['kernel', 'mail', 'delivery'],
  mailbox: ['kernel', 'mail'],
  mime: ['kernel'],
  imap: ['kernel', 'mail', 'mailbox', 'mime'],
  delivery: ['kernel', 'mail', 'directory', 'mailbox'],
  smtp: ['kernel', 'mail'],
  pop3: ['kernel', 'mail'],
  routing: ['kernel', 'mail'],
  'smtp-client': ['kernel', 'mail'],
  'tls-policy': ['kernel', 'mail', 'routing', 'smtp-client', 'delivery'],
  notice: ['kernel', 'mail', 'delivery'],
  srs: ['kernel', 'mail'],
  story: ['kernel', 'mail', 'directory', 'mailbox', 'delivery'],
};

const unknown = readdirSync('domain/src', { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'flow' && !Object.hasOwn(CONTEXTS, entry.name))
  .map((entry) => entry.name);
if (unknown.length) throw new Error(`domain/src/${unknown[0]}: give it a row in CONTEXTS (eslint.config.mjs).`);

const anyOf = (names) => `(${names.join('|')})`;

// ESLint takes only the last matching setting of a rule: each list below is whole.
const NO_SKIPPED_TESTS = [
  {
    selector: 'MemberExpression[object.name=/^(it|test|describe)$/][property.name=/^(skip|only)$/]',
    message: 'Every test runs: repair it or delete it.',
  },
  {
    selector: 'CallExpression[callee.name=/^(xit|xtest|xdescribe|fit|fdescribe)$/]',
    message: 'Every test runs: repair it or delete it.',
  },
];
const NO_CLOCK = [
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: 'Time arrives in the command.' },
  { selector: 'CallExpression[callee.name="Date"]', message: 'Time arrives in the command.' },
];
const NO_BARREL = [{ selector: 'Program', message: 'No barrels: import the file that defines the thing.' }];

const NO_NODE = { regex: '^node:', message: 'The domain does no I/O.' };
const NO_IO = {
  regex: '^((node:)?(net|tls|fs)(/.*)?|typeorm|kafkajs|pg)$',
  message: 'Grammar, session and domain are pure: bytes and values in, values out.',
};

/** A path that enters one of the contexts, by alias or relative. */
const contextRule = (context) => {
  const others = Object.keys({ ...CONTEXTS, flow: [] }).filter((c) => c !== context && !CONTEXTS[context].includes(c));
  return {
    files: [`domain/src/${context}/**/*.ts`],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            NO_NODE,
            NO_IO,
            {
              regex: `^(@kiroku/domain|(\\./)?\\.\\.(/\\.\\.)*)/${anyOf(others)}/`,
              message: `${context} may import only: ${CONTEXTS[context].join(', ') || 'nothing'}.`,
            },
          ],
        },
      ],
    },
  };
};

export default tseslint.config(
  { ignores: ['**/node_modules/', 'dist/', 'data/', 'tmp/', '.nx/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    plugins: { '@nx': nx },
    languageOptions: { parserOptions: { ...TYPES, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          allowCircularSelfDependency: true,
          depConstraints: [
            {
              sourceTag: 'layer:domain',
              onlyDependOnLibsWithTags: ['layer:domain'],
              allowedExternalImports: ['@jest/globals', 'fast-check'],
            },
            { sourceTag: 'layer:infra', onlyDependOnLibsWithTags: ['layer:domain', 'layer:infra'] },
            { sourceTag: 'layer:app', onlyDependOnLibsWithTags: ['layer:domain', 'layer:infra'] },
            { sourceTag: 'layer:tool', onlyDependOnLibsWithTags: [] },
          ],
        },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      // Nest and event emitters take async callbacks whose promise they do not await; each of ours ends in its own catch.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/ban-ts-comment': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // Ports are asynchronous by contract even where an adapter has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      'eqeqeq': ['error', 'always', { null: 'ignore' }],
      'no-restricted-syntax': ['error', ...NO_SKIPPED_TESTS],
    },
  },
  {
    files: ['domain/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['process', 'fetch', 'crypto', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'Buffer'],
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Time arrives in the command.' },
        { object: 'Math', property: 'random', message: 'Chance arrives in the command.' },
      ],
      'no-restricted-syntax': ['error', ...NO_SKIPPED_TESTS, ...NO_CLOCK],
    },
  },
  {
    files: ['domain/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [NO_NODE, NO_IO] }] },
  },
  ...Object.keys(CONTEXTS).map(contextRule),
  {
    files: ['domain/**/*.spec.ts'], // a test may read stored examples
    rules: { 'no-restricted-globals': 'off' },
  },
  {
    files: ['apps/**/{session,command,grammar}*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [NO_IO] }] },
  },
  {
    files: ['{domain,infra}/**/index.ts'],
    rules: { 'no-restricted-syntax': ['error', ...NO_BARREL] },
  },
  {
    files: ['**/*.spec.ts'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off' }, // Jest's matchers (expect.any) are typed any
  },
);
