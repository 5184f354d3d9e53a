import type { Command } from 'commander';
import { addBodiesCommand } from './bodies.js';
import { addDoctorCommand } from './doctor.js';
import { addMigrateEngineCommand } from './migrate-engine.js';
import { makeProgram, runProgram } from './program.js';
import { addReadyCommand } from './ready.js';
import { addReplayCommand } from './replay.js';
import { ownTerminal, type Terminal } from './terminal.js';
import { registerUp } from './up.js';

/** The whole command line. `up` is in it for the help text; main.ts runs it alone. */
export function wholeProgram(terminal: Terminal): Command {
  const program = makeProgram(terminal);
  registerUp(program);
  for (const add of [addReplayCommand, addDoctorCommand, addBodiesCommand, addMigrateEngineCommand, addReadyCommand]) add(program, terminal);
  return program;
}

export async function main(): Promise<void> {
  const terminal = ownTerminal();
  // A reader that has seen enough (`kiroku … | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const code = await runProgram(wholeProgram(terminal), process.argv.slice(2), terminal);
  if (code !== 0) process.exitCode = code; // a command may have set its own
}
