import { type BodyEntry, type Move, type Place, samePlace, type Share } from './body-index.js';
import type { Appender } from './files-append.js';
import type { LargeCopy } from './files-large.js';
import { HEADER_BYTES, type ScannedRecord } from './files-record.js';
import { type Recovery, type RecoveryOptions, recordsOf } from './files-recovery.js';
import type { WriteBehind } from './files-write-behind.js';

/** Records in memory while a segment is rewritten: at most 256 × 256 KiB. */
const RECORDS = 256;

export interface CompactionOptions extends RecoveryOptions {
  readonly appender: Appender;
  readonly recovery: Recovery;
  readonly writeBehind: WriteBehind;
  trouble(error: unknown): void;
}

type Held = () => Promise<void>;

/**
 * Wins back space. To be run under the index's lock; `held` is asked before each removal. Order for each body: its copy is
 * durable, then the index points to it, then the old segment goes. A reader with the old hint asks the index.
 */
export class Compaction {
  /** Bytes of copies per rewritten segment. */
  readonly #copied = new Map<number, number>();

  constructor(
    private readonly options: CompactionOptions,
    private readonly held: Held,
  ) {}

  /** @returns bytes won back. */
  async run(): Promise<number> {
    const { segments, large, writeBehind, recovery } = this.options;
    await writeBehind.flush();
    await recovery.recover();
    for (const id of await segments.strayMarks()) {
      if (!(await recovery.isOwned({ id, open: true, indexed: false }))) await segments.release(id);
    }
    await this.#rewriteWasteful();
    return (await this.#removeRewritten()) + (await this.#removeLarge()) + (await large.sweepIncoming());
  }

  async #rewriteWasteful(): Promise<void> {
    const { segments, index, appender } = this.options;
    const live = await index.live();
    if (appender.segment !== undefined && (await this.#isWasteful(appender.segment, live))) await appender.seal();
    for (const { id, open, indexed } of await segments.list(await index.identity())) {
      if (!open && indexed && (await this.#isWasteful(id, live))) await this.#rewrite(id);
    }
  }

  /** Less than half of it is still wanted. */
  async #isWasteful(id: number, live: ReadonlyMap<number, Share>): Promise<boolean> {
    const share = live.get(id);
    return !share || (share.bytes + share.bodies * HEADER_BYTES) * 2 < (await this.options.segments.bytes(id));
  }

  async #rewrite(id: number): Promise<void> {
    this.#copied.set(id, 0);
    let records: ScannedRecord[] = [];
    for await (const record of recordsOf(this.options.segments, id)) {
      records.push(record);
      if (records.length < RECORDS) continue;
      await this.#copy(id, records);
      records = [];
    }
    await this.#copy(id, records);
  }

  async #copy(id: number, records: readonly ScannedRecord[]): Promise<void> {
    const { index, appender } = this.options;
    const rows = await index.find(records.map((record) => record.sha256));
    const moves = await Promise.all(
      records.map(async (record): Promise<readonly Move[]> => {
        const row = rows.get(record.sha256);
        if (!row || !(await this.#isWanted(row, { segment: id, offset: record.offset }))) return [];
        const to = await appender.append(record, [record.body]);
        this.#copied.set(id, this.#copied.get(id)! + HEADER_BYTES + record.size);
        return [{ sha256: record.sha256, from: row, to }];
      }),
    );
    await index.move(moves.flat());
  }

  /** The index points here, or to nothing: then this copy takes the lost one's place. */
  async #isWanted(row: BodyEntry, here: Place): Promise<boolean> {
    if (samePlace(row, here)) return true;
    const { segments, large } = this.options;
    if (row.segment !== 0) return !(await segments.exists(row.segment));
    return (await large.stat({ sha256: row.sha256, copy: row.offset })) === undefined;
  }

  async #removeRewritten(): Promise<number> {
    if (this.#copied.size === 0) return 0;
    const { segments, index, trouble } = this.options;
    const live = await index.live();
    let won = 0;
    for (const [id, copied] of this.#copied) {
      const left = live.get(id)?.bodies ?? 0;
      if (left > 0) {
        // Their records could not be read. The file is all that is left of them: a matter for people.
        trouble(new Error(`segment ${id} holds ${left} damaged bodies and is kept`));
        continue;
      }
      const bytes = await segments.bytes(id);
      await this.held();
      await segments.remove(id);
      won += bytes - copied;
    }
    return won;
  }

  async #removeLarge(): Promise<number> {
    let won = 0;
    for await (const copies of this.options.large.settledCopies()) won += await this.#removeDead(copies);
    return won;
  }

  async #removeDead(copies: readonly LargeCopy[]): Promise<number> {
    const { index, large } = this.options;
    if (copies.length === 0) return 0;
    const rows = await index.find(copies.map(({ sha256 }) => sha256));
    await this.held();
    let won = 0;
    for (const { sha256, copy } of copies) {
      const row = rows.get(sha256);
      const here = { segment: 0, offset: copy };
      if (!row || !(await this.#isWanted(row, here))) won += await large.remove({ sha256, copy });
      else if (!samePlace(row, here)) await index.move([{ sha256, from: row, to: here }]);
    }
    return won;
  }
}
