import { describe, expect, it } from '@jest/globals';
import { parseOptions } from './options.js';

describe('the options of the benchmark', () => {
  it('mean everything, at length, when there are none', () => {
    expect(parseOptions([])).toEqual({ quick: false, only: ['accept', 'e2e', 'imap', 'outbound', 'replay', 'memory'], peersOnly: false });
  });

  it('choose benchmarks by name, several of them by comma or by repetition', () => {
    expect(parseOptions(['--only', 'memory,accept']).only).toEqual(['accept', 'memory']);
    expect(parseOptions(['--only', 'e2e', '--only', 'replay', '--quick', '--json', 'a.json'])).toEqual({
      quick: true,
      only: ['e2e', 'replay'],
      json: 'a.json',
      peersOnly: false,
    });
  });

  it('refuse what they do not know', () => {
    expect(() => parseOptions(['--only', 'speed'])).toThrow('no benchmark is called speed');
    expect(() => parseOptions(['--fast'])).toThrow();
  });
});
