import { describe, expect, it } from '@jest/globals';
import pino from 'pino';
import { errorInLog, openLogger } from './logger.js';

describe('an error in the log', () => {
  it('is told with its code and its causes, and with nothing that a library hung on it', () => {
    const cause = Object.assign(new TypeError('inner'), { client: { secretKey: 42 } });
    const error = Object.assign(new Error('outer', { cause }), { code: '57P01', client: { connectionParameters: { user: 'kiroku' } }, query: 'SELECT secret' });
    expect(errorInLog(error)).toEqual({ type: 'Error', message: 'outer', stack: error.stack, code: '57P01', cause: { type: 'TypeError', message: 'inner' } });
  });

  it('ends where causes go round, and may be no error at all', () => {
    const error = new Error('round');
    error.cause = error;
    expect(JSON.stringify(errorInLog(error)).match(/round/g)?.length).toBeLessThan(10);
    expect(errorInLog('just words')).toBe('just words');
    expect(errorInLog(undefined)).toBe('undefined');
  });
});

describe('the log', () => {
  const goesTo = (logger: object): unknown => (logger as { readonly [pino.symbols.streamSym]: { readonly fd: number } })[pino.symbols.streamSym].fd;

  it('of a server goes to stdout, that of a command to stderr: its stdout is its answer', () => {
    expect(goesTo(openLogger('smtp'))).toBe(1);
    expect(goesTo(openLogger('replay', true))).toBe(2);
  });
});
