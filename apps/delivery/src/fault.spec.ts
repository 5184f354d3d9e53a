import { describe, expect, it } from '@jest/globals';
import { CheckpointMoved, VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { isOwnFault } from './fault.js';

const coded = (code: string): Error => Object.assign(new Error('no'), { code });

describe('an error of delivery', () => {
  it.each([
    ['a bug', new TypeError("Cannot read properties of undefined (reading 'head')")],
    ['a number out of range', new RangeError('Invalid array length')],
    ['an argument that Node refuses', coded('ERR_INVALID_ARG_TYPE')],
    ['a character that cannot be stored', coded('22021')],
    ['a value too long for its column', coded('22001')],
    ['a violated constraint', coded('23514')],
    ['something thrown that is no error', 'oops'],
  ])('is our own fault when it is %s', (_, error) => expect(isOwnFault(error)).toBe(true));

  it.each([
    ['a race lost', new VersionConflict(['mailbox-1'])],
    ['a partition taken over', new CheckpointMoved('delivery')],
    ['a database that is away', coded('ECONNREFUSED')],
    ['several addresses that do not answer', new AggregateError([coded('ECONNREFUSED'), coded('EHOSTUNREACH')])],
    ['a full disk', coded('53100')],
    ['a server that shuts down', coded('57P01')],
    ['a broken connection', coded('08006')],
    ['a deadlock', coded('40P01')],
    ['a damaged table', coded('XX001')],
    ['a table that is not there: it concerns all', coded('42P01')],
    ['a time-out of a query', new Error('Query read timeout')],
    ['a time-out of the pool', new Error('timeout exceeded when trying to connect')],
    ['a cut connection', new Error('Connection terminated unexpectedly')],
  ])('is trouble that passes when it is %s', (_, error) => expect(isOwnFault(error)).toBe(false));
});
