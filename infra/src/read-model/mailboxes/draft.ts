import { keywordsIn, parsed } from '@kiroku/domain/mailbox/batch.js';
import { changedWithin } from '@kiroku/domain/mailbox/flag-runs.js';
import type { MailboxEvent } from '@kiroku/domain/mailbox/mailbox.js';
import type { FlagRun } from '@kiroku/domain/mailbox/store-port.js';
import type { UidRange } from '@kiroku/domain/mailbox/uid-set.js';
import type { MessageColumns } from './message-columns.js';

/** What a command of the batch has come to: what these messages have from then on, or nothing when they are gone. */
interface Layer {
  readonly ranges: readonly UidRange[];
  readonly now: Pick<FlagRun, 'modSeq' | 'flags'> | undefined;
}

/** The same messages while a batch is being decided: with what its commands have come to so far, of which nothing is written yet. */
export class Draft {
  readonly #layers: Layer[] = [];

  constructor(private readonly columns: MessageColumns) {}

  /** Nobody knows the UIDs of what the batch itself appends. */
  take(events: readonly MailboxEvent[]): void {
    for (const { type, data } of events) {
      if (type === 'MessagesExpunged') this.#layers.push({ ranges: parsed(data, data.uids), now: undefined });
      if (type !== 'FlagsChanged') continue;
      for (const { uids, flags } of data.groups) this.#layers.push({ ranges: parsed(data, uids), now: { modSeq: data.modSeq, flags } });
    }
  }

  /** Those that are there within ascending ranges, and their flags. */
  runsOf(ranges: readonly UidRange[]): readonly FlagRun[] {
    return this.#layers.reduce((runs, layer) => changedWithin(runs, layer.ranges, layer.now), this.columns.runsOf(ranges));
  }
}

/** Keywords with those that these events set first, in lower case → as stored first. */
export function keywordsAfter(known: ReadonlyMap<string, string>, events: readonly MailboxEvent[]): ReadonlyMap<string, string> {
  let after: Map<string, string> | undefined;
  for (const keyword of events.flatMap(keywordsIn)) if (!(after ?? known).has(keyword.toLowerCase())) (after ??= new Map(known)).set(keyword.toLowerCase(), keyword);
  return after ?? known;
}
