import { AUTHENTIC_DATA, decode, encode, RECURSION_DESIRED, type Answer as ResourceRecord } from 'dns-packet';

export type RecordType = 'MX' | 'A' | 'AAAA' | 'TXT' | 'TLSA';

export interface Question {
  /** Lower case, no trailing dot; `isQueryName`. */
  readonly name: string;
  readonly type: RecordType;
}

/** A question as it goes out. */
export interface Query {
  readonly id: number;
  readonly bytes: Buffer;
}

/** What a server said to our question. */
export interface Reply {
  /** RFC 1035 §4.1.1, with the upper bits of RFC 6891 §6.1.3. */
  readonly rcode: number;
  readonly truncated: boolean;
  /** AD: the server says that it validated all of it. */
  readonly authentic: boolean;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
}

/** Our question came back with something that is no DNS message. */
export class Malformed extends Error {}

export const NO_ERROR = 0;
export const FORMAT_ERROR = 1;
export const NAME_ERROR = 3;
const NOT_IMPLEMENTED = 4;
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
export const rcodeName = (rcode: number): string => RCODES[rcode] ?? `RCODE ${rcode}`;

/** What never needs to be cut into IP fragments (DNS flag day 2020). */
const UDP_SIZE = 1232;
const HEADER = 12;
/** In the second pair of bytes. */
const TC = 0x0200;
/** In answer, authority and additional section together. Real answers have dozens. */
const MOST_RECORDS = 1000;

const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;
/** Whether a server can be asked for it; the encoder would make nonsense of longer labels. */
export const isQueryName = (name: string): boolean => NAME.test(name);

/** In lower case and without the trailing dot; the root is `.`. */
export const plainName = (name: string): string => (name === '.' ? name : name.replace(/\.$/, '').toLowerCase());

/** @param edns old servers answer FORMERR when there is an OPT record (RFC 6891 §7). */
export function encodeQuery(id: number, { name, type }: Question, edns: boolean): Query {
  const bytes = encode({
    type: 'query',
    id,
    // AD asks for the AD bit in the reply without the signatures that DO would bring (RFC 6840 §5.7).
    flags: RECURSION_DESIRED | AUTHENTIC_DATA,
    questions: [{ name, type, class: 'IN' }],
    additionals: edns ? [{ type: 'OPT', name: '.', udpPayloadSize: UDP_SIZE, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }] : [],
  });
  return { id, bytes };
}

/**
 * Reads what came back.
 * @returns undefined when it is not the reply to this query: another id, another question (RFC 5452 §9.1).
 * @throws Malformed when it is, but cannot be read, or holds more than 1,000 records.
 */
export function readReply(bytes: Buffer, query: Query): Reply | undefined {
  if (!answers(bytes, query)) return undefined;
  // Counted before decoding: the decoder makes room for as many as the header claims.
  const counts = [6, 8, 10].reduce((sum, at) => sum + bytes.readUInt16BE(at), 0);
  if (counts > MOST_RECORDS) throw new Malformed('too many records');
  const truncated = (bytes.readUInt16BE(2) & TC) !== 0;
  try {
    const { flags = 0, flag_ad, flag_aa, answers: found = [], authorities = [], additionals = [] } = decode(bytes);
    // The decoder reads on past the end, and past a record's length: then it is not at the end when it has all records.
    if (decode.bytes !== bytes.length) throw new RangeError('records and message end in different places');
    const opt = additionals.find((record) => record.type === 'OPT');
    const rcode = (flags & 0x0f) | ((opt?.extendedRcode ?? 0) << 4);
    return { rcode, truncated, authentic: flag_ad, authoritative: flag_aa, answers: found, authorities };
  } catch (cause) {
    // A datagram cut in the middle of a record is what TC announces: TCP has the whole.
    if (truncated) return { ...NOTHING, truncated: true };
    throw new Malformed('unreadable answer', { cause });
  }
}

const NOTHING: Reply = { rcode: NO_ERROR, truncated: false, authentic: false, authoritative: false, answers: [], authorities: [] };

/** Id, QR, OPCODE and the question section, its letters in any case. */
function answers(bytes: Buffer, { id, bytes: asked }: Query): boolean {
  if (bytes.length < HEADER || bytes.readUInt16BE(0) !== id || (bytes.readUInt16BE(2) & 0xf800) !== 0x8000) return false;
  const questions = bytes.readUInt16BE(4);
  const rcode = bytes.readUInt16BE(2) & 0x0f;
  // Who could not read the question may not be able to repeat it.
  if (questions === 0) return rcode === FORMAT_ERROR || rcode === NOT_IMPLEMENTED;
  // Name up to its empty label, type, class. Names in queries are not compressed.
  const end = asked.indexOf(0, HEADER) + 5;
  if (questions !== 1 || bytes.length < end) return false;
  for (let at = HEADER; at < end; at++) if (lower(bytes[at] ?? 0) !== lower(asked[at] ?? 0)) return false;
  return true;
}

/** Lengths of labels stay below the letters, so bytes can be folded without taking the name apart. */
const lower = (byte: number): number => (byte >= 65 && byte <= 90 ? byte + 32 : byte);
