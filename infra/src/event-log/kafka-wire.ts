/** Reads Kafka's big-endian wire format. Every read is checked against the end: a RangeError, never bytes of somebody else. */
export class WireReader {
  constructor(
    readonly bytes: Buffer,
    public at = 0,
  ) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  int8(): number {
    return this.bytes.readInt8(this.#step(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.#step(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#step(4));
  }

  uint32(): number {
    return this.bytes.readUInt32BE(this.#step(4));
  }

  /** Offsets, epoch ms and producer ids: all stay below 2^53. */
  int64(): number {
    return Number(this.bytes.readBigInt64BE(this.#step(8)));
  }

  /** Zigzag varint of at most 32 bits. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.#step(1)] as number;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw new RangeError('a varint that does not end');
  }

  skipVarlong(): void {
    for (let n = 0; n < 10; n++) if ((this.bytes[this.#step(1)] as number) < 0x80) return;
    throw new RangeError('a varlong that does not end');
  }

  slice(length: number): Buffer {
    const start = this.#step(length);
    return this.bytes.subarray(start, start + length);
  }

  /** Length first; -1 = null. */
  varbytes(): Buffer | null {
    const length = this.varint();
    return length === -1 ? null : this.slice(length);
  }

  string(): string | null {
    const length = this.int16();
    return length === -1 ? null : this.slice(length).toString();
  }

  array<T>(item: () => T): T[] {
    const count = this.int32();
    if (count > this.left) throw new RangeError(`a list of ${count} in ${this.left} bytes`);
    const items: T[] = [];
    for (let n = 0; n < count; n++) items.push(item());
    return items;
  }

  #step(length: number): number {
    const start = this.at;
    if (length < 0 || start + length > this.bytes.length) throw new RangeError(`${length} bytes wanted, ${this.bytes.length - start} left`);
    this.at = start + length;
    return start;
  }
}

/** Writes it. Grows as needed; large bodies are kept as they are and joined once. */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    const b = Buffer.allocUnsafe(1);
    b.writeInt8(value);
    return this.bytes(b);
  }

  int16(value: number): this {
    const b = Buffer.allocUnsafe(2);
    b.writeInt16BE(value);
    return this.bytes(b);
  }

  int32(value: number): this {
    const b = Buffer.allocUnsafe(4);
    b.writeInt32BE(value);
    return this.bytes(b);
  }

  int64(value: number): this {
    const b = Buffer.allocUnsafe(8);
    b.writeBigInt64BE(BigInt(value));
    return this.bytes(b);
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const text = Buffer.from(value);
    return this.int16(text.length).bytes(text);
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  bytes(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Bytes that a zigzag varint takes. */
export function varintSize(value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let size = 1;
  while (rest >= 0x80) {
    rest >>>= 7;
    size++;
  }
  return size;
}

/** @returns where the next byte goes. */
export function putVarint(into: Buffer, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  while (rest >= 0x80) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}
