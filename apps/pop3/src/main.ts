import { readConfig } from '@kiroku/infra/config/config.js';
import { startModule } from '@kiroku/infra/platform/nest.js';
import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { Pop3Module } from './pop3.module.js';

runRole('pop3', ({ postgres }) => startModule(Pop3Module.of(readConfig(process.env), postgres)));
