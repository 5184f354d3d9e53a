import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

/** What each forbidden line must be caught by. The files lie in their layers for as long as the test runs. */
const FORBIDDEN: Record<string, { file: string; code: string; rule: string; says?: RegExp }> = {
  'the domain imports infra': {
    file: 'domain/src/kernel/lint-bites/infra.ts',
    code: `export * from '@kiroku/infra/lint-bites/clean.js';`,
    rule: '@nx/enforce-module-boundaries',
    says: /layer:domain|Circular/, // Nx names the circle first, once infra imports the domain
  },
  'the domain imports a library': {
    file: 'domain/src/kernel/lint-bites/library.ts',
    code: `export { z } from 'zod';`,
    rule: '@nx/enforce-module-boundaries',
    says: /layer:domain/, // the tag's own rule, seen without a circle
  },
  'the domain reaches out by a relative path': {
    file: 'domain/src/kernel/lint-bites/relative.ts',
    code: `export * from '../../../../infra/src/lint-bites/clean.js';`,
    rule: '@nx/enforce-module-boundaries',
    says: /relative/,
  },
  'the domain imports a Node module': {
    file: 'domain/src/kernel/lint-bites/io.ts',
    code: `export { readFileSync } from 'node:fs';`,
    rule: 'no-restricted-imports',
  },
  'the domain reads the clock': {
    file: 'domain/src/kernel/lint-bites/clock.ts',
    code: `export const now = () => Date.now();`,
    rule: 'no-restricted-properties',
  },
  'the domain makes today’s date': {
    file: 'domain/src/kernel/lint-bites/date.ts',
    code: `export const today = () => new Date();`,
    rule: 'no-restricted-syntax',
    says: /Time arrives/,
  },
  'the domain throws dice': {
    file: 'domain/src/kernel/lint-bites/dice.ts',
    code: `export const dice = () => Math.random();`,
    rule: 'no-restricted-properties',
  },
  'the domain uses Buffer': {
    file: 'domain/src/kernel/lint-bites/buffer.ts',
    code: `export const bytes = Buffer.alloc(1);`,
    rule: 'no-restricted-globals',
  },
  'a context imports one above it, by alias': {
    file: 'domain/src/directory/lint-bites/alias.ts',
    code: `export * from '@kiroku/domain/delivery/lint-bites/clean.js';`,
    rule: 'no-restricted-imports',
    says: /directory may import only/,
  },
  'a context imports one above it, by path': {
    file: 'domain/src/directory/lint-bites/path.ts',
    code: `export * from '../../delivery/lint-bites/clean.js';`,
    rule: 'no-restricted-imports',
    says: /directory may import only/,
  },
  'the domain has a barrel': {
    file: 'domain/src/mail/lint-bites/index.ts',
    code: `export * from '../../delivery/lint-bites/clean.js';`,
    rule: 'no-restricted-syntax',
    says: /barrel/,
  },
  'infra imports an application': {
    file: 'infra/src/lint-bites/app.ts',
    code: `export * from '../../../apps/smtp/src/lint-bites/clean.js';`,
    rule: '@nx/enforce-module-boundaries',
  },
  'an application imports another': {
    file: 'apps/smtp/src/lint-bites/app.ts',
    code: `export * from '../../../pop3/src/lint-bites/clean.js';`,
    rule: '@nx/enforce-module-boundaries',
  },
  'a session opens sockets': {
    file: 'apps/smtp/src/lint-bites/session.ts',
    code: `export { connect } from 'node:net';`,
    rule: 'no-restricted-imports',
  },
  'a test is skipped': {
    file: 'infra/src/lint-bites/skipped.spec.ts',
    code: `import { it } from '@jest/globals';\nit.skip('later', () => undefined);`,
    rule: 'no-restricted-syntax',
    says: /Every test runs/,
  },
  'a test is skipped in the domain': {
    file: 'domain/src/kernel/lint-bites/skipped.spec.ts',
    code: `import { describe } from '@jest/globals';\ndescribe.only('alone', () => undefined);`,
    rule: 'no-restricted-syntax',
    says: /Every test runs/,
  },
  'a promise is left alone': {
    file: 'infra/src/lint-bites/promise.ts',
    code: `export function run() {\n  Promise.resolve();\n}`,
    rule: '@typescript-eslint/no-floating-promises',
  },
  'a type is any': {
    file: 'infra/src/lint-bites/any.ts',
    code: `export const fail = (value: any) => value !== 1;`,
    rule: '@typescript-eslint/no-explicit-any',
  },
};

const CLEAN = [
  'domain/src/delivery/lint-bites/clean.ts',
  'infra/src/lint-bites/clean.ts',
  'apps/smtp/src/lint-bites/clean.ts',
  'apps/pop3/src/lint-bites/clean.ts',
];
const FILES = new Map([
  ...CLEAN.map((file) => [file, 'export const clean = 1;'] as const),
  ...Object.values(FORBIDDEN).map(({ file, code }) => [file, code] as const),
]);

const root = dirname(import.meta.dirname);

type Finding = { ruleId: string | null; message: string };
type Result = { filePath: string; messages: Finding[] };

function eslint(files: Iterable<string>, env = {}): Promise<{ code: number; stdout: string; stderr: string }> {
  const args = ['node_modules/eslint/bin/eslint.js', '--format', 'json', ...files];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: root, env: { ...process.env, NODE_OPTIONS: '', ...env }, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

describe('the lint', () => {
  let findings: Map<string, Finding[]>;

  beforeAll(async () => {
    for (const [file, code] of FILES) {
      mkdirSync(join(root, dirname(file)), { recursive: true });
      writeFileSync(join(root, file), `${code}\n`);
    }
    const { stdout, stderr } = await eslint(FILES.keys());
    if (!stdout) throw new Error(stderr);
    const results = JSON.parse(stdout) as Result[];
    findings = new Map(results.map(({ filePath, messages }) => [filePath.slice(root.length + 1), messages]));
  });

  afterAll(() => {
    for (const folder of new Set([...FILES.keys()].map((file) => dirname(file)))) {
      rmSync(join(root, folder), { recursive: true, force: true });
    }
  });

  it.each(Object.entries(FORBIDDEN))('bites when %s', (_case, { file, rule, says = /./ }) => {
    const messages = (findings.get(file) ?? []).filter(({ ruleId }) => ruleId === rule).map(({ message }) => message);
    expect(messages).toContainEqual(expect.stringMatching(says));
  });

  it.each(CLEAN)('leaves %s in peace', (file) => {
    expect(findings.get(file)).toEqual([]);
  });

  it('refuses to run without a project graph, where the Nx rule would let everything pass', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'kiroku-nx-'));
    try {
      const { code, stderr } = await eslint(CLEAN, { NX_WORKSPACE_DATA_DIRECTORY: empty });
      expect(code).not.toBe(0);
      expect(stderr).toContain('No Nx project graph');
    } finally {
      rmSync(empty, { recursive: true });
    }
  });
});
