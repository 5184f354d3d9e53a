import { type BeforeApplicationShutdown, type DynamicModule, Inject, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Config } from '@kiroku/infra/config/config.js';
import type { FileObjectStore } from '@kiroku/infra/object-store/files.js';
import { openBodies } from '@kiroku/infra/platform/bodies.js';
import { openPlatform, type Platform } from '@kiroku/infra/platform/platform.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { PostgresAdmission } from '@kiroku/infra/read-model/admission.js';
import { Worker } from './worker.js';

interface Parts {
  readonly platform: Platform;
  readonly bodies: FileObjectStore;
  readonly worker: Worker;
}

/** Wires the worker role: views that follow the log, and housekeeping. */
export class WorkerModule implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  static of(config: Config, postgres: PostgresConnection): DynamicModule {
    return { module: WorkerModule, providers: [{ provide: 'worker', useFactory: () => open(config, postgres) }] };
  }

  constructor(@Inject('worker') private readonly parts: Parts) {}

  async onApplicationBootstrap(): Promise<void> {
    const { platform, worker } = this.parts;
    await worker.start();
    platform.live();
    platform.logger.info('worker serves');
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.parts.worker.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.parts.bodies.close();
    await this.parts.platform.close();
  }
}

async function open(config: Config, postgres: PostgresConnection): Promise<Parts> {
  const platform = openPlatform('worker', postgres, 4, 15);
  const { pool, engine } = platform;
  const bodies = await openBodies(platform, config.data, true); // compaction writes
  const admission = new PostgresAdmission(pool, engine);
  const worker = new Worker(platform, bodies, async () => (await admission.admit('smtp', '127.0.0.1')).settings);
  return { platform, bodies, worker };
}
