import { Command } from 'commander';
import { registerUp } from './up.js';

const program = new Command('kiroku');
registerUp(program);
await program.parseAsync();
