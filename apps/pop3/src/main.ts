import { startModule } from '@kiroku/infra/platform/nest.js';
import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { Pop3Module } from './pop3.module.js';

runRole('pop3', ({ config, postgres }) => startModule(Pop3Module.of(config, postgres)));
