import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { asAway, KafkaAway } from './kafka-away.js';
import { KafkaError } from './kafka-codes.js';

type Errors = Readonly<Record<string, new (...args: unknown[]) => Error>>;
const errors = createRequire(import.meta.url)('kafkajs/src/errors.js') as Errors;
const made = (name: string, ...args: unknown[]): Error => new (errors[name] as new (...args: unknown[]) => Error)(...args);
const connection = (message: string, code?: string): Error => made('KafkaJSConnectionError', message, { broker: 'x:1', code });
const link = (cause: Error): Error => new Error(`Kafka: no connection to x:1: ${cause.message}`, { cause });

describe('a start that Kafka did not answer', () => {
  it.each([
    link(connection('Connection error: connect ECONNREFUSED', 'ECONNREFUSED')),
    link(connection('Connection timeout')),
    link(made('KafkaJSSASLAuthenticationError', 'SASL PLAIN authentication failed: Closed connection')),
    made('KafkaJSRequestTimeoutError', 'Request Metadata timed out', {}),
    made('KafkaJSNumberOfRetriesExceeded', connection('Connection timeout'), { retryCount: 3, retryTime: 1 }),
    new KafkaError(14, 'asking for a producer id'),
    new Error('Kafka: kiroku.mail/0 has no leader'),
    new Error('Kafka: new topics have no leaders yet: try again'),
  ])('may be tried again: %s', (error) => {
    expect(asAway(error)).toBeInstanceOf(KafkaAway);
  });

  it.each([
    link(made('KafkaJSSASLAuthenticationError', 'SASL PLAIN authentication failed: Authentication failed: Invalid username or password')),
    link(connection('Connection error: self-signed certificate in certificate chain', 'SELF_SIGNED_CERT_IN_CHAIN')),
    link(connection('Connection error: wrong version number', 'EPROTO')),
    new KafkaError(29, 'asking'),
    new Error('Kafka: the history lies in cluster a; these brokers are of cluster b'),
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' }),
  ])('need not be tried again: %s', (error) => {
    expect(asAway(error)).toBe(error);
  });
});
