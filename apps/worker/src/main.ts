import { startModule } from '@kiroku/infra/platform/nest.js';
import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { WorkerModule } from './worker.module.js';

runRole('worker', ({ config, postgres }) => startModule(WorkerModule.of(config, postgres)));
