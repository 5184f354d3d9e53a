import { describe, expect, it } from '@jest/globals';
import { addressesOf, credentialsOf } from './kafka-options.js';
import { warningsOf } from './kafka-topics.js';

describe('addresses of brokers', () => {
  it('are host and port, also of IPv6', () => {
    expect(addressesOf(['kafka-1.x.test:9092', ' 192.0.2.1:9093', '[2001:db8::1]:9094'])).toEqual([
      { host: 'kafka-1.x.test', port: 9092 }, { host: '192.0.2.1', port: 9093 }, { host: '2001:db8::1', port: 9094 },
    ]);
  });

  it.each([[[]], [['kafka']], [['kafka:0']], [['kafka:65536']], [['kafka:9092/x']], [['2001:db8::1:9094']], [['']]])('are refused when they are %j', (brokers) => {
    expect(() => addressesOf(brokers)).toThrow(RangeError);
  });
});

describe('credentials for the brokers', () => {
  it('are none unless asked for', () => {
    expect(credentialsOf({})).toEqual({ ssl: undefined, sasl: undefined });
    expect(credentialsOf({ tls: false })).toEqual({ ssl: undefined, sasl: undefined });
  });

  it('trust the authorities of the system, or only the one given', () => {
    expect(credentialsOf({ tls: true }).ssl).toEqual({});
    expect(credentialsOf({ tls: { ca: 'PEM' } }).ssl).toEqual({ ca: 'PEM' });
  });

  it('need a user and a password', () => {
    const sasl = { mechanism: 'scram-sha-512', username: 'kiroku', password: 'secret' } as const;
    expect(credentialsOf({ sasl }).sasl).toEqual(sasl);
    expect(() => credentialsOf({ sasl: { ...sasl, password: '' } })).toThrow(/password/);
  });
});

describe('warnings about topics', () => {
  const good = { 'min.insync.replicas': '2', 'unclean.leader.election.enable': 'false', 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1', 'max.message.bytes': '16777216', 'compression.type': 'producer' };
  const brokers = [1, 2, 3].map((node) => ({ node, host: 'h', port: 1 }));
  const state = (replicas: number) => ({ brokers, topics: [{ topic: 'k.mail', code: 0, partitions: [{ partition: 0, leader: 1, replicas }] }] });
  const warnings = (change: Record<string, string>, replicas = 3) => warningsOf(state(replicas), new Map([['k.mail', new Map(Object.entries({ ...good, ...change }))]]));

  it('are not given for topics as they are made here', () => {
    expect(warnings({})).toEqual([]);
  });

  it.each([
    ['min.insync.replicas', '1'], ['unclean.leader.election.enable', 'true'], ['cleanup.policy', 'compact'], ['cleanup.policy', 'compact,delete'], ['retention.ms', '604800000'],
    ['retention.bytes', '1000000'], ['max.message.bytes', '100000'], ['compression.type', 'lz4'],
  ])('are given for %s %s', (name, value) => {
    expect(warnings({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^Kafka topic k.mail .*${name === 'unclean.leader.election.enable' ? 'unclean' : name}`))]);
  });

  it('are given when there are fewer copies than brokers could hold', () => {
    expect(warnings({ 'min.insync.replicas': '1' }, 1)).toEqual([expect.stringContaining('1 copy')]);
  });
});
