import { startModule } from '@kiroku/infra/platform/nest.js';
import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { DeliveryModule } from './delivery.module.js';

runRole('delivery', ({ postgres }) => startModule(DeliveryModule.of(postgres)));
