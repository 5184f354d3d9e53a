import { type BeforeApplicationShutdown, type DynamicModule, Inject, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Subscription } from '@kiroku/domain/kernel/event-log.js';
import { CheckpointMoved } from '@kiroku/domain/kernel/event-store.js';
import { openPlatform, type Platform } from '@kiroku/infra/platform/platform.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { PostgresAdmission } from '@kiroku/infra/read-model/admission.js';
import { PostgresDirectory } from '@kiroku/infra/read-model/directory.js';
import { DELIVERY, LocalDelivery } from './local-delivery.js';

/** Messages per slice: bounds memory; what waits in all partitions shares a transaction anyway. */
const BATCH = 500;
/** ms: one transaction for what a busy server accepts in that time, and a delay that no recipient notices. */
const PACE = 20;
/** ms for which settings may be old here: only the tag separators matter. */
const SETTINGS_AGE = 1_000;

interface Parts {
  readonly platform: Platform;
  readonly delivery: LocalDelivery;
}

/** Wires the delivery role: consumes topic `mail`, appends to mailboxes. */
export class DeliveryModule implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  #subscription: Subscription | undefined;

  static of(postgres: PostgresConnection): DynamicModule {
    return { module: DeliveryModule, providers: [{ provide: 'delivery', useFactory: () => open(postgres) }] };
  }

  constructor(@Inject('delivery') private readonly parts: Parts) {}

  async onApplicationBootstrap(): Promise<void> {
    const { platform, delivery } = this.parts;
    this.#subscription = await platform.log.consume({
      group: DELIVERY, topics: ['mail'], batch: BATCH, pace: PACE, start: delivery.start, handle: delivery.handle,
      // A partition that another process has taken over is read again from its checkpoint.
      trouble: (error) => { if (!(error instanceof CheckpointMoved)) platform.trouble(error); },
    });
    platform.live();
    platform.logger.info('delivery serves');
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#subscription?.stop();
  }

  onApplicationShutdown(): Promise<void> {
    return this.parts.platform.close();
  }
}

async function open(postgres: PostgresConnection): Promise<Parts> {
  const platform = openPlatform('delivery', postgres, 5, 5);
  const { pool, engine, metrics } = platform;
  const admission = new PostgresAdmission(pool, engine);
  let asked = -Infinity;
  const directory = new PostgresDirectory(pool, () => admission.settings.tagSeparators);
  const fresh = {
    lookup: async (addresses: readonly string[]) => {
      if (engine.clock.now() - asked > SETTINGS_AGE) {
        await admission.admit('smtp', '127.0.0.1');
        asked = engine.clock.now();
      }
      return directory.lookup(addresses);
    },
  };
  const delivery = new LocalDelivery(engine, fresh, {
    delivered: (messages) => metrics.count('kiroku_delivered_total', 'Messages whose local recipients were delivered', messages),
  });
  return { platform, delivery };
}
