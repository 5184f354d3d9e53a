import type { NewRecord, NewRecords } from './log.js';

interface Identifier { readonly stream_name: Buffer }
interface Uuid { readonly string?: string; readonly structured?: { readonly most_significant_bits: string; readonly least_significant_bits: string } }
type Empty = Record<string, never>;

/** As the loader of `streams.proto` gives it: 64 bits as text; what has its default value is absent. */
export interface ReadReq {
  readonly options: {
    readonly stream?: { readonly stream_identifier: Identifier; readonly revision?: string; readonly start?: Empty; readonly end?: Empty };
    readonly all?: { readonly position?: { readonly commit_position: string; readonly prepare_position: string }; readonly start?: Empty; readonly end?: Empty };
    readonly read_direction?: 'BACKWARDS';
    readonly count?: string;
    readonly filter?: { readonly stream_identifier?: { readonly regex?: string; readonly prefix?: readonly string[] } };
  };
}

export interface AppendReq {
  readonly options?: { readonly stream_identifier: Identifier; readonly revision?: string; readonly no_stream?: Empty; readonly any?: Empty; readonly stream_exists?: Empty };
  readonly proposed_message?: { readonly id: Uuid; readonly metadata: Readonly<Record<string, string>>; readonly custom_metadata?: Buffer; readonly data?: Buffer };
}

/** As the loader of `append-session.proto` gives it. */
export interface SessionRequest {
  readonly stream: string;
  readonly expected_revision?: string;
  readonly records?: readonly {
    readonly record_id?: string;
    readonly properties?: Readonly<Record<string, { readonly stringValue?: string }>>;
    readonly schema: { readonly name: string };
    readonly data?: Buffer;
  }[];
}

export const nameOf = ({ stream_name }: Identifier): string => stream_name.toString();
export const identifierOf = (stream: string): Identifier => ({ stream_name: Buffer.from(stream) });

const EXPECTED: Readonly<Record<string, NewRecords['expected']>> = { '-1': 'none', '-2': 'any', '-4': 'exists' };

export const sessionRequestOf = ({ stream, expected_revision = '-2', records = [] }: SessionRequest): NewRecords => ({
  stream,
  expected: EXPECTED[expected_revision] ?? Number(expected_revision),
  records: records.map(({ record_id, properties = {}, schema, data = Buffer.alloc(0) }) => ({
    id: record_id ?? crypto.randomUUID(), type: schema.name, data,
    metadata: Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, value.stringValue])))),
  })),
});

/** The first part says where to, the others what. */
export function streamAppendOf(parts: readonly AppendReq[]): NewRecords {
  const options = parts[0]?.options;
  if (!options) throw new Error('an append without options');
  const expected = options.no_stream ? 'none' : options.any ? 'any' : options.stream_exists ? 'exists' : Number(options.revision);
  return { stream: nameOf(options.stream_identifier), expected, records: parts.flatMap((p) => (p.proposed_message ? [newRecordOf(p.proposed_message)] : [])) };
}

function newRecordOf({ id, metadata, custom_metadata = Buffer.alloc(0), data = Buffer.alloc(0) }: NonNullable<AppendReq['proposed_message']>): NewRecord {
  return { id: id.string ?? crypto.randomUUID(), type: metadata['type'] ?? '', data, metadata: custom_metadata };
}
