import type { Of, Qresync } from './commands.js';
import { type Cursor, Problem } from './cursor.js';
import { countOf, plainRanges, type Ranges } from './sequence-set.js';

const USES = new Map(['\\All', '\\Archive', '\\Drafts', '\\Flagged', '\\Important', '\\Junk', '\\Sent', '\\Trash'].map((use) => [use.toLowerCase(), use]));

type Bare<V extends 'CREATE' | 'SELECT' | 'EXAMINE'> = Omit<Of<V>, 'tag' | 'uid'>;

/** RFC 6154 §3: `CREATE name (USE (\Sent))`. */
export function create(cursor: Cursor): Bare<'CREATE'> {
  const name = cursor.mailbox();
  // A separator at the end only says that inferiors are to come (RFC 9051 §6.3.4).
  const mailbox = name.length > 1 && name.endsWith('/') ? name.slice(0, -1) : name;
  const specialUse = new Set<string>();
  if (cursor.skip(' ')) {
    cursor.list('Parameters', 1, () => {
      if (cursor.word('Parameter') !== 'USE') throw new Problem('Unknown parameter');
      cursor.space();
      cursor.list('Uses', 20, () => specialUse.add(use(cursor)), 0);
    });
  }
  return { verb: 'CREATE', mailbox, specialUse: [...specialUse] };
}

function use(cursor: Cursor): string {
  cursor.char('\\', 'Use');
  const known = USES.get(`\\${cursor.atom('Use')}`.toLowerCase());
  if (known === undefined) throw new Problem('The use is not known', 'NO', 'USEATTR');
  return known;
}

export function select<V extends 'SELECT' | 'EXAMINE'>(verb: V, cursor: Cursor): Bare<'SELECT'> | Bare<'EXAMINE'> {
  const mailbox = cursor.mailbox();
  let condstore = false;
  let known: Qresync | undefined;
  if (cursor.skip(' ')) {
    cursor.list('Parameters', 2, () => {
      const name = cursor.word('Parameter');
      if (name === 'CONDSTORE') condstore = true;
      else if (name === 'QRESYNC' && !known) known = qresync(cursor);
      else throw new Problem('Unknown parameter');
    });
  }
  return { verb, mailbox, condstore, ...(known && { qresync: known }) };
}

/** ` (uidvalidity modseq [uids] [(numbers uids)])`. */
function qresync(cursor: Cursor): Qresync {
  cursor.space();
  cursor.char('(', 'Parameters in parentheses');
  const uidValidity = cursor.positive('UIDVALIDITY');
  cursor.space();
  const modSeq = cursor.positive64('Mod-sequence');
  let uids: Ranges | undefined;
  let match: Qresync['match'];
  if (cursor.skip(' ')) {
    if (cursor.next !== '(') uids = plainRanges(cursor);
    if (uids === undefined || cursor.skip(' ')) match = matches(cursor);
  }
  cursor.char(')', 'Closing parenthesis');
  return { uidValidity, modSeq, ...(uids && { uids }), ...(match && { match }) };
}

function matches(cursor: Cursor): NonNullable<Qresync['match']> {
  cursor.char('(', 'Numbers in parentheses');
  const numbers = plainRanges(cursor);
  cursor.space();
  const uids = plainRanges(cursor);
  cursor.char(')', 'Closing parenthesis');
  if (countOf(numbers) !== countOf(uids)) throw new Problem('Numbers and UIDs are not of one length');
  return { numbers, uids };
}
