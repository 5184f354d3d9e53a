import { readConfig } from '@kiroku/infra/config/config.js';
import { startModule } from '@kiroku/infra/platform/nest.js';
import { runRole } from '@kiroku/infra/supervise/role-process.js';
import { SmtpModule } from './smtp.module.js';

runRole('smtp', ({ postgres }) => startModule(SmtpModule.of(readConfig(process.env), postgres)));
