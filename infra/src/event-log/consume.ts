import type { Consumer, EventLog, Subscription } from '@kiroku/domain/kernel/event-log.js';
import type { Hints } from './hints.js';
import { PartitionLeases } from './leases.js';
import { Pace } from './pace.js';
import { runPartition } from './run-partition.js';

/** What a member of a consumer group needs of a log whose partitions are shared out by leases and whose growth is told by hints. */
export interface Consumable extends Pick<EventLog, 'read' | 'partitions'> {
  readonly hints: Hints;
}

/** A member of a consumer group, for every log: leases say which partitions are its own, hints when to look again. */
export async function consumeByLeases(log: Consumable, consumer: Consumer): Promise<Subscription> {
  const { hints } = log;
  const stopping = new AbortController();
  const wanted = consumer.topics.flatMap((topic) => Array.from({ length: log.partitions(topic) }, (_, partition) => ({ topic, partition })));
  const leases = await PartitionLeases.open(hints, consumer.group, wanted, (error) => consumer.trouble(error));
  const most = Math.max(...consumer.topics.map((topic) => log.partitions(topic)));
  const pause = (ms: number) => hints.pause(ms, stopping.signal);
  const seen = () => wanted.reduce((sum, { topic, partition }) => sum + hints.seen(topic, partition), 0);
  const pace = new Pace(consumer, { stopping: stopping.signal, seen, pause });
  const loops = wanted.map(({ topic, partition }) =>
    runPartition(log, consumer, topic, partition, {
      batch: consumer.batch * Math.ceil(most / log.partitions(topic)),
      stopping: stopping.signal,
      mine: () => leases.has(topic, partition),
      seen: () => hints.seen(topic, partition),
      wait: (since) => hints.wait(topic, partition, since, stopping.signal),
      pause,
      next: () => pace.next(),
    }).finally(() => leases.give(topic, partition)),
  );
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
      await leases.close();
    },
  };
}
