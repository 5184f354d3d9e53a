import type { FetchItem, Section } from './fetch-item.js';
import { astring } from './strings.js';

/** What a FETCH response calls the item: `BODY[1.HEADER.FIELDS (From)]<0>`, never `.PEEK` (RFC 9051 §7.5.2). */
export function itemLabel(item: FetchItem): string {
  switch (item.item) {
    case 'BODY[]':
      return `BODY[${sectionLabel(item.section)}]${origin(item.partial)}`;
    case 'BINARY[]':
      return `BINARY[${item.part.join('.')}]${origin(item.partial)}`;
    case 'BINARY.SIZE':
      return `BINARY.SIZE[${item.part.join('.')}]`;
    default:
      return item.item;
  }
}

const origin = (partial: { readonly from: number } | undefined): string => (partial ? `<${partial.from}>` : '');

function sectionLabel({ part, text, fields }: Section): string {
  const number = part.join('.');
  if (text === 'all') return number;
  const names = text.startsWith('HEADER.FIELDS') ? ` (${fields.map((field) => astring(field, false)).join(' ')})` : '';
  return `${number}${number && '.'}${text}${names}`;
}

/** @param number the message's number, or its UID for a client that has enabled UIDONLY (RFC 9586 §3.3). */
export const fetchLine = (number: number, items: string, uidOnly = false): string => `* ${number} ${uidOnly ? 'UIDFETCH' : 'FETCH'} (${items})\r\n`;

/** Columns of a mailbox as a session keeps them: `flags[i]` is an index into `flagTexts`, which are printed once: `(\Seen)`. */
export interface FlagColumns {
  readonly uids: ArrayLike<number>;
  readonly flags: ArrayLike<number>;
  readonly flagTexts: readonly string[];
  /** Adds MODSEQ. */
  readonly modSeqs?: ArrayLike<number>;
}

/**
 * The lines that answer FETCH (UID FLAGS), the first thing most clients ask of a whole mailbox, for the messages numbered `first` + 1 up
 * to `end`. A few hundred lines at a time keep the text short.
 */
export function uidFlagsLines({ uids, flags, flagTexts, modSeqs }: FlagColumns, first: number, end: number): string {
  let text = '';
  // Indices are below the columns' length: a check of each would cost more than the rest.
  for (let i = first; i < end; i++) {
    text += `* ${i + 1} FETCH (UID ${uids[i] as number} FLAGS ${flagTexts[flags[i] as number] as string}${modSeqs ? ` MODSEQ (${modSeqs[i] as number})` : ''})\r\n`;
  }
  return text;
}
