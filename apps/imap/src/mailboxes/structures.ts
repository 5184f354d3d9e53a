import { BodyMissing, type BodyRef, type ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { StoredMessage } from '@kiroku/domain/mailbox/store-port.js';
import { withPrefix } from '@kiroku/domain/mime/prefix.js';
import { StructureParser } from '@kiroku/domain/mime/structure-parser.js';
import type { Structure } from '@kiroku/domain/mime/structure.js';

/** What stands in messages without reading their bodies again. Offsets count from a message's first octet: its prefix is part of it. */
export interface Structures {
  /**
   * In the order of the messages, at most 1,000; each to be called for when it is needed, because it is some KB. @throws BodyMissing, or what
   * the store throws.
   */
  of(messages: readonly StoredMessage[]): Promise<readonly (() => Structure)[]>;
}

/** Structures of bodies, by SHA-256; those that cannot be read are absent. */
export interface BodyStructures {
  structures(refs: readonly BodyRef[]): Promise<ReadonlyMap<string, () => Structure>>;
}

/** Structures that are kept, seen through each recipient's prefix. */
export class CachedStructures implements Structures {
  constructor(private readonly bodies: BodyStructures) {}

  async of(messages: readonly StoredMessage[]): Promise<readonly (() => Structure)[]> {
    const known = await this.bodies.structures(messages.map(({ body }) => body));
    return messages.map(({ prefix, body }) => {
      const structure = known.get(body.sha256);
      if (!structure) throw new BodyMissing(body.sha256);
      return prefix === '' ? structure : () => withPrefix(structure(), Buffer.from(prefix));
    });
  }
}

/** Reads each body whole, each time. For tests. */
export class ReadStructures implements BodyStructures {
  constructor(private readonly objects: Pick<ObjectStore, 'read'>) {}

  async structures(refs: readonly BodyRef[]): Promise<ReadonlyMap<string, () => Structure>> {
    const found = new Map<string, () => Structure>();
    for (const ref of refs) {
      const parser = new StructureParser();
      for await (const chunk of this.objects.read(ref)) parser.push(chunk);
      const structure = parser.end();
      found.set(ref.sha256, () => structure);
    }
    return found;
  }
}
