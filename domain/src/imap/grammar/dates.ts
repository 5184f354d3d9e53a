import { type Cursor, Problem } from './cursor.js';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH = new Map(MONTHS.map((name, index) => [name.toLowerCase(), index]));
const DAY_MS = 86_400_000;

const DATE = /\d{1,2}-[A-Za-z]{3}-\d{4}|"\d{1,2}-[A-Za-z]{3}-\d{4}"/y;
const DATE_TIME = /"[ \d]\d-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4}"/y;

/** `date` of RFC 9051 §9. @returns days since 1970-01-01. */
export function date(cursor: Cursor): number {
  const text = cursor.need(DATE, 'Date');
  const bare = text.startsWith('"') ? text.slice(1, -1) : text;
  const [, day, month, year] = /^(\d+)-(.{3})-(\d{4})$/.exec(bare) ?? [];
  return instant(Number(day), month, Number(year)) / DAY_MS;
}

/** `date-time`, quotes included. @returns epoch ms. */
export function dateTime(cursor: Cursor): number {
  const text = cursor.need(DATE_TIME, 'Date and time');
  const [hour = 0, minute = 0, second = 0, zoneHour = 0, zoneMinute = 0] = [13, 16, 19, 23, 25].map((at) => Number(text.slice(at, at + 2)));
  if (hour > 23 || minute > 59 || second > 60 || zoneHour > 23 || zoneMinute > 59) throw new Problem('There is no such time');
  const offset = (text[22] === '-' ? -1 : 1) * (zoneHour * 60 + zoneMinute);
  return instant(Number(text.slice(1, 3)), text.slice(4, 7), Number(text.slice(8, 12))) + ((hour * 60 + minute - offset) * 60 + second) * 1000;
}

function instant(day: number, monthName: string | undefined, year: number): number {
  const month = MONTH.get(monthName?.toLowerCase() ?? '');
  // Date.UTC takes years below 100 for 1900 and later.
  const ms = month === undefined ? NaN : new Date(0).setUTCFullYear(year, month, day);
  if (Number.isNaN(ms) || new Date(ms).getUTCDate() !== day) throw new Problem('There is no such day');
  return ms;
}

const two = (number: number): string => (number < 10 ? `0${number}` : `${number}`);

/** INTERNALDATE and SAVEDATE with their quotes, in UTC. Years outside 0 to 9999 have no form: the nearest that has one. */
export function printDateTime(ms: number): string {
  const at = new Date(Math.min(Math.max(ms, -62_167_219_200_000), 253_402_300_799_000));
  const year = `${at.getUTCFullYear()}`.padStart(4, '0');
  const day = `${at.getUTCDate()}`.padStart(2, ' ');
  return `"${day}-${MONTHS[at.getUTCMonth()]}-${year} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000"`;
}
