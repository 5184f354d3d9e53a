/** Error codes of Kafka's protocol that make a difference here (kafka.apache.org/protocol, "Error Codes"). */
export const CODE = { none: 0, offsetOutOfRange: 1, duplicateSequence: 46 } as const;

/** The broker did not write the batch because of who writes it: its numbers do not go on where the log stands, or it is not known any more. */
export const WRITER_LOST: ReadonlySet<number> = new Set([
  45 /* out of order sequence */, 47 /* epoch of the producer */, 49 /* mapping of the producer id */, 59 /* unknown producer id */, 90 /* fenced */,
]);

/** It passes by itself: elections, replicas away, a broker that starts or ends. */
export const PASSING: ReadonlySet<number> = new Set([
  2 /* corrupt on the way */, 3 /* unknown topic: a broker that has just started */, 5 /* no leader */, 6 /* not the leader */, 7 /* timed out */, 8 /* broker away */,
  9 /* replica away */, 13 /* network */, 14 /* coordinator loading */, 15 /* coordinator away */, 16 /* not the coordinator */, 19 /* too few replicas */,
  20 /* too few replicas after writing */, 56 /* disk of the broker */, 74 /* fenced leader epoch */, 75 /* unknown leader epoch */, 76 /* offset not available */,
  78 /* offset not available */, 89 /* quota */,
]);

/** Among those, the ones after which the batch may lie in the log all the same: a leader may step down while it waits for the replicas. */
export const MAYBE_WRITTEN: ReadonlySet<number> = new Set([3, 6, 7, 13, 20, 56]);

const NAMES: Readonly<Record<number, string>> = {
  1: 'OFFSET_OUT_OF_RANGE', 3: 'UNKNOWN_TOPIC_OR_PARTITION', 5: 'LEADER_NOT_AVAILABLE', 6: 'NOT_LEADER_OR_FOLLOWER', 7: 'REQUEST_TIMED_OUT', 10: 'MESSAGE_TOO_LARGE',
  17: 'INVALID_TOPIC', 19: 'NOT_ENOUGH_REPLICAS', 20: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 29: 'TOPIC_AUTHORIZATION_FAILED', 31: 'CLUSTER_AUTHORIZATION_FAILED',
  45: 'OUT_OF_ORDER_SEQUENCE_NUMBER', 47: 'INVALID_PRODUCER_EPOCH', 59: 'UNKNOWN_PRODUCER_ID', 87: 'INVALID_RECORD', 90: 'PRODUCER_FENCED',
};

/** What a broker answered in place of a result. */
export class KafkaError extends Error {
  constructor(
    readonly code: number,
    what: string,
  ) {
    super(`Kafka: ${what}: ${NAMES[code] ?? `error ${code}`}`);
  }
}
