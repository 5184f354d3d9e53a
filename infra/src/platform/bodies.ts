import { join } from 'node:path';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { Config } from '../config/config.js';
import { EnginesRefused } from '../config/engines-in-use.js';
import { openFileObjectStore } from '../object-store/files.js';
import { PgBodyIndex } from '../object-store/pg-index.js';
import { whenThere } from './away.js';
import type { Platform } from './platform.js';

/** An object store whose index can be completed from what is stored. */
export interface Bodies extends ObjectStore {
  /** To be called when a worker starts. @returns bodies told to the index. */
  recoverIndex(): Promise<number>;
  /** Empties the index and fills it from what is stored. @returns bodies told to the index. */
  rebuildIndex(onProgress?: (progress: { readonly done: number; readonly of: number }) => void): Promise<number>;
}

/** The object store that the settings name: files under `<data>/objects`, or an S3 bucket, which processes of the server wait for. Its index is in PostgreSQL. */
export async function openBodies({ pool, engine, trouble, address }: Platform, config: Config, writer: boolean): Promise<Bodies> {
  const index = new PgBodyIndex(pool);
  const common = { index, writer, trouble, clock: engine.clock };
  if (config.objectStore === 'files') return openFileObjectStore({ ...common, folder: join(config.data, 'objects') });
  const { openS3ObjectStore } = await import('../object-store/s3.js');
  const { s3Endpoint = '', s3Bucket = '', s3AccessKey = '', s3SecretKey = '', s3Region, s3Prefix, s3Encryption, s3ObjectLock } = config;
  return whenThere(address, config, () => openS3ObjectStore({
    ...common, endpoint: s3Endpoint, bucket: s3Bucket, accessKey: s3AccessKey, secretKey: s3SecretKey, region: s3Region, prefix: s3Prefix,
    encryption: s3Encryption, objectLockDays: s3ObjectLock ?? 0, createBucket: true,
  }));
}

/**
 * For every start: a database in which nothing was ever decided has no use for bodies. Those that lie there are another installation's, and
 * the next sweep would remove all of them, since nothing here refers to them.
 * @throws EnginesRefused
 */
export async function refuseOthersBodies(platform: Platform, config: Config): Promise<void> {
  if ((await platform.log.head('decision', 0)) > 0) return;
  const bodies = await openBodies(platform, config, true);
  try {
    await bodies.recoverIndex();
    const { bodies: found } = await bodies.usage();
    if (found > 0)
      throw new EnginesRefused(
        `this database is new, and ${found} bodies lie in ${config.objectStore === 's3' ? `bucket ${config.s3Bucket}` : join(config.data, 'objects')}: KIROKU_POSTGRES_URL must name the database that they belong to ("kiroku migrate-engine --to postgres" moves an embedded one), or restore its backup; a new installation needs an empty place for bodies`);
  } finally {
    await bodies.close();
  }
}
