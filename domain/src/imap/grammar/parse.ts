import { enable, getMetadata, id, identifier, setAcl, setMetadata, setQuota } from './administration.js';
import type { AppendParse } from './append.js';
import { type Arguments, SORT_KEYS, type SortCriterion, type Verb } from './commands.js';
import { type Cursor, type Names, Problem } from './cursor.js';
import { fetchArguments } from './fetch.js';
import { flagListOrBare } from './flags.js';
import { list, statusItems } from './list.js';
import { create, select } from './naming.js';
import { notify } from './notify.js';
import { returnOptions } from './return-options.js';
import { searchProgram, sortProgram } from './search.js';
import { sequenceSet, STAR } from './sequence-set.js';

export interface Mode extends Names {
  /** UTF8=ACCEPT is enabled: SEARCH takes no CHARSET any more (RFC 6855 §3). */
  readonly utf8Accept: boolean;
}

/** What a verb's parser is given besides the cursor, which stands after the space. */
interface About {
  readonly uid: boolean;
  readonly mode: Mode;
  readonly append: AppendParse;
}

type Parser = (cursor: Cursor, about: About) => Arguments;

export type Alone = 'CAPABILITY' | 'NOOP' | 'LOGOUT' | 'STARTTLS' | 'CHECK' | 'CLOSE' | 'UNSELECT' | 'IDLE' | 'NAMESPACE' | 'UNAUTHENTICATE';
export const ALONE: ReadonlySet<string> = new Set<Alone>([
  'CAPABILITY', 'NOOP', 'LOGOUT', 'STARTTLS', 'CHECK', 'CLOSE', 'UNSELECT', 'IDLE', 'NAMESPACE', 'UNAUTHENTICATE',
]);

/** Verbs that may stand after UID. */
export const WITH_UID: ReadonlySet<string> = new Set<Verb>(['COPY', 'EXPUNGE', 'FETCH', 'MOVE', 'REPLACE', 'SEARCH', 'SORT', 'STORE', 'THREAD']);

const INITIAL_RESPONSE = /=$|[A-Za-z0-9+/]+={0,2}/y;
const STORE_ITEM = /[+-]?FLAGS(?:\.SILENT)?(?= )/iy;
const ALGORITHM = /(?:REFERENCES|ORDEREDSUBJECT)(?= )/iy;

export const PARSERS: Readonly<Record<Exclude<Verb, Alone>, Parser>> = {
  LOGIN: (cursor) => {
    const user = cursor.utf8('User name');
    cursor.space();
    return { verb: 'LOGIN', user, password: cursor.utf8('Password') };
  },
  AUTHENTICATE: (cursor) => {
    const mechanism = cursor.atom('Mechanism').toUpperCase();
    if (!cursor.skip(' ')) return { verb: 'AUTHENTICATE', mechanism };
    const initial = cursor.need(INITIAL_RESPONSE, 'Base64');
    return { verb: 'AUTHENTICATE', mechanism, initial: initial === '=' ? '' : initial };
  },
  ID: id,
  ENABLE: enable,
  COMPRESS: (cursor) => ({ verb: 'COMPRESS', mechanism: cursor.atom('Mechanism').toUpperCase() }),
  SELECT: (cursor) => select('SELECT', cursor),
  EXAMINE: (cursor) => select('EXAMINE', cursor),
  CREATE: create,
  DELETE: (cursor) => ({ verb: 'DELETE', mailbox: cursor.mailbox() }),
  SUBSCRIBE: (cursor) => ({ verb: 'SUBSCRIBE', mailbox: cursor.mailbox() }),
  UNSUBSCRIBE: (cursor) => ({ verb: 'UNSUBSCRIBE', mailbox: cursor.mailbox() }),
  RENAME: (cursor) => {
    const from = cursor.mailbox();
    cursor.space();
    return { verb: 'RENAME', from, to: cursor.mailbox() };
  },
  LIST: list,
  LSUB: (cursor) => {
    const reference = cursor.mailbox('Reference');
    cursor.space();
    return { verb: 'LSUB', reference, pattern: cursor.listPattern() };
  },
  STATUS: (cursor) => {
    const mailbox = cursor.mailbox();
    cursor.space();
    return { verb: 'STATUS', mailbox, items: statusItems(cursor) };
  },
  APPEND: (cursor, { append }) => ({ verb: 'APPEND', ...append.resume(cursor) }),
  REPLACE: (cursor, { append }) => {
    const message = cursor.skip('*') ? STAR : cursor.positive('Message number');
    cursor.space();
    const { mailbox, messages } = append.resume(cursor);
    return { verb: 'REPLACE', message, mailbox, replacement: messages[0] ?? cursor.fail('Message') };
  },
  EXPUNGE: (cursor) => ({ verb: 'EXPUNGE', set: sequenceSet(cursor) }),
  FETCH: (cursor, { uid }) => fetchArguments(cursor, uid),
  STORE: store,
  COPY: (cursor) => ({ verb: 'COPY', ...transfer(cursor) }),
  MOVE: (cursor) => ({ verb: 'MOVE', ...transfer(cursor) }),
  SEARCH: (cursor, { mode }) => {
    const returns = returnOptions(cursor);
    return { verb: 'SEARCH', ...(returns && { returns }), search: searchProgram(cursor, !mode.utf8Accept) };
  },
  SORT: (cursor) => {
    const returns = returnOptions(cursor);
    const order = sortCriteria(cursor);
    cursor.space();
    return { verb: 'SORT', ...(returns && { returns }), order, search: sortProgram(cursor) };
  },
  THREAD: (cursor) => {
    const algorithm = cursor.need(ALGORITHM, 'Known threading algorithm').toUpperCase() as 'REFERENCES' | 'ORDEREDSUBJECT';
    cursor.space();
    return { verb: 'THREAD', algorithm, search: sortProgram(cursor) };
  },
  GETQUOTA: (cursor) => ({ verb: 'GETQUOTA', root: cursor.utf8('Quota root') }),
  GETQUOTAROOT: (cursor) => ({ verb: 'GETQUOTAROOT', mailbox: cursor.mailbox() }),
  SETQUOTA: setQuota,
  GETACL: (cursor) => ({ verb: 'GETACL', mailbox: cursor.mailbox() }),
  MYRIGHTS: (cursor) => ({ verb: 'MYRIGHTS', mailbox: cursor.mailbox() }),
  SETACL: setAcl,
  DELETEACL: (cursor) => ({ verb: 'DELETEACL', mailbox: cursor.mailbox(), identifier: identifier(cursor) }),
  LISTRIGHTS: (cursor) => ({ verb: 'LISTRIGHTS', mailbox: cursor.mailbox(), identifier: identifier(cursor) }),
  GETMETADATA: getMetadata,
  SETMETADATA: setMetadata,
  NOTIFY: notify,
};

function store(cursor: Cursor): Arguments {
  const set = sequenceSet(cursor);
  cursor.space();
  let unchangedSince: number | undefined;
  if (cursor.next === '(') {
    cursor.list('Modifiers', 1, () => {
      if (cursor.word('Modifier') !== 'UNCHANGEDSINCE') throw new Problem('Unknown modifier');
      cursor.space();
      unchangedSince = cursor.number64('Mod-sequence');
    });
    cursor.space();
  }
  const item = cursor.need(STORE_ITEM, 'FLAGS, +FLAGS or -FLAGS').toUpperCase();
  cursor.space();
  const operation = item.startsWith('+') ? 'add' : item.startsWith('-') ? 'remove' : 'replace';
  const flags = flagListOrBare(cursor);
  return { verb: 'STORE', set, operation, silent: item.endsWith('.SILENT'), flags, ...(unchangedSince !== undefined && { unchangedSince }) };
}

function transfer(cursor: Cursor): { set: ReturnType<typeof sequenceSet>; mailbox: string } {
  const set = sequenceSet(cursor);
  cursor.space();
  return { set, mailbox: cursor.mailbox() };
}

function sortCriteria(cursor: Cursor): readonly SortCriterion[] {
  const order: SortCriterion[] = [];
  cursor.list('Sort criteria', 20, () => {
    let name = cursor.word('Sort criterion');
    const reverse = name === 'REVERSE';
    if (reverse) {
      cursor.space();
      name = cursor.word('Sort criterion');
    }
    order.push({ key: SORT_KEYS.find((key) => key === name) ?? cursor.fail('Known sort criterion'), reverse });
  });
  return order;
}
