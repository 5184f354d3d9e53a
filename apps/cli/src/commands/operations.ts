import type { Health, ProcessInfo, ViewInfo } from '@kiroku/infra/admin/operations.js';
import { type Adder, type Columns, leaf } from '../command.js';
import { say } from '../texts.js';
import { warningWords } from '../warnings.js';

const STATES = { ok: 'healthy', warning: 'attention', trouble: 'trouble' } as const;

interface Row { readonly role: string; readonly process?: ProcessInfo }
const VIEWS: Columns<ViewInfo> = { view: (v) => v.name, lag: (v) => v.lag };

/** The server is there, and not well: the exit code says so. */
export class Unhealthy extends Error {}

export const addOperationCommands: Adder = (program, terminal) => {
  leaf(program, terminal, 'health', 'every role and process, and what wants attention; exit 1 when something is wrong', async (run) => {
    const { body } = await run.api.anyway<Health>('/health');
    if (run.json) run.value(body);
    else {
      run.out(`${say(run.language, STATES[body.status])}\n`);
      if (!body.database) run.out(`${say(run.language, 'databaseAway')}\n`);
      const rows = body.roles.flatMap(({ role, processes }): Row[] => (processes.length === 0 ? [{ role }] : processes.map((process) => ({ role, process }))));
      if (rows.length > 0) await run.list(rows, {
        role: (r) => r.role, host: (r) => r.process?.host, pid: (r) => r.process?.pid, startedAt: (r) => run.time(r.process?.startedAt ?? null),
        trouble: (r) => (r.process ? r.process.trouble : say(run.language, 'missing')),
      });
      for (const warning of body.warnings) run.out(`${say(run.language, 'warning')}: ${warningWords(warning, run.language, Date.now(), (at) => run.time(at))}\n`);
    }
    if (body.status === 'trouble') throw new Unhealthy();
  });
  leaf(program, terminal, 'metrics', 'metrics of all processes, in the Prometheus text format', async (run) => {
    const text = await run.api.text('/metrics');
    if (run.json) run.value({ metrics: text });
    else run.out(text);
  });
  leaf(program.command('view').description('views of the history'), terminal, 'list', 'list views and how far each is behind', async (run) =>
    run.list((await run.api.get<{ items: readonly ViewInfo[] }>('/views')).items, VIEWS));
};
