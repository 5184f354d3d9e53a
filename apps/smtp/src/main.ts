import { startModule } from '@kiroku/infra/platform/nest.js';
import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { SmtpModule } from './smtp.module.js';

runRole('smtp', ({ config, postgres }) => startModule(SmtpModule.of(config, postgres)));
