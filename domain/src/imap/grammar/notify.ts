import type { NotifyEvent, NotifyGroup, NotifyMailboxes, Of } from './commands.js';
import { type Cursor, Problem } from './cursor.js';
import { fetchItems } from './fetch.js';

export const NOTIFY_LIMITS = { groups: 50, mailboxes: 1_000 } as const;

const STATUS = /STATUS(?= )/iy;

/** RFC 5465 §8. */
export function notify(cursor: Cursor): Omit<Of<'NOTIFY'>, 'tag' | 'uid'> {
  const kind = cursor.word('NONE or SET');
  if (kind === 'NONE') return { verb: 'NOTIFY', set: null };
  if (kind !== 'SET') cursor.fail('NONE or SET');
  cursor.space();
  const status = cursor.take(STATUS) !== undefined;
  if (status) cursor.space();
  const groups: NotifyGroup[] = [];
  let names = 0;
  do {
    const added = group(cursor);
    if ('names' in added.mailboxes) names += added.mailboxes.names.length;
    groups.push(added);
    if (groups.length > NOTIFY_LIMITS.groups || names > NOTIFY_LIMITS.mailboxes) throw new Problem('Too many mailboxes', 'NO', 'NOTIFICATIONOVERFLOW');
  } while (cursor.skip(' '));
  if (groups.filter(isSelected).length > 1) throw new Problem('The selected mailbox is named twice');
  return { verb: 'NOTIFY', set: { status, groups } };
}

const isSelected = ({ mailboxes: { filter } }: NotifyGroup): boolean => filter === 'selected' || filter === 'selected-delayed';

function group(cursor: Cursor): NotifyGroup {
  cursor.char('(', 'Event group in parentheses');
  const mailboxes = filter(cursor);
  cursor.space();
  const events: NotifyEvent[] = [];
  if (cursor.next === '(') cursor.list('Events', 20, () => events.push(event(cursor)));
  else if (cursor.word('Events') !== 'NONE') cursor.fail('Events or NONE');
  cursor.char(')', 'Closing parenthesis');
  const made = { mailboxes, events };
  check(made);
  return made;
}

function filter(cursor: Cursor): NotifyMailboxes {
  const name = cursor.word('Mailboxes').toLowerCase();
  switch (name) {
    case 'selected':
    case 'selected-delayed':
    case 'inboxes':
    case 'personal':
    case 'subscribed':
      return { filter: name };
    case 'subtree':
    case 'mailboxes': {
      cursor.space();
      const names: string[] = [];
      if (cursor.next === '(') cursor.list('Mailboxes', NOTIFY_LIMITS.mailboxes, () => names.push(cursor.mailbox()));
      else names.push(cursor.mailbox());
      return { filter: name, names };
    }
    default:
      throw new Problem('Unknown mailbox filter');
  }
}

const FETCHING = / (?=\()/y;
const OTHERS = ['MessageExpunge', 'FlagChange', 'MailboxName', 'SubscriptionChange', 'MailboxMetadataChange', 'ServerMetadataChange'] as const;
const OF_MESSAGES: ReadonlySet<string> = new Set<NotifyEvent['event']>(['MessageNew', 'MessageExpunge', 'FlagChange']);

function event(cursor: Cursor): NotifyEvent {
  const name = cursor.word('Event');
  if (name === 'MESSAGENEW') return { event: 'MessageNew', items: cursor.take(FETCHING) ? fetchItems(cursor) : [] };
  const known = OTHERS.find((each) => each.toUpperCase() === name);
  if (!known) throw new Problem('The event is not supported', 'NO', `BADEVENT (MessageNew ${OTHERS.join(' ')})`);
  return { event: known };
}

/** RFC 5465 §5: which events go with which, and with the selected mailbox. */
function check({ mailboxes, events }: NotifyGroup): void {
  const has = (name: NotifyEvent['event']): boolean => events.some((each) => each.event === name);
  if (has('MessageNew') !== has('MessageExpunge')) throw new Problem('MessageNew and MessageExpunge go together');
  if (has('FlagChange') && !has('MessageNew')) throw new Problem('FlagChange needs MessageNew and MessageExpunge');
  const selected = isSelected({ mailboxes, events });
  if (selected && events.some((each) => !OF_MESSAGES.has(each.event))) throw new Problem('The selected mailbox has events of messages only');
  if (!selected && events.some((each) => each.event === 'MessageNew' && each.items.length > 0)) throw new Problem('Items are fetched of the selected mailbox only');
}
