import type { Folder } from '@kiroku/domain/mailbox/store-port.js';
import type { Session } from './session.js';

/**
 * Looks again what the session may do with the mailbox it has open, where that is somebody else's: rights can be taken away.
 * @returns false when it may not even read it any more: the session has been told and ends.
 */
export async function stillReadable(session: Session): Promise<boolean> {
  const { selected } = session;
  if (!selected || selected.folder.accountId === session.accountId) return true;
  const folder = await nowOf(session, selected.folder);
  if (session.selected !== selected) return true;
  if (folder?.rights.includes('r')) selected.folder = folder;
  // Of one that is gone others know how to speak.
  else if (folder || !selected.live.gone) {
    session.output.untagged('BYE The mailbox is not shared with you any more');
    session.hangUp('rights-gone');
    return false;
  }
  return true;
}

/** Its owner may have renamed it. */
async function nowOf({ ports: { mailboxes }, accountId }: Session, { id, name }: Folder): Promise<Folder | undefined> {
  const same = await mailboxes.folder(accountId, name);
  return same?.id === id ? same : (await mailboxes.folders(accountId)).find((folder) => folder.id === id);
}
