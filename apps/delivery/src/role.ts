import { loadServerKey } from '@kiroku/infra/auth/seal.js';
import type { Config } from '@kiroku/infra/config/config.js';
import { priorityOf } from '@kiroku/domain/delivery/priority.js';
import { CheckpointMoved } from '@kiroku/domain/kernel/event-store.js';
import { AccessTokens } from '@kiroku/infra/oauth/access-tokens.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform } from '@kiroku/infra/platform/platform.js';
import { Politeness } from '@kiroku/infra/platform/politeness.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { PostgresAdmission } from '@kiroku/infra/read-model/admission.js';
import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
import { PostgresGateways } from '@kiroku/infra/read-model/gateways.js';
import { srsKeys } from '@kiroku/infra/srs/keys.js';
import { srsDirectory } from '@kiroku/infra/srs/srs-directory.js';
import { abnormalEndHere, leave, type RunningRole } from '@kiroku/infra/supervise/role-process.js';
import { tokenWarnings } from '@kiroku/infra/telemetry/warnings.js';
import { adoptUnread } from './adopt.js';
import { cautionAfter } from './caution.js';
import { Departures } from './departures.js';
import { DELIVERY, LocalDelivery } from './local-delivery.js';
import { type RunningOutbound, startOutbound, tableOf } from './outbound-role.js';
import { Placement } from './placement.js';
import { Retrials } from './retrials.js';
import { Submission } from './submission.js';

/** Messages per slice: bounds memory; what waits in all partitions shares a transaction anyway. */
const BATCH = 500;
/** ms: one transaction for what a busy server accepts in that time, and a delay that no recipient notices. */
const PACE = 20;
/** ms while the machine is busy and mail keeps coming in: reception first, and still no delay that anybody notices. */
const BUSY_PACE = 3_000;
/** ms without new mail that end a rush; while it lasts hints come every 40 ms. */
const LULL = 80;
/** ms between looks for messages set aside that are to be tried again. */
const RETRY = 2_000;
/** ms for which settings may be old here. */
const SETTINGS_AGE = 1_000;

/** The delivery role: consumes topic `mail`, appends to mailboxes and to the queue; sends what the queue holds to other servers. */
export async function startDelivery(config: Config, postgres: PostgresConnection): Promise<RunningRole> {
  const platform = await openPlatform('delivery', { postgres, config, nice: 10 });
  const { pool, engine, log, metrics, logger, trouble } = platform;
  const key = await loadServerKey(config.data);
  const bodies = await openBodies(platform, config, true); // reports are written
  const admission = new PostgresAdmission(pool, engine);
  await admission.admit('smtp', '127.0.0.1'); // settings at hand before the first message
  const srs = srsKeys(key);
  const directory = srsDirectory(new PostgresDirectory(pool, () => admission.settings.tagSeparators), srs, engine.clock);
  const tokens = new AccessTokens({ pool, engine, key, trouble });
  const gateways = new PostgresGateways(pool, key, engine.clock, tokens);
  const table = await tableOf(gateways, trouble);
  const departures = new Departures({ directory, table, srs, rewrites: () => admission.settings.srs, clock: engine.clock });
  const placement = new Placement(engine, () => priorityOf(admission.settings.outboundPriority));
  const quarantined = (message: string, error: unknown): void => {
    metrics.count('kiroku_quarantined_total', 'Messages set aside because local delivery failed again and again');
    logger.error({ message, err: error }, 'message quarantined');
  };
  const caution = cautionAfter({ after: abnormalEndHere(), leave, clock: engine.clock });
  if (caution) logger.warn('careful: the process before ended abnormally');
  const delivery = new LocalDelivery(engine, directory, placement, departures.prepare, {
    delivered: (messages) => metrics.count('kiroku_delivered_total', 'Messages whose local recipients were delivered', messages),
    quarantined,
  }, caution);
  const adopted = await adoptUnread(pool, log, engine);
  if (adopted > 0) logger.info({ messages: adopted }, 'took over what release 0.1 left waiting');
  // Not before the supervisor knows that this role serves: a message that ends the process must not pass for a role that cannot start.
  let serves!: () => void;
  const serving = new Promise<void>((resolve) => (serves = resolve));
  const subscription = await log.consume({
    group: DELIVERY, topics: ['mail'], batch: BATCH, pace: new Politeness(PACE, BUSY_PACE).pace, lull: LULL, start: delivery.start, handle: (slice) => serving.then(() => delivery.handle(slice)),
    // A partition that another process has taken over is read again from its checkpoint.
    trouble: (error) => { if (!(error instanceof CheckpointMoved)) trouble(error); },
  });
  const retrials = new Retrials({ pool, log, engine, directory, placement, prepare: departures.prepare, quarantined, caution });
  metrics.gauge('kiroku_quarantine_messages', 'Messages set aside', () => retrials.size);
  let round: Promise<unknown> = Promise.resolve();
  let trying = false;
  const retry = setInterval(() => {
    if (trying || outbound === undefined) return;
    trying = true;
    round = retrials.round().catch(trouble).finally(() => (trying = false));
  }, RETRY);
  const submission = new Submission(engine, directory, placement, departures.prepare);
  let outbound: RunningOutbound | undefined;
  let draining = false;
  let starting: Promise<void> | undefined;
  const send = async (): Promise<void> => {
    if (draining) return;
    starting = startOutbound({ platform, config, bodies, settings: () => admission.settings, gateways, table, submit: submission.submit }).then((running) => void (outbound = running));
    await starting;
  };
  const giveWay = (error: unknown): void => {
    trouble(error);
    process.kill(process.pid, 'SIGTERM'); // another process takes this place
  };
  if (caution) caution.cleared.then(send).catch(giveWay);
  else await send();
  const refresh = setInterval(() => {
    const before = admission.settings;
    admission.admit('smtp', '127.0.0.1').then(() => { if (admission.settings !== before) outbound?.wake(); }, trouble);
  }, SETTINGS_AGE);
  platform.live(undefined, () => tokenWarnings(tokens.warnings));
  logger.info('delivery serves');
  setImmediate(serves); // the caller says that this role serves before anything else happens
  return {
    drain: async () => {
      draining = true;
      serves();
      clearInterval(refresh);
      clearInterval(retry);
      await starting?.catch(() => undefined); // has been told
      await Promise.all([round, subscription.stop(), outbound?.stop()]);
      await bodies.close();
      await platform.close();
    },
  };
}
