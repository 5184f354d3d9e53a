/** CRC-32C (Castagnoli), as Kafka's record batches carry it. Eight bytes per step (slicing), about 1 GB/s. */
const TABLES = ((): readonly Int32Array[] => {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  const [first] = tables as [Int32Array];
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
    first[n] = c;
  }
  for (let t = 1; t < 8; t++)
    for (let n = 0; n < 256; n++) {
      const before = tables[t - 1]?.[n] ?? 0;
      (tables[t] as Int32Array)[n] = (before >>> 8) ^ (first[before & 0xff] ?? 0);
    }
  return tables;
})();
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

/** @returns unsigned, of the bytes from `start` on. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1;
  let i = start;
  const at = (table: Int32Array, n: number): number => table[n & 0xff] as number;
  for (; i + 8 <= end; i += 8) {
    crc ^= (bytes[i] as number) | ((bytes[i + 1] as number) << 8) | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24);
    crc = at(T7, crc) ^ at(T6, crc >>> 8) ^ at(T5, crc >>> 16) ^ at(T4, crc >>> 24)
      ^ at(T3, bytes[i + 4] as number) ^ at(T2, bytes[i + 5] as number) ^ at(T1, bytes[i + 6] as number) ^ at(T0, bytes[i + 7] as number);
  }
  for (; i < end; i++) crc = at(T0, crc ^ (bytes[i] as number)) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}
