import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { Groups } from '../notify/groups.js';
import { MOST_WATCHED, Notifications } from '../notify/notifications.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { statusResponse } from './status.js';

/** RFC 5465. A command replaces what was asked for before. */
export async function notify(session: Session, { set }: Of<'NOTIFY'>): Promise<Completion> {
  session.notifications?.close();
  session.notifications = undefined;
  if (!set) return ok('Nothing will be told');
  const groups = new Groups(set.groups);
  const folders = groups.any ? await session.ports.mailboxes.folders(session.accountId) : [];
  const notifications = new Notifications(session, groups, folders);
  if (notifications.watched.length >= MOST_WATCHED) {
    notifications.close();
    throw new No('Too many mailboxes', 'NOTIFICATIONOVERFLOW');
  }
  session.notifications = notifications;
  await notifications.learn();
  if (set.status) await tellStatus(session, notifications);
  return ok('Changes will be told');
}

/** RFC 5465 §3.1: where the mailboxes stand now; of the selected one the client knows. */
async function tellStatus(session: Session, { watched }: Notifications): Promise<void> {
  const folders = watched.filter(({ id }) => id !== session.selected?.live.id);
  const statuses = new Map((await session.ports.mailboxes.status(folders.map(({ id }) => id))).map((status) => [status.id, status]));
  for (const folder of folders) {
    const known = statuses.get(folder.id);
    if (known) session.output.untagged(await statusResponse(session, folder, known, ['MESSAGES', 'UIDNEXT', 'UIDVALIDITY', 'UNSEEN']));
    const room = session.output.room();
    if (room) await room;
  }
}
