import type { NotifyEvent, NotifyGroup, NotifyMailboxes } from '@kiroku/domain/imap/grammar/commands.js';
import type { Folder } from '@kiroku/domain/mailbox/store-port.js';

export type EventName = NotifyEvent['event'];
type Filter = NotifyMailboxes;

/** What NOTIFY SET asked for (RFC 5465 §6), by mailbox. */
export class Groups {
  /** For the selected mailbox; undefined: it is told of as without NOTIFY. */
  readonly selected: { readonly events: readonly NotifyEvent[]; readonly delayed: boolean } | undefined;
  private readonly others: readonly NotifyGroup[];

  constructor(groups: readonly NotifyGroup[]) {
    const own = groups.find(({ mailboxes }) => isSelected(mailboxes));
    this.selected = own && { events: own.events, delayed: 'filter' in own.mailboxes && own.mailboxes.filter === 'selected-delayed' };
    this.others = groups.filter(({ mailboxes }) => !isSelected(mailboxes));
  }

  get any(): boolean {
    return this.others.length > 0;
  }

  /** The first group that a mailbox is in counts. */
  eventsFor(folder: Folder, account: string): ReadonlySet<EventName> {
    const group = this.others.find(({ mailboxes }) => includes(mailboxes, folder, account));
    return new Set(group?.events.map(({ event }) => event) ?? []);
  }

  /** Does any group ask for one of these? */
  asks(...names: EventName[]): boolean {
    return this.others.some(({ events }) => events.some(({ event }) => names.includes(event)));
  }
}

const isSelected = ({ filter }: Filter): boolean => filter === 'selected' || filter === 'selected-delayed';

function includes(filter: Filter, { name, accountId, subscribed, path }: Folder, account: string): boolean {
  switch (filter.filter) {
    case 'inboxes':
      return path === 'INBOX' && accountId === account;
    case 'personal':
      return accountId === account;
    case 'subscribed':
      return subscribed;
    case 'subtree':
      return filter.names.some((root) => name === root || name.startsWith(`${root}/`));
    case 'mailboxes':
      return filter.names.includes(name);
    case 'selected':
    case 'selected-delayed':
      return false;
  }
}
