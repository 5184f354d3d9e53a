import { keywordsIn, parsed } from '@kiroku/domain/mailbox/batch.js';
import type { FlagColumns } from '@kiroku/domain/mailbox/decisions.js';
import type { MailboxEvent } from '@kiroku/domain/mailbox/mailbox.js';
import { hasUid, type UidRange } from '@kiroku/domain/mailbox/uid-set.js';
import type { MessageColumns } from './message-columns.js';

/** The same messages while a batch is being decided: with what its commands have come to so far, of which nothing is written yet. */
export class Draft {
  readonly #changed = new Map<number, { readonly modSeq: number; readonly flags: readonly string[] }>();
  readonly #gone: (readonly UidRange[])[] = [];
  readonly #fresh: MailboxEvent[] = [];

  constructor(private readonly columns: MessageColumns) {}

  take(events: readonly MailboxEvent[]): void {
    this.#fresh.push(...events);
  }

  /** Those that are there, of these ascending UIDs. */
  flagsOf(wanted: ArrayLike<number>): FlagColumns {
    this.#digest();
    const { uids, modSeqs, flags } = this.columns.flagsOf(wanted);
    if (this.#changed.size === 0 && this.#gone.length === 0) return { uids, modSeqs, flags };
    const left = { uids: [] as number[], modSeqs: [] as number[], flags: [] as (readonly string[])[] };
    uids.forEach((uid, i) => {
      if (this.#gone.some((ranges) => hasUid(ranges, uid))) return;
      const now = this.#changed.get(uid);
      left.uids.push(uid);
      left.modSeqs.push(now?.modSeq ?? (modSeqs[i] as number));
      left.flags.push(now?.flags ?? (flags[i] as readonly string[]));
    });
    return left;
  }

  /** Nobody knows the UIDs of what the batch itself appends. */
  #digest(): void {
    for (const { type, data } of this.#fresh.splice(0)) {
      if (type === 'MessagesExpunged') this.#gone.push(parsed(data, data.uids));
      if (type !== 'FlagsChanged') continue;
      for (const { uids, flags } of data.groups) for (const [first, last] of parsed(data, uids)) for (let uid = first; uid <= last; uid++) this.#changed.set(uid, { modSeq: data.modSeq, flags });
    }
  }
}

/** Keywords with those that these events set first, in lower case → as stored first. */
export function keywordsAfter(known: ReadonlyMap<string, string>, events: readonly MailboxEvent[]): ReadonlyMap<string, string> {
  let after: Map<string, string> | undefined;
  for (const keyword of events.flatMap(keywordsIn)) if (!(after ?? known).has(keyword.toLowerCase())) (after ??= new Map(known)).set(keyword.toLowerCase(), keyword);
  return after ?? known;
}
