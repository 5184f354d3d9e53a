import { describe, expect, it } from '@jest/globals';
import { parseHours, withinHours } from './hours.js';

const at = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
const within = (hours: string, time: string): boolean => withinHours(parseHours(hours) ?? [], at(time));

describe('delivery hours', () => {
  it.each([
    ['09:00-18:00', '09:00', true],
    ['09:00-18:00', '08:59', false],
    ['09:00-18:00', '18:00', false],
    ['22:00-02:00', '23:30', true],
    ['22:00-02:00', '01:59', true],
    ['22:00-02:00', '02:00', false],
    ['9:00-12:00, 13:00-24:00', '23:59', true],
    ['9:00-12:00, 13:00-24:00', '12:30', false],
    ['08:00-08:00', '03:00', true],
    ['', '03:00', true],
  ])('%s at %s: %s', (hours, time, expected) => expect(within(hours, time)).toBe(expected));

  it.each(['9-18', '25:00-26:00', '09:60-10:00', '09:00', '09:00-18:00;20:00-21:00', 'always'])('%s are none', (text) => expect(parseHours(text)).toBeUndefined());
});
