import { type Config, readConfig } from '@kiroku/infra/config/config.js';
import type { BodiesReport } from '@kiroku/infra/migrate-engine/bodies.js';
import type { DatabaseReport } from '@kiroku/infra/migrate-engine/database.js';
import type { FactsReport } from '@kiroku/infra/migrate-engine/facts.js';
import type { Mode } from '@kiroku/infra/migrate-engine/move-log.js';
import type { Steps } from '@kiroku/infra/migrate-engine/steps.js';
import { holdingFolder } from '@kiroku/infra/migrate-engine/while-stopped.js';
import { Option } from 'commander';
import { type Adder, leaf, type Run, Told } from './command.js';
import { WORDS } from './migrate-engine-words.js';
import { progressOf } from './progress.js';
import { fill } from './texts.js';

interface Options { readonly to: 'kafka' | 's3' | 'postgres'; readonly dryRun?: boolean; readonly verify?: boolean; readonly leaveDamaged?: boolean }
type Word = keyof typeof WORDS;
interface Outcome { readonly said: Word; readonly about: readonly number[]; readonly problems: readonly string[]; readonly problemCount: number; readonly switched: boolean; readonly report: object }

/** `kiroku migrate-engine`: moves what one engine holds to another. The server must not run, on any machine. */
export const addMigrateEngineCommand: Adder = (program, terminal) => {
  leaf<readonly [], Options>(program, terminal, 'migrate-engine', 'move the event log, the bodies or the database to an engine for many machines; the server must be stopped', (run, _, options) => migrateEngine(run, options))
    .addOption(new Option('--to <engine>', 'kafka: the event log, s3: the bodies, postgres: the embedded database; the settings say where').choices(['kafka', 's3', 'postgres']).makeOptionMandatory())
    .option('--dry-run', 'look whether it can be done and how much it is')
    .option('--verify', 'compare both sides and change nothing; before the first start with the new engine')
    .option('--leave-damaged', 's3: go on without bodies that cannot be read');
};

async function migrateEngine(run: Run, { to, dryRun, verify, leaveDamaged }: Options): Promise<void> {
  const config = readConfig(run.terminal.env);
  const mode: Mode = verify ? 'verify' : dryRun ? 'look' : 'move';
  const bar = progressOf(to, run.json, run.language);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new Interrupted());
  for (const signal of SIGNALS) process.on(signal, stop);
  let outcome: Outcome;
  try {
    const steps: Steps = { progress: bar.show, signal: stopping.signal };
    outcome = await holdingFolder(config.data, () => MOVES[to](config, mode, steps, leaveDamaged === true));
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    run.terminal.errors.write(`kiroku: ${run.text(WORDS.stopped)}\n`);
    throw new Told();
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    bar.end();
  }
  tell(run, mode, outcome);
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
class Interrupted extends Error {}

/** The engines' clients are loaded when they are needed: other commands start sooner. */
const moves = () => import('./migrate-engine-moves.js');

const MOVES: Readonly<Record<Options['to'], (config: Config, mode: Mode, steps: Steps, leaveDamaged: boolean) => Promise<Outcome>>> = {
  kafka: async (config, mode, steps) => facts(mode, await (await moves()).logToKafka(config, mode, steps)),
  s3: async (config, mode, steps, leaveDamaged) => bodies(mode, await (await moves()).bodiesToS3(config, mode, steps, leaveDamaged), leaveDamaged),
  postgres: async (config, mode, steps) => tables(mode, await (await moves()).databaseToPostgres(config, mode, steps)),
};

const word = (mode: Mode, what: 'Facts' | 'Bodies' | 'Tables'): Word => `${({ look: 'looked', verify: 'same', move: 'moved' } as const)[mode]}${what}`;

const facts = (mode: Mode, report: FactsReport): Outcome => ({
  said: word(mode, 'Facts'), about: [report.events], problems: report.differences, problemCount: report.differences.length, switched: mode === 'move' && report.differences.length === 0, report,
});

const bodies = (mode: Mode, report: BodiesReport, leaveDamaged: boolean): Outcome => ({
  said: word(mode, 'Bodies'), about: [report.bodies, report.bytes], problems: report.problems, problemCount: report.problemCount,
  switched: mode === 'move' && (report.problemCount === 0 || leaveDamaged),
  report: { bodies: report.bodies, bytes: report.bytes, problems: report.problems, problemCount: report.problemCount },
});

const tables = (mode: Mode, report: DatabaseReport): Outcome => ({
  said: word(mode, 'Tables'), about: [report.tables, report.rows], problems: report.differences, problemCount: report.differences.length, switched: mode === 'move' && report.differences.length === 0, report,
});

function tell(run: Run, mode: Mode, { said, about, problems, problemCount, switched, report }: Outcome): void {
  const wrong = problemCount > 0;
  if (run.json) run.value({ mode, switched, ...report });
  else {
    if (!wrong || switched) run.out(`${fill(run.text(WORDS[said]), about)}\n`);
    if (wrong) {
      const more = problemCount > problems.length ? `${fill(run.text(WORDS.more), [problemCount - problems.length])}\n` : '';
      run.out(`${run.text(WORDS.different)}\n${problems.map((problem) => `  ${problem}\n`).join('')}${more}`);
    }
    if (mode === 'move' && !switched) run.out(`${run.text(WORDS.notSwitched)}\n`);
  }
  if (wrong) throw new Told();
}
