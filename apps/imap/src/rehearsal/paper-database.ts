import { encodeStructure } from '@kiroku/domain/mime/codec.js';
import { parseStructure } from '@kiroku/domain/mime/structure-parser.js';
import { BODIES, MESSAGES, nameOf, type PaperBodies } from './paper-mail.js';

export const ACCOUNT = '00000000-0000-7000-8000-000000000001';
export const MAILBOX = '00000000-0000-7000-8000-000000000002';
const RECEIVED = 1_767_600_000_000;

type Rows = readonly object[];
interface Query { readonly name?: string; readonly text?: string; readonly values?: readonly unknown[] }
/** What the driver hands over as a whole, with its own way of being answered: statements in one trip. */
interface Trip { submit(wire: object): void; handleReadyForQuery(wire: object): void }

const FOLDER = { id: MAILBOX, account_id: ACCOUNT, path: 'INBOX', special_use: '', address: 'nobody@b.test', quota: 0, neighbour: false, list: null, subscribed: true };
const PLACE = { id: MAILBOX, uid_validity: 1, uid_next: MESSAGES + 1, highest_mod_seq: MESSAGES + 2, messages: MESSAGES, bytes: 1_000 * MESSAGES, account_id: ACCOUNT, name: 'INBOX', version: 1, keywords: null };
const all = (at: (uid: number) => number): string => `{${Array.from({ length: MESSAGES }, (_, i) => at(i + 1)).join(',')}}`;

const nothing = (): void => undefined;

/** It is sent to nowhere, and told that all went well. */
function written(trip: Trip): Trip {
  const wire = { parsedStatements: {}, submittedNamedStatements: {}, stream: { cork: nothing, uncork: nothing }, parse: nothing, bind: nothing, describe: nothing, execute: nothing, sync: nothing };
  trip.submit(wire);
  setImmediate(() => trip.handleReadyForQuery(wire));
  return trip;
}

/** Answers the statements that one mailbox needs, from memory; any other finds nothing. What is written is forgotten, but for packed columns. */
export class PaperDatabase {
  readonly #bodies: PaperBodies;
  readonly #answers: Readonly<Record<string, (values: readonly unknown[]) => Rows>>;
  #structures: ReadonlyMap<string, string> = new Map();
  #packed: { readonly packed: unknown; readonly packed_mod_seq: unknown; readonly packed_uid_next: unknown } | undefined;

  constructor(bodies: PaperBodies) {
    this.#bodies = bodies;
    const whole = { ...PLACE, uids: all((uid) => uid), mod_seqs: all((uid) => uid + 1), chunks: [[0, `1:100 ${MESSAGES + 2} \\Seen\n120 ${MESSAGES + 2} \\Answered \\Seen`]], packed: null };
    this.#answers = {
      'mailbox-tail-begin': () => [{ next: 0 }],
      'folder-by-path': () => [FOLDER],
      'folders-by-id': () => [FOLDER],
      'mailbox-whole': () => [{ ...whole, ...this.#packed }],
      'mailbox-changes': () => [{ ...whole, uids: null, mod_seqs: null, first_new: null, gone: null }],
      'mailbox-pack': ([, , uidNext, columns]) => this.#pack(uidNext, columns),
      'mailbox-messages': ([, uids]) => this.#messages(String(uids)),
      'body-structures': ([names]) => (String(names).match(/[0-9a-f]{64}/g) ?? []).flatMap((name) => this.#structure(name)),
    };
  }

  /** From now on structures are known without reading bodies. */
  learn(): void {
    this.#structures = new Map(Array.from({ length: BODIES }, (_, i) => [nameOf(i + 1), encodeStructure(parseStructure(this.#bodies.of({ sha256: nameOf(i + 1) })))]));
  }

  /** A connection, which is never used up. */
  connect(): Promise<object> {
    const query = (given: Query | Trip | string): unknown =>
      typeof given === 'string' ? this.query({ text: given }) : 'submit' in given ? written(given) : this.query(given);
    return Promise.resolve({ on: nothing, off: nothing, release: nothing, query });
  }

  query({ name = '', text = '', values = [] }: Query): Promise<{ readonly rows: Rows; readonly rowCount: number; readonly command: string }> {
    const rows = this.#answers[name]?.(values) ?? [];
    return Promise.resolve({ rows, rowCount: rows.length, command: text });
  }

  /** As of a moment before the last change, so that this has to be read as well. */
  #pack(uidNext: unknown, columns: unknown): Rows {
    this.#packed = { packed: columns, packed_mod_seq: MESSAGES + 1, packed_uid_next: uidNext };
    return [];
  }

  #messages(uids: string): Rows {
    return uids.slice(1, -1).split(',').map(Number).map((uid) => {
      const sha256 = nameOf(uid);
      const size = this.#bodies.of({ sha256 }).length;
      return { uid, size, received_at: RECEIVED + uid, message_id: '', prefix: '', sha256, body_size: size, at: null, saved: null };
    });
  }

  #structure(sha256: string): Rows {
    const structure = this.#structures.get(sha256);
    return structure === undefined ? [] : [{ sha256, structure }];
  }
}
