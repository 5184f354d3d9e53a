/** From and until, in minutes of the day; `from` after `until` goes over midnight, equal ones are the whole day. */
export interface Hours { readonly from: number; readonly until: number }

const MOST = 20;
const SPAN = /^([01]?\d|2[0-3]):([0-5]\d)-(?:([01]?\d|2[0-3]):([0-5]\d)|24:00)$/;

/** `09:00-18:00,22:00-02:00`; [] for ''. @returns undefined when it is not of that form. */
export function parseHours(text: string): readonly Hours[] | undefined {
  if (text.trim() === '') return [];
  const spans = text.split(',').map((span) => SPAN.exec(span.trim()));
  if (spans.length > MOST || spans.includes(null)) return undefined;
  return (spans as RegExpExecArray[]).map(([, fh, fm, uh, um]) => ({ from: Number(fh) * 60 + Number(fm), until: uh === undefined ? 1440 : Number(uh) * 60 + Number(um) }));
}

/** Is this minute of the day within the hours? Always, when there are none. */
export const withinHours = (hours: readonly Hours[], minute: number): boolean =>
  hours.length === 0 ||
  hours.some(({ from, until }) => (from < until ? minute >= from && minute < until : from === until || minute >= from || minute < until));
