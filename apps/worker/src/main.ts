import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { startWorker } from './role.js';

runRole('worker', ({ config, postgres }) => startWorker(config, postgres));
