const ONE = (): number => 1;

/**
 * Options for an LRUCache of at most so many entries that takes memory as they come. With `max` the library takes room for all of them
 * at once, some 30 bytes each in every process, for caches that are mostly empty.
 */
export const atMost = (entries: number) => ({ maxSize: entries, sizeCalculation: ONE });
