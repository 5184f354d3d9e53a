import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { startImap } from './role.js';

runRole('imap', ({ config, postgres }) => startImap(config, postgres));
