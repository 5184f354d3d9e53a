import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..');
const home = mkdtempSync(join(tmpdir(), 'kiroku-apps-'));
afterAll(() => rmSync(home, { recursive: true }));

interface Found { readonly apps: readonly string[]; readonly problems: readonly string[] }
const { builtApps } = (await import(join(ROOT, 'tools/built-apps.mjs'))) as { builtApps: (folders: readonly string[], root?: string) => Found };

function app(name: string, files: Readonly<Record<string, string>>): string {
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(home, name, file)), { recursive: true });
    writeFileSync(join(home, name, file), content);
  }
  return name;
}

describe('the applications that are built', () => {
  it('are those with a main.ts, and one that lacks it fails unless its project builds nothing', () => {
    const build = JSON.stringify({ targets: { build: {}, lint: {} } });
    const folders = [
      app('good', { 'project.json': build, 'src/main.ts': '' }),
      app('half', { 'project.json': build, 'src/part.ts': '' }),
      app('meant', { 'project.json': JSON.stringify({ targets: { lint: {} } }), 'src/part.ts': '' }),
      app('own', { 'project.json': JSON.stringify({ targets: { build: { command: 'vite build' } } }) }),
      app('stray', { 'src/main.ts': '' }),
    ];
    expect(builtApps(folders, home)).toEqual({
      apps: ['good', 'own'], problems: ['half is to be built and has no src/main.ts', 'stray has no project.json: remove the folder, or make it a project'],
    });
  });

  it('of this repository are all there', () => {
    expect(builtApps([...readdirSync(join(ROOT, 'apps')).map((name) => `apps/${name}`), 'bench'], ROOT).problems).toEqual([]);
  });
});
