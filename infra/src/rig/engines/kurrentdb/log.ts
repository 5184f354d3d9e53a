/** A record as KurrentDB keeps it. */
export interface StoredRecord {
  readonly stream: string;
  /** Counts from 0 in its stream. */
  readonly revision: number;
  /** Where it lies in the one log of all streams: bytes from its start. */
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly data: Buffer;
  readonly metadata: Buffer;
}

export type NewRecord = Pick<StoredRecord, 'id' | 'type' | 'data' | 'metadata'>;

/** What goes to one stream. `expected` is its last revision, or one of the words. */
export interface NewRecords {
  readonly stream: string;
  readonly expected: number | 'none' | 'any' | 'exists';
  readonly records: readonly NewRecord[];
}

export type Appended =
  | { readonly done: true; readonly position: number; readonly revisions: readonly { stream: string; revision: number }[] }
  /** `stream` is the first that is not as expected; none is named when only a part of the records is there already. */
  | { readonly done: false; readonly stream: string; readonly expected: number; readonly actual: number };

const WORDS = { none: -1, any: -2, exists: -4 };

/** What a KurrentDB server keeps, in memory: the streams, and the log of all streams. */
export class KurrentLog {
  #all: StoredRecord[] = [];
  readonly #last = new Map<string, number>();
  #end = 0;

  /** All or none. What is there already under the same ids, where it is expected to be, is done and not done again. */
  append(appends: readonly NewRecords[]): Appended {
    const states = appends.map((a) => this.#stateOf(a));
    const repeated = states.filter((s) => s === 'repeated').length;
    if (repeated > 0 && repeated === appends.length)
      return { done: true, position: this.#end, revisions: appends.map(({ stream }) => ({ stream, revision: this.#last.get(stream) ?? -1 })) };
    const failed = appends[repeated > 0 ? states.findIndex((s) => s !== 'repeated') : states.indexOf('moved')];
    if (failed) return { done: false, stream: failed.stream, expected: typeof failed.expected === 'number' ? failed.expected : WORDS[failed.expected], actual: this.last(failed.stream) };
    for (const { stream, records } of appends)
      for (const record of records) {
        const revision = this.last(stream) + 1;
        this.#all.push({ ...record, stream, revision, position: this.#end });
        this.#last.set(stream, revision);
        this.#end += 100 + record.data.length + record.metadata.length;
      }
    return { done: true, position: this.#all.at(-1)?.position ?? 0, revisions: appends.map(({ stream }) => ({ stream, revision: this.last(stream) })) };
  }

  #stateOf({ stream, expected, records }: NewRecords): 'fits' | 'moved' | 'repeated' {
    const last = this.last(stream);
    if (expected === 'any') return 'fits';
    if (expected === 'exists') return last >= 0 ? 'fits' : 'moved';
    const before = expected === 'none' ? -1 : expected;
    if (before === last) return 'fits';
    const there = this.#all.filter((r) => r.stream === stream && r.revision > before).slice(0, records.length);
    return there.length === records.length && there.every((r, i) => r.id === records[i]?.id) ? 'repeated' : 'moved';
  }

  /** The revision of its last record; -1 for a stream that does not exist. */
  last(stream: string): number {
    return this.#last.get(stream) ?? -1;
  }

  stream(name: string): readonly StoredRecord[] {
    const most = this.#mostOf(name);
    return this.#all.filter((r) => r.stream === name && r.revision > this.last(name) - most);
  }

  all(): readonly StoredRecord[] {
    return this.#all;
  }

  /** What the streams' own limits have made invisible is gone from the log as well. */
  scavenge(): void {
    const most = new Map([...this.#last.keys()].map((name) => [name, this.#mostOf(name)]));
    this.#all = this.#all.filter((r) => r.revision > this.last(r.stream) - (most.get(r.stream) ?? Infinity));
  }

  /** `$maxCount` of its metadata, which are a stream of their own. */
  #mostOf(name: string): number {
    const metadata = this.#all.findLast((r) => r.stream === `$$${name}`);
    return metadata ? ((JSON.parse(metadata.data.toString()) as { $maxCount?: number }).$maxCount ?? Infinity) : Infinity;
  }
}
