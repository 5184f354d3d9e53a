import { isNetworkError } from '../net/network-errors.js';
import { KafkaError, PASSING } from './kafka-codes.js';

/** No broker answers, or not all that are needed are there: it may pass. */
export class KafkaAway extends Error {}

/** The library's names for it, besides connections that fail. */
const AWAY: ReadonlySet<string> = new Set([
  'KafkaJSConnectionClosedError', 'KafkaJSRequestTimeoutError', 'KafkaJSBrokerNotFound', 'KafkaJSNoBrokerAvailableError', 'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded', 'KafkaJSLockTimeout',
]);
/** It says that authentication failed also when the connection broke meanwhile. */
const BROKE = /authentication failed: (Closed connection|Connection |Request .* timed out)/;

/** What a start ended with, as a KafkaAway if another try may succeed. Errors of others, the database's for instance, stay what they are. */
export const asAway = (error: unknown): unknown => (passes(error) ? new KafkaAway((error as Error).message, { cause: error }) : error);

export function passes(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || error instanceof KafkaAway) return false;
  if (error instanceof KafkaError) return PASSING.has(error.code);
  const { name = '', message = '', code, originalError, errors, cause = originalError } = error as Failure;
  if (message.startsWith('Kafka:')) return /ha(s|ve) no leaders?\b/.test(message) || passes(cause);
  if (!name.startsWith('KafkaJS')) return false;
  if (typeof code === 'number') return PASSING.has(code);
  // A code that is not the network's is one of TLS: certificates do not come right by waiting.
  if (name === 'KafkaJSConnectionError') return code === undefined || isNetworkError(error);
  return AWAY.has(name) || BROKE.test(message) || passes(cause) || (errors !== undefined && errors.length > 0 && errors.every(passes));
}

interface Failure {
  readonly name?: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly cause?: unknown;
  /** In kafkajs, before errors had causes. */
  readonly originalError?: unknown;
  readonly errors?: readonly unknown[];
}
