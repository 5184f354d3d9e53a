import type { Snapshot } from './store-port.js';

/** The columns of a mailbox's messages, and the lists of flags that `flags` counts through; the first list is the empty one. */
export type Columns = Pick<Snapshot, 'uids' | 'modSeqs' | 'flags' | 'flagSets'>;

/** Of what is stored: another release may have another. */
const FORMAT = 1;
/** More than fit into a session's memory anyway: what says so is damaged. */
const MOST = 50_000_000;

/**
 * Columns as bytes. Messages that follow each other with equal flags, and MODSEQs that are equal or rise with the UIDs, are one entry of
 * about five bytes: mail as it is delivered, copied or marked in bulk.
 */
export function packColumns({ uids, modSeqs, flags, flagSets }: Columns): Uint8Array {
  const out = new Writer();
  const numbers = new Map([[0, 0]]);
  const lists: (readonly string[])[] = [];
  for (const set of flags) if (!numbers.has(set)) numbers.set(set, lists.push(flagSets[set] as readonly string[]));
  const text = new TextEncoder().encode(JSON.stringify(lists));
  out.number(FORMAT);
  out.number(uids.length);
  out.number(text.length);
  out.bytes(text);
  let [nextUid, lastModSeq] = [0, 0];
  for (let i = 0; i < uids.length; ) {
    const [uid, modSeq, set] = [uids[i] as number, modSeqs[i] as number, flags[i] as number];
    const step = modSeqs[i + 1] === modSeq + 1 ? 1 : 0;
    let end = i + 1;
    while (end < uids.length && uids[end] === uid + end - i && modSeqs[end] === modSeq + step * (end - i) && flags[end] === set) end++;
    out.number(end - i);
    out.number(uid - nextUid);
    out.signed(modSeq - lastModSeq);
    out.number(2 * (numbers.get(set) as number) + step);
    nextUid = uid + end - i;
    lastModSeq = modSeq + step * (end - i - 1);
    i = end;
  }
  return out.done();
}

/** @returns undefined for what `packColumns` of this release did not write. */
export function unpackColumns(bytes: Uint8Array): Columns | undefined {
  const reader = new Reader(bytes);
  if (reader.number() !== FORMAT) return undefined;
  const count = reader.number();
  if (!(count <= MOST)) return undefined;
  const lists = listsIn(reader.bytes(reader.number()));
  if (!lists) return undefined;
  const flagSets: readonly (readonly string[])[] = [[], ...lists];
  const [uids, modSeqs, flags] = [new Uint32Array(count), new Float64Array(count), new Uint32Array(count)];
  let [nextUid, lastModSeq] = [0, 0];
  for (let i = 0; i < count; ) {
    const end = i + reader.number();
    let uid = nextUid + reader.number();
    let modSeq = lastModSeq + reader.signed();
    const last = reader.number();
    const [set, step] = [Math.floor(last / 2), last % 2];
    if (!(end > i && end <= count && set < flagSets.length)) return undefined;
    flags.fill(set, i, end);
    for (; i < end; i++, uid++, modSeq += step) {
      uids[i] = uid;
      modSeqs[i] = modSeq;
    }
    nextUid = uid;
    lastModSeq = modSeq - step;
  }
  return reader.ended ? { uids, modSeqs, flags, flagSets } : undefined;
}

function listsIn(text: Uint8Array): readonly (readonly string[])[] | undefined {
  try {
    const lists = JSON.parse(new TextDecoder().decode(text)) as unknown;
    return Array.isArray(lists) && lists.every((list) => Array.isArray(list) && list.every((flag) => typeof flag === 'string')) ? lists : undefined;
  } catch {
    return undefined;
  }
}

/** Numbers below 2^53, seven bits to a byte, the lowest first. */
class Writer {
  private out = new Uint8Array(1_024);
  private at = 0;

  number(value: number): void {
    this.room(8);
    let rest = value;
    while (rest >= 128) {
      this.out[this.at++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.out[this.at++] = rest;
  }

  signed(value: number): void {
    this.number(value < 0 ? -2 * value - 1 : 2 * value);
  }

  bytes(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.out.set(bytes, this.at);
    this.at += bytes.length;
  }

  done(): Uint8Array {
    return this.out.subarray(0, this.at);
  }

  private room(length: number): void {
    if (this.at + length <= this.out.length) return;
    const wider = new Uint8Array(2 * (this.at + length));
    wider.set(this.out.subarray(0, this.at));
    this.out = wider;
  }
}

/** What is not there reads as NaN, which no comparison lets pass. */
class Reader {
  private at = 0;

  constructor(private readonly from: Uint8Array) {}

  get ended(): boolean {
    return this.at === this.from.length;
  }

  number(): number {
    let value = 0;
    for (let power = 1; power <= 2 ** 49; power *= 128) {
      const byte = this.from[this.at++] ?? NaN;
      if (!(byte >= 128)) return value + byte * power;
      value += (byte - 128) * power;
    }
    return NaN;
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  bytes(length: number): Uint8Array {
    const bytes = this.from.subarray(this.at, this.at + length);
    this.at += length;
    return bytes;
  }
}
