import { readFileSync } from 'node:fs';
import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import type { EventStore } from '@kiroku/domain/kernel/event-store.js';
import type pg from 'pg';
import type { Config } from '../config/config.js';
import type { Hints } from '../event-log/hints.js';
import type { KafkaEventLog } from '../event-log/kafka.js';
import type { KafkaOptions } from '../event-log/kafka-options.js';
import { PostgresEventLog } from '../event-log/postgres.js';
import type { KurrentEventStore } from '../event-store/kurrentdb.js';
import { PostgresEventStore } from '../event-store/postgres.js';
import { Projector } from '../read-model/projector.js';
import { INLINE_VIEWS, UPGRADES } from '../read-model/views.js';

export interface Engines {
  readonly log: EventLog;
  readonly store: EventStore;
  readonly kafka?: KafkaEventLog;
  readonly kurrent?: KurrentEventStore;
}

interface Parts {
  readonly pool: pg.Pool;
  readonly hints: Hints;
  readonly appended: (type: string, count: number) => void;
  readonly trouble: (error: unknown) => void;
}

/** The event log and the event store that the settings name. What is not used is not loaded: an embedded server has no memory to give away. */
export async function openEngines(config: Config | undefined, parts: Parts): Promise<Engines> {
  const { pool, hints, appended, trouble } = parts;
  const inline = INLINE_VIEWS.map((view) => new Projector(view));
  const kurrent = config?.eventStore === 'kurrentdb' ? await openKurrent(config, parts, inline) : undefined;
  const store = kurrent ?? new PostgresEventStore(pool, hints, inline, UPGRADES);
  if (config?.eventLog !== 'kafka') return { log: new PostgresEventLog(pool, hints, UPGRADES, Date.now, appended), store, ...(kurrent && { kurrent }) };
  try {
    const { openKafkaLog } = await import('../event-log/kafka.js');
    const kafka = await openKafkaLog(kafkaOptions(config), { pool, hints, upgrades: UPGRADES, appended, trouble });
    return { log: kafka, store, kafka, ...(kurrent && { kurrent }) };
  } catch (error) {
    await kurrent?.close();
    throw error;
  }
}

async function openKurrent(config: Config, { pool, hints, trouble }: Parts, inline: readonly Projector[]): Promise<KurrentEventStore> {
  const { KurrentEventStore } = await import('../event-store/kurrentdb.js');
  const store = new KurrentEventStore({ url: config.kurrentdbUrl ?? '', trouble }, pool, hints, inline, UPGRADES);
  try {
    await store.ready();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Topic `session` has fewer facts than `mail`, and nobody waits for them: a third of its partitions. */
export function kafkaOptions(config: Config): KafkaOptions {
  const { kafkaBrokers = [], kafkaPrefix, kafkaPartitions, kafkaReplication, kafkaTls, kafkaSasl, kafkaUser = '', kafkaPassword = '' } = config;
  return {
    brokers: kafkaBrokers,
    prefix: kafkaPrefix,
    partitions: { mail: kafkaPartitions, session: Math.max(1, Math.ceil(kafkaPartitions / 3)) },
    ...(kafkaReplication !== undefined && { replication: kafkaReplication }),
    tls: typeof kafkaTls === 'string' ? { ca: readFileSync(kafkaTls, 'utf8') } : kafkaTls,
    ...(kafkaSasl && { sasl: { mechanism: kafkaSasl, username: kafkaUser, password: kafkaPassword } }),
    clientId: 'kiroku',
  };
}
