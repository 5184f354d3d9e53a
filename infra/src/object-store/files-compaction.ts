import { type BodyEntry, type Move, type Place, samePlace, type Share } from './body-index.js';
import type { Appender } from './files-append.js';
import type { LargeCopy } from './files-large.js';
import { HEADER_BYTES, type ScannedRecord } from './files-record.js';
import { type Recovery, type RecoveryOptions, recordsOf } from './files-recovery.js';
import type { SegmentFile } from './files-segments.js';
import type { WriteBehind } from './files-write-behind.js';

/** Records in memory while a segment is rewritten: at most 256 × 256 KiB. */
const RECORDS = 256;

export interface CompactionOptions extends RecoveryOptions {
  readonly appender: Appender;
  readonly recovery: Recovery;
  readonly writeBehind: WriteBehind;
  readonly trouble: (error: unknown) => void;
}

type Held = () => Promise<void>;

interface Rewritten {
  readonly id: number;
  /** Bodies that the index had here. */
  moved: number;
  /** Bytes of the copies, with their headers. */
  copied: number;
}

/**
 * Wins back space. To be run under the index's lock; `held` is asked before each removal. Order for each body: its copy is
 * durable, then the index points to it, then the old segment goes. A reader with the old hint asks the index.
 */
export class Compaction {
  constructor(
    private readonly options: CompactionOptions,
    private readonly held: Held,
  ) {}

  /**
   * What needs no space comes first: on a full disk it makes room for the copies of the rest.
   * @returns bytes won back.
   */
  async run(): Promise<number> {
    const { segments, large, writeBehind, recovery } = this.options;
    await writeBehind.flush();
    await recovery.recover();
    for (const id of await segments.strayMarks()) {
      if (!(await recovery.isOwned({ id, open: true, indexed: false }))) await segments.release(id);
    }
    const won = (await large.sweepIncoming()) + (await this.#removeLarge());
    await this.#sealOwn();
    return won + (await this.#compactSegments());
  }

  /** A segment being written is not compacted: if it is worth it, this process starts another one. */
  async #sealOwn(): Promise<void> {
    const { index, appender } = this.options;
    const id = appender.segment;
    if (id !== undefined && (await this.#isWasteful(id, (await index.live()).get(id)))) await appender.seal();
  }

  async #compactSegments(): Promise<number> {
    const { segments, index } = this.options;
    // The list before the rows: whatever is marked as indexed by now has its rows in what is read next.
    const files = await segments.list(await index.identity());
    const live = await index.live();
    const wasteful: SegmentFile[] = [];
    for (const file of files) if (!file.open && file.indexed && (await this.#isWasteful(file.id, live.get(file.id)))) wasteful.push(file);
    const bodies = (id: number): number => live.get(id)?.bodies ?? 0;
    wasteful.sort((a, b) => bodies(a.id) - bodies(b.id));
    let won = 0;
    const doubtful: Rewritten[] = [];
    for (const { id } of wasteful) {
      const rewritten = await this.#rewrite(id);
      if (rewritten.moved >= bodies(id)) won += (await this.#remove(id)) - rewritten.copied;
      else doubtful.push(rewritten);
    }
    return won + (await this.#removeDoubtful(doubtful));
  }

  /** Less than half of it is still wanted. */
  async #isWasteful(id: number, live: Share | undefined): Promise<boolean> {
    return !live || (live.bytes + live.bodies * HEADER_BYTES) * 2 < (await this.options.segments.bytes(id));
  }

  async #remove(id: number): Promise<number> {
    const bytes = await this.options.segments.bytes(id);
    await this.held();
    await this.options.segments.remove(id);
    return bytes;
  }

  async #rewrite(id: number): Promise<Rewritten> {
    const rewritten = { id, moved: 0, copied: 0 };
    let records: ScannedRecord[] = [];
    for await (const record of recordsOf(this.options.segments, id)) {
      records.push(record);
      if (records.length < RECORDS) continue;
      await this.#copy(records, rewritten);
      records = [];
    }
    await this.#copy(records, rewritten);
    return rewritten;
  }

  async #copy(records: readonly ScannedRecord[], rewritten: Rewritten): Promise<void> {
    const { index, appender } = this.options;
    const rows = await index.find(records.map((record) => record.sha256));
    const moves = await Promise.all(
      records.map(async (record): Promise<readonly Move[]> => {
        const here = { segment: rewritten.id, offset: record.offset };
        const row = rows.get(record.sha256);
        if (!row || !(await this.#isWanted(row, here))) return [];
        const to = await appender.append(record, [record.body]);
        rewritten.copied += HEADER_BYTES + record.size;
        if (samePlace(row, here)) rewritten.moved++;
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

  /** Fewer bodies were moved than the index had there: some were deleted meanwhile, or some could not be read. */
  async #removeDoubtful(doubtful: readonly Rewritten[]): Promise<number> {
    if (doubtful.length === 0) return 0;
    const live = await this.options.index.live();
    let won = 0;
    for (const { id, copied } of doubtful) {
      const left = live.get(id)?.bodies ?? 0;
      if (left === 0) won += (await this.#remove(id)) - copied;
      // The file is all that is left of them: a matter for people.
      else this.options.trouble(new Error(`segment ${id} holds ${left} damaged bodies and is kept`));
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
