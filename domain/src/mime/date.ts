/** When a message says it was sent. */
export interface SentDate {
  /** Epoch ms. For SORT (RFC 5256 §2.2). */
  readonly at: number;
  /** Midnight UTC of the day as the sender wrote it, epoch ms: SENTON and its like disregard time and zone (RFC 9051 §6.4.4). */
  readonly day: number;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** RFC 5322 §4.3, and the zone that Japanese programs write. Minutes east. */
const ZONES: ReadonlyMap<string, number> = new Map(
  Object.entries({ UT: 0, UTC: 0, GMT: 0, Z: 0, EST: -300, EDT: -240, CST: -360, CDT: -300, MST: -420, MDT: -360, PST: -480, PDT: -420, JST: 540 }),
);

const WRITTEN = /^(?:[A-Za-z]+\.?,?)?[ \t]*(\d{1,2})[ \t-]+([A-Za-z]{3})[A-Za-z]*\.?,?[ \t-]+(\d{2,4})[ \t]*,?[ \t]*(.*)$/;
/** `Mon Jan  2 15:04:05 2006`, as C prints it. */
const ASCTIME = /^(?:[A-Za-z]+,?)?[ \t]*([A-Za-z]{3})[a-z]*[ \t]+(\d{1,2}),?[ \t]+(\d{1,2}:\d{2}(?::\d{2})?)[ \t]+(?:([A-Za-z]+|[+-]\d{4})[ \t]+)?(\d{4})[ \t]*([+-]\d{4})?/;
const TIME = /^(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:\.\d{1,9})?[ \t]*(?:(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})|([A-Za-z]+))?/;
/** No date is longer. */
const LONGEST = 200;

/** Date field (RFC 5322 §3.3, §4.3), as tolerant as it has to be. @returns undefined for what is no date; never throws. */
export function parseDate(value: string): SentDate | undefined {
  const text = value.slice(0, LONGEST).replace(/\([^()]*\)/g, ' ').trim();
  const [, day, month, year, rest] = WRITTEN.exec(text) ?? [];
  if (day !== undefined && month !== undefined && year !== undefined) return assemble(year, month, day, rest ?? '');
  const [, name, date, time, zone, full, offset] = ASCTIME.exec(text) ?? [];
  if (name === undefined || date === undefined || full === undefined) return undefined;
  return assemble(full, name, date, `${time} ${offset ?? zone ?? ''}`);
}

function assemble(year: string, month: string, day: string, rest: string): SentDate | undefined {
  const index = MONTHS.indexOf(month.toLowerCase());
  const date = Number(day);
  const full = fullYear(year);
  const midnight = Date.UTC(full, index, date);
  if (index < 0 || date < 1 || new Date(midnight).getUTCDate() !== date) return undefined;
  const [, hours = '0', minutes = '0', seconds = '0', sign, zoneHours, zoneMinutes, zone] = TIME.exec(rest) ?? [];
  if (Number(hours) > 24 || Number(minutes) > 59 || Number(seconds) > 60) return undefined;
  const offset = sign === undefined ? (ZONES.get(zone?.toUpperCase() ?? '') ?? 0) : (sign === '-' ? -1 : 1) * (Number(zoneHours) * 60 + Number(zoneMinutes));
  return { at: midnight + ((Number(hours) * 60 + Number(minutes) - offset) * 60 + Number(seconds)) * 1_000, day: midnight };
}

/** RFC 5322 §4.3: two and three digits. */
function fullYear(text: string): number {
  const year = Number(text);
  if (text.length === 2) return year < 50 ? 2000 + year : 1900 + year;
  return text.length === 3 ? 1900 + year : year;
}
