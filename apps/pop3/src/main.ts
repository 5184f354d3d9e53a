import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { startPop3 } from './role.js';

runRole('pop3', ({ config, postgres }) => startPop3(config, postgres));
