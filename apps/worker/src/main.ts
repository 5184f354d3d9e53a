import { setPriority } from 'node:os';
import { startModule } from '@kiroku/infra/platform/nest.js';
import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { WorkerModule } from './worker.module.js';

// Views may lag; clients may not wait.
try { setPriority(10); } catch { /* not permitted here: all share alike */ }

runRole('worker', ({ config, postgres }) => startModule(WorkerModule.of(config, postgres)));
