import { CheckpointMoved } from '@kiroku/domain/kernel/event-store.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { Politeness } from '@kiroku/infra/platform/politeness.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { PostgresAdmission } from '@kiroku/infra/read-model/admission.js';
import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
import type { RunningRole } from '@kiroku/infra/supervise/role-process.js';
import { DELIVERY, LocalDelivery } from './local-delivery.js';
import { Placement } from './placement.js';

/** Messages per slice: bounds memory; what waits in all partitions shares a transaction anyway. */
const BATCH = 500;
/** ms: one transaction for what a busy server accepts in that time, and a delay that no recipient notices. */
const PACE = 20;
/** ms while the machine is busy: larger transactions, and still no delay that anybody notices. */
const BUSY_PACE = 200;
/** ms for which settings may be old here: only the tag separators matter. */
const SETTINGS_AGE = 1_000;

/** The delivery role: consumes topic `mail`, appends to mailboxes. */
export async function startDelivery(postgres: PostgresConnection): Promise<RunningRole> {
  const platform = openPlatform('delivery', postgres, 5, 5);
  const { pool, engine, log, metrics, logger } = platform;
  const admission = new PostgresAdmission(pool, engine);
  const directory = new PostgresDirectory(pool, () => admission.settings.tagSeparators);
  let asked = -Infinity;
  const lookup = async (addresses: readonly string[]) => {
    if (engine.clock.now() - asked > SETTINGS_AGE) {
      await admission.admit('smtp', '127.0.0.1');
      asked = engine.clock.now();
    }
    return directory.lookup(addresses);
  };
  const delivery = new LocalDelivery(engine, { lookup }, new Placement(engine), {
    delivered: (messages) => metrics.count('kiroku_delivered_total', 'Messages whose local recipients were delivered', messages),
  });
  const subscription = await log.consume({
    group: DELIVERY, topics: ['mail'], batch: BATCH, pace: new Politeness(PACE, BUSY_PACE).pace, start: delivery.start, handle: delivery.handle,
    // A partition that another process has taken over is read again from its checkpoint.
    trouble: (error) => { if (!(error instanceof CheckpointMoved)) platform.trouble(error); },
  });
  platform.live();
  logger.info('delivery serves');
  return {
    drain: async () => {
      await subscription.stop();
      await platform.close();
    },
  };
}
