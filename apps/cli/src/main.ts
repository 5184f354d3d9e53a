import { Command } from 'commander';
import { registerDoctor } from './doctor.js';
import { registerReplay } from './replay.js';
import { registerUp } from './up.js';

const program = new Command('kiroku');
registerUp(program);
registerReplay(program);
registerDoctor(program);
await program.parseAsync();
