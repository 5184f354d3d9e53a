import { type List, STATUS_ITEMS, type StatusItem } from './commands.js';
import { type Cursor, Problem } from './cursor.js';

export const LIST_LIMITS = { patterns: 100, options: 20 } as const;

const RETURN = / RETURN(?= )/iy;

export function list(cursor: Cursor): List {
  const extendedSelect = cursor.next === '(';
  const select = extendedSelect ? selectOptions(cursor) : NOTHING_SELECTED;
  if (extendedSelect) cursor.space();
  const reference = cursor.mailbox('Reference');
  cursor.space();
  const patterns: string[] = [];
  const extendedPattern = cursor.next === '(';
  if (extendedPattern) cursor.list('Patterns', LIST_LIMITS.patterns, () => patterns.push(cursor.listPattern()));
  else patterns.push(cursor.listPattern());
  const extendedReturn = cursor.take(RETURN) !== undefined;
  const returns = extendedReturn ? returnOptions(cursor) : NOTHING_RETURNED;
  return { verb: 'LIST', reference, patterns, extended: extendedSelect || extendedPattern || extendedReturn, select, returns };
}

const NOTHING_SELECTED: List['select'] = { subscribed: false, remote: false, recursiveMatch: false, specialUse: false };
const NOTHING_RETURNED: List['returns'] = { subscribed: false, children: false, specialUse: false, myRights: false };

function selectOptions(cursor: Cursor): List['select'] {
  const found = { ...NOTHING_SELECTED };
  cursor.list('Selection options', LIST_LIMITS.options, () => {
    switch (cursor.word('Selection option')) {
      case 'SUBSCRIBED': return void (found.subscribed = true);
      case 'REMOTE': return void (found.remote = true);
      case 'RECURSIVEMATCH': return void (found.recursiveMatch = true);
      case 'SPECIAL-USE': return void (found.specialUse = true);
      default: throw new Problem('Unknown selection option');
    }
  }, 0);
  // RFC 5258 §3.1: it says nothing by itself, or with REMOTE.
  if (found.recursiveMatch && !found.subscribed && !found.specialUse) throw new Problem('RECURSIVEMATCH needs another selection option');
  return found;
}

function returnOptions(cursor: Cursor): List['returns'] {
  let found = NOTHING_RETURNED;
  cursor.space();
  cursor.list('Return options', LIST_LIMITS.options, () => {
    switch (cursor.word('Return option')) {
      case 'SUBSCRIBED': return void (found = { ...found, subscribed: true });
      case 'CHILDREN': return void (found = { ...found, children: true });
      case 'SPECIAL-USE': return void (found = { ...found, specialUse: true });
      case 'MYRIGHTS': return void (found = { ...found, myRights: true });
      case 'STATUS':
        cursor.space();
        return void (found = { ...found, status: statusItems(cursor) });
      default: throw new Problem('Unknown return option');
    }
  }, 0);
  return found;
}

/** Each once, in the order of the request. */
export function statusItems(cursor: Cursor): readonly StatusItem[] {
  const items = new Set<StatusItem>();
  cursor.list('Status items', LIST_LIMITS.options, () => {
    const name = cursor.word('Status item');
    items.add(STATUS_ITEMS.find((item) => item === name) ?? cursor.fail('Known status item'));
  });
  return [...items];
}
