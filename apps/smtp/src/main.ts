import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { startSmtp } from './role.js';

runRole('smtp', ({ config, postgres }) => startSmtp(config, postgres));
