import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { printDateTime } from './dates.js';
import { CommandReader } from './command-reader.js';
import { bytes, MODE } from './testing.js';

function receivedAt(dateTime: string): number | undefined {
  const step = new CommandReader().line(bytes(`a APPEND x ${dateTime} {1}`), MODE);
  return step.step === 'literal' ? step.head?.receivedAt : undefined;
}

describe('a date and time', () => {
  it.each([
    ['"17-Jul-1996 02:44:25 -0700"', Date.UTC(1996, 6, 17, 9, 44, 25)],
    ['" 1-jan-1970 00:00:00 +0000"', 0],
    ['"01-Jan-1970 09:00:00 +0900"', 0],
    ['"31-Dec-1969 23:59:59 -0000"', -1000],
    ['"29-Feb-2024 12:00:00 +0530"', Date.UTC(2024, 1, 29, 6, 30)],
    ['"31-Dec-2016 23:59:60 +0000"', Date.UTC(2017, 0, 1)],
    ['"01-Jan-0050 00:00:00 +0000"', new Date(0).setUTCFullYear(50, 0, 1)],
  ])('%s is an instant', (text, ms) => expect(receivedAt(text)).toBe(ms));

  it.each([
    '"29-Feb-2023 00:00:00 +0000"', '"00-Jan-2024 00:00:00 +0000"', '"32-Jan-2024 00:00:00 +0000"', '"01-Foo-2024 00:00:00 +0000"', '"01-Jan-2024 24:00:00 +0000"', '"01-Jan-2024 00:60:00 +0000"', '"01-Jan-2024 00:00:61 +0000"',
    '"01-Jan-2024 00:00:00 +2400"', '"01-Jan-2024 00:00:00 +0060"', '"1-Jan-2024 00:00:00 +0000"', '"01-Jan-24 00:00:00 +0000"', '"01-Jan-2024 00:00:00"', '"01-Jan-2024T00:00:00 +0000"', '01-Jan-2024',
  ])('%s is none', (text) => expect(receivedAt(text)).toBeUndefined());

  it('is printed in UTC with two places for the day', () => {
    expect(printDateTime(0)).toBe('" 1-Jan-1970 00:00:00 +0000"');
    expect(printDateTime(Date.UTC(2026, 10, 22, 8, 5, 9, 999))).toBe('"22-Nov-2026 08:05:09 +0000"');
  });

  it('reads back as it is printed, for every second that has a form', () =>
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200, max: 253_402_300_799 }), (second) => {
        expect(receivedAt(printDateTime(second * 1000))).toBe(second * 1000);
      }),
    ));

  it('outside those years is the nearest that has a form', () => {
    expect(printDateTime(Number.MAX_SAFE_INTEGER)).toBe('"31-Dec-9999 23:59:59 +0000"');
    expect(printDateTime(Number.MIN_SAFE_INTEGER)).toBe('" 1-Jan-0000 00:00:00 +0000"');
  });
});
