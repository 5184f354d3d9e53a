import { DnsTrouble } from '@kiroku/domain/routing/dns.js';
import type { Answer as ResourceRecord } from 'dns-packet';
import { isQueryName, NAME_ERROR, plainName, type RecordType, type Reply } from './wire.js';

/** One record of the wanted type as the domain wants it. */
export type ReadRecord<T> = (record: ResourceRecord) => T | undefined;

/** What was found, and for how many seconds it holds. */
export interface Looked<T> {
  readonly records: readonly T[];
  readonly nxdomain: boolean;
  readonly secure: boolean;
  readonly ttl: number;
}

/** Asks the network once. `trusted`: the AD bit of this server means something. @throws DnsTrouble */
export type Ask = (name: string, type: RecordType) => Promise<{ readonly reply: Reply; readonly trusted: boolean }>;

/** CNAMEs that are followed for one question. */
const MOST_ALIASES = 8;
/** Seconds; RFC 2308 §5 has 1 to 3 hours, but a domain that was just set up should not wait so long. */
const LONGEST_DENIAL = 15 * 60;

/**
 * Finds the records of a name, through CNAMEs, within one reply or several.
 * @param name `isQueryName`.
 * @throws DnsTrouble also when there are more than 8 CNAMEs.
 */
export async function lookUp<T>(ask: Ask, name: string, type: RecordType, read: ReadRecord<T>): Promise<Looked<T>> {
  let at = name;
  let aliases = 0;
  let secure = true;
  let ttl = Infinity;
  for (;;) {
    const { reply, trusted } = await ask(at, type);
    secure &&= trusted && reply.authentic;
    const asked = at;
    for (;;) {
      const own = reply.answers.filter((record) => record.type === type && isAbout(record, at));
      if (own.length > 0) return { records: readAll(own, read), nxdomain: false, secure, ttl: Math.min(ttl, ...own.map(ttlOf)) };
      const alias = reply.answers.find((record) => record.type === 'CNAME' && isAbout(record, at));
      if (alias?.type !== 'CNAME') break;
      if (++aliases > MOST_ALIASES) throw new DnsTrouble('too many CNAMEs');
      ttl = Math.min(ttl, ttlOf(alias));
      at = plainName(alias.data);
    }
    const denied = reply.rcode === NAME_ERROR || at === asked || reply.authorities.some((record) => record.type === 'SOA');
    if (denied || !isQueryName(at)) return { records: [], nxdomain: reply.rcode === NAME_ERROR || !isQueryName(at), secure, ttl: Math.min(ttl, denialTtl(reply)) };
    // The resolver gave the beginning of the chain only.
  }
}

/** Records that nobody can read are no denial: "no such records" would let mail bounce. */
function readAll<T>(own: readonly ResourceRecord[], read: ReadRecord<T>): readonly T[] {
  const records = own.map(read).filter((record) => record !== undefined);
  if (records.length === 0) throw new DnsTrouble('unreadable records');
  return records;
}

const isAbout = (record: ResourceRecord, name: string): boolean => plainName(record.name) === name && (record as { class?: string }).class === 'IN';

/** RFC 2181 §8: the upper half of the range is 0. */
function ttlOf(record: ResourceRecord): number {
  const { ttl = 0 } = record as { ttl?: number };
  return ttl > 0x7fffffff ? 0 : ttl;
}

/** RFC 2308 §5. Without an SOA record the denial is not to be kept. */
function denialTtl({ authorities }: Reply): number {
  const soa = authorities.find((record) => record.type === 'SOA');
  return soa?.type === 'SOA' ? Math.min(ttlOf(soa), soa.data.minimum ?? 0, LONGEST_DENIAL) : 0;
}
