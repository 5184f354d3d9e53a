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
