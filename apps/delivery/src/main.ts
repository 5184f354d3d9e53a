import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { startDelivery } from './role.js';

runRole('delivery', ({ config, postgres }) => startDelivery(config, postgres));
