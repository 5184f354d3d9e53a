import { itemLabel } from '@kiroku/domain/imap/grammar/fetch-response.js';
import type { FetchItem, Section } from '@kiroku/domain/imap/grammar/fetch-item.js';

/** Octets of a message that an item stands for. */
export interface BodyItem {
  readonly kind: 'section' | 'binary' | 'binary-size';
  /** What stands before the value. */
  readonly label: string;
  readonly section: Section;
  readonly partial?: { readonly from: number; readonly count: number };
  /** See `Step`. */
  readonly lasting?: string;
  readonly structured?: boolean;
}

export interface PlainItem {
  readonly kind: 'plain';
  readonly item: Exclude<FetchItem['item'], 'BODY[]' | 'BINARY[]' | 'BINARY.SIZE' | 'RFC822' | 'RFC822.HEADER' | 'RFC822.TEXT'>;
  /** The name under which its answer is worth keeping: it is short, never changes, and costs something to make. */
  readonly lasting?: string;
  /** It is made from the structure. */
  readonly structured?: boolean;
}

/** A FETCH item, ready to be answered for any number of messages. */
export type Step = PlainItem | BodyItem;

export interface FetchPlan {
  readonly steps: readonly Step[];
  /** What the items need beyond flags and UID: what is stored of each message, and its structure. */
  readonly stored: boolean;
  readonly structure: boolean;
  readonly bodies: boolean;
  /** Fetching them marks messages as read (RFC 9051 §6.4.5). */
  readonly seen: boolean;
}

const FLAGS_ONLY: ReadonlySet<FetchItem['item']> = new Set<FetchItem['item']>(['FLAGS', 'UID', 'MODSEQ', 'THREADID']);
const STRUCTURED: ReadonlySet<FetchItem['item']> = new Set<FetchItem['item']>(['BODY', 'BODYSTRUCTURE', 'ENVELOPE', 'PREVIEW']);
const WHOLE: Section = { part: [], text: 'all', fields: [] };

/** @param utf8 the client reads UTF-8 in quoted strings: it gets other answers. */
export function planOf(items: readonly FetchItem[], utf8 = false): FetchPlan {
  const steps = items.map((item) => stepOf(item, utf8));
  const bodies = steps.some(({ kind }) => kind !== 'plain');
  return {
    steps, bodies,
    stored: items.some(({ item }) => !FLAGS_ONLY.has(item)),
    structure: steps.some(({ structured }) => structured),
    seen: items.some((item) => item.item === 'RFC822' || item.item === 'RFC822.TEXT' || ('peek' in item && !item.peek)),
  };
}

function stepOf(item: FetchItem, utf8: boolean): Step {
  switch (item.item) {
    case 'RFC822':
      return { kind: 'section', label: 'RFC822', section: WHOLE };
    case 'RFC822.HEADER':
      return section('RFC822.HEADER', { ...WHOLE, text: 'HEADER' });
    case 'RFC822.TEXT':
      return section('RFC822.TEXT', { ...WHOLE, text: 'TEXT' });
    case 'BODY[]':
      return section(itemLabel(item), item.section, item.partial);
    case 'BINARY[]':
      return { kind: 'binary', label: itemLabel(item), section: { ...WHOLE, part: item.part }, structured: true, ...(item.partial && { partial: item.partial }) };
    case 'BINARY.SIZE':
      return { kind: 'binary-size', label: itemLabel(item), section: { ...WHOLE, part: item.part }, structured: true };
    default:
      return STRUCTURED.has(item.item) ? { kind: 'plain', item: item.item, structured: true, lasting: utf8 ? `${item.item} in UTF-8` : item.item } : { kind: 'plain', item: item.item };
  }
}

function section(label: string, named: Section, partial?: BodyItem['partial']): BodyItem {
  const lasting = named.text !== 'all' && named.text !== 'TEXT' && !partial;
  return { kind: 'section', label, section: named, structured: named.part.length > 0 || named.text !== 'all', ...(lasting && { lasting: label }), ...(partial && { partial }) };
}
