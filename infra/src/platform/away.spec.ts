import { describe, expect, it } from '@jest/globals';
import { KafkaAway } from '../event-log/kafka-away.js';
import { KurrentAway } from '../event-store/kurrentdb-away.js';
import { unavailable } from '../object-store/s3-errors.js';
import { awayOf, hostsOf, whenThere } from './away.js';
import { type Wait, waitHere, Waiting } from '../supervise/waiting.js';

const coded = (code: string, message = code, more: object = {}): Error => Object.assign(new Error(message), { code, ...more });

describe('an engine that is away', () => {
  it.each([
    ['PostgreSQL', coded('ECONNREFUSED', 'connect ECONNREFUSED 192.0.2.1:5432')],
    ['PostgreSQL', Object.assign(new AggregateError([coded('ECONNREFUSED', 'connect ECONNREFUSED ::1:5432')]), { code: 'ECONNREFUSED' })],
    ['PostgreSQL', coded('ENOTFOUND')],
    ['PostgreSQL', coded('ENOENT', 'connect ENOENT /run/x/.s.PGSQL.5432', { syscall: 'connect' })],
    ['PostgreSQL', coded('57P03', 'the database system is starting up')],
    ['PostgreSQL', coded('53300', 'sorry, too many clients already')],
    ['PostgreSQL', new Error('Connection terminated due to connection timeout', { cause: new Error('x') })],
    ['PostgreSQL', new Error('timeout expired')],
    ['Kafka', new KafkaAway('nobody')],
    ['S3', unavailable(coded('ECONNREFUSED'))],
    ['S3', unavailable(coded('ServiceUnavailable'))],
    ['KurrentDB', new KurrentAway('14 UNAVAILABLE')],
    ['PostgreSQL', new Error('the index of bodies does not answer', { cause: coded('ECONNRESET') })],
  ])('is %s, by %s', (engine, error) => {
    expect(awayOf(error)).toMatchObject({ engine, why: expect.stringMatching(/./) });
  });

  it.each([
    coded('28P01', 'password authentication failed'), coded('3D000', 'database "x" does not exist'), coded('42501'), coded('ENOENT', 'no such file', { syscall: 'open' }),
    new Error('Query read timeout'), unavailable(coded('AccessDenied')), unavailable(coded('NoSuchBucket')), unavailable(coded('ERR_SSL_WRONG_VERSION_NUMBER')),
    unavailable(coded('DEPTH_ZERO_SELF_SIGNED_CERT')), new Error('Kafka: topic x is gone'), 'text', undefined,
  ])('is not what %s tells of', (error) => {
    expect(awayOf(error)).toBeUndefined();
  });

  it('is named with its address, and without user and password', async () => {
    const said: (Wait | undefined)[] = [];
    waitHere(new Waiting(Infinity, (wait) => said.push(wait), () => 0, () => Promise.resolve()));
    const postgres = { connectionString: 'postgres://me:secret@db.test/mail?options=-c%20x' };
    const places = { kafkaBrokers: ['a.test:9092', 'b.test:9092'], s3Endpoint: 'https://s3.test', kurrentdbUrl: 'kurrentdb://me:secret@k.test:2113,l.test:2113?tls=true' };
    const failures = [coded('ECONNREFUSED'), new KafkaAway('k'), new KurrentAway('k'), unavailable(coded('ECONNREFUSED'))];
    await whenThere(postgres, places, () => {
      const failure = failures.shift();
      return failure ? Promise.reject(failure) : Promise.resolve();
    });
    expect(said.map((wait) => wait?.for)).toEqual(
      ['PostgreSQL at db.test:5432', 'Kafka at a.test:9092, b.test:9092', 'KurrentDB at k.test:2113,l.test:2113', 'S3 at https://s3.test', undefined]);
  });

  it('has hosts in its address whatever else is there', () => {
    expect(hostsOf('esdb+discover://u:p%40q@x.test:1')).toBe('x.test:1');
    expect(hostsOf('kurrentdb://x.test?a=b@c')).toBe('x.test');
  });
});
