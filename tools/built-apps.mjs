import { existsSync, readFileSync } from 'node:fs';

/**
 * Which applications have something to build, and what is wrong with the others. A project without the target `build` is meant to
 * have none; one with it needs src/main.ts, or it would be missing when the server starts.
 */
export function builtApps(folders, root = '.') {
  const apps = [];
  const problems = [];
  for (const app of folders) {
    if (!existsSync(`${root}/${app}/project.json`)) {
      problems.push(`${app} has no project.json: remove the folder, or make it a project`);
      continue;
    }
    const { targets = {} } = JSON.parse(readFileSync(`${root}/${app}/project.json`, 'utf8'));
    if (!Object.hasOwn(targets, 'build')) continue;
    // A target with a command of its own knows what it builds.
    if (targets.build.command === undefined && targets.build.executor === undefined && !existsSync(`${root}/${app}/src/main.ts`))
      problems.push(`${app} is to be built and has no src/main.ts`);
    else apps.push(app);
  }
  return { apps, problems };
}
