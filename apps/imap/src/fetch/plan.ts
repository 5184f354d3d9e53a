import { itemLabel } from '@kiroku/domain/imap/grammar/fetch-response.js';
import type { FetchItem, Section } from '@kiroku/domain/imap/grammar/fetch-item.js';

/** Octets of a message that an item stands for. */
export interface BodyItem {
  readonly kind: 'section' | 'binary' | 'binary-size';
  /** What stands before the value. */
  readonly label: string;
  readonly section: Section;
  readonly partial?: { readonly from: number; readonly count: number };
}

/** A FETCH item, ready to be answered for any number of messages. */
export type Step = { readonly kind: 'plain'; readonly item: Exclude<FetchItem['item'], 'BODY[]' | 'BINARY[]' | 'BINARY.SIZE' | 'RFC822' | 'RFC822.HEADER' | 'RFC822.TEXT'> } | BodyItem;

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

export function planOf(items: readonly FetchItem[]): FetchPlan {
  const steps = items.map(stepOf);
  const isWhole = (step: Step): boolean => step.kind === 'section' && step.section.part.length === 0 && step.section.text === 'all';
  const bodies = steps.some(({ kind }) => kind !== 'plain');
  return {
    steps, bodies,
    stored: items.some(({ item }) => !FLAGS_ONLY.has(item)),
    structure: items.some(({ item }) => STRUCTURED.has(item)) || steps.some((step) => step.kind !== 'plain' && !isWhole(step)),
    seen: items.some((item) => item.item === 'RFC822' || item.item === 'RFC822.TEXT' || ('peek' in item && !item.peek)),
  };
}

function stepOf(item: FetchItem): Step {
  switch (item.item) {
    case 'RFC822':
      return { kind: 'section', label: 'RFC822', section: WHOLE };
    case 'RFC822.HEADER':
      return { kind: 'section', label: 'RFC822.HEADER', section: { ...WHOLE, text: 'HEADER' } };
    case 'RFC822.TEXT':
      return { kind: 'section', label: 'RFC822.TEXT', section: { ...WHOLE, text: 'TEXT' } };
    case 'BODY[]':
      return { kind: 'section', label: itemLabel(item), section: item.section, ...(item.partial && { partial: item.partial }) };
    case 'BINARY[]':
      return { kind: 'binary', label: itemLabel(item), section: { ...WHOLE, part: item.part }, ...(item.partial && { partial: item.partial }) };
    case 'BINARY.SIZE':
      return { kind: 'binary-size', label: itemLabel(item), section: { ...WHOLE, part: item.part } };
    default:
      return { kind: 'plain', item: item.item };
  }
}
