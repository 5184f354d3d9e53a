import type { Recorded } from '../kernel/event.js';
import type { StoryEvent } from './texts.js';

/** Where one envelope recipient's mail ended, one entry per way that its aliases led to. */
export interface Outcome {
  readonly recipient: string;
  readonly ends: readonly End[];
}

export type End = { readonly address: string; readonly via: readonly string[] } & (
  | { readonly kind: 'mailbox'; readonly mailbox: string; readonly uid: number; readonly removed: boolean }
  | { readonly kind: 'remote' }
  | { readonly kind: 'failed'; readonly rule: string; readonly reply: string }
);

/** What became of each recipient of an accepted message, in envelope order; [] when the events hold no acceptance. */
export function outcomesOf(events: readonly Recorded[]): readonly Outcome[] {
  const ends = new Map<string, End[]>();
  const removed = new Set<string>();
  const story = events as unknown as readonly StoryEvent[];
  for (const event of story) {
    if (event.type === 'MessageAccepted') for (const { address } of event.data.recipients) if (!ends.has(address)) ends.set(address, []);
    if (event.type === 'MessageExpunged') removed.add(`${event.data.mailboxId} ${event.data.uid}`);
  }
  if (ends.size === 0) return [];
  for (const event of story) {
    const end = endOf(event, removed);
    if (!end) continue;
    const [recipient, way] = end;
    ends.set(recipient, [...(ends.get(recipient) ?? []), way]);
  }
  return [...ends].map(([recipient, ways]) => ({ recipient, ends: ways }));
}

function endOf(event: StoryEvent, removed: ReadonlySet<string>): readonly [string, End] | undefined {
  if (event.type === 'MessageAppended') {
    const { recipient, deliveredTo, via, head, mailboxId, uid } = event.data;
    return [recipient, { kind: 'mailbox', address: deliveredTo, via, mailbox: head.name, uid, removed: removed.has(`${mailboxId} ${uid}`) }];
  }
  if (event.type === 'RecipientRouted') return [event.data.recipient, { kind: 'remote', address: event.data.address, via: event.data.via }];
  if (event.type === 'RecipientBounced') {
    const { recipient, address, via, rule, reply } = event.data;
    return [recipient, { kind: 'failed', address, via, rule, reply }];
  }
  return undefined;
}
