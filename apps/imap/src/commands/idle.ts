import { ConnectionEnded, LineTooLong } from '@kiroku/infra/net/connection.js';
import { announce } from '../announce.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { stillReadable } from '../shared-access.js';

/** RFC 2177: until the client says DONE it hears of everything at once. */
export async function idle(session: Session): Promise<Completion> {
  const { selected, output, notifications } = session;
  await selected?.live.refresh();
  output.line('+ idling');
  let over = false;
  selected?.onChange(pushing(session, () => over));
  notifications?.resume(true);
  try {
    announce(session, true);
    await session.listen(() => readDone(session));
  } finally {
    over = true;
    await notifications?.pause();
    selected?.onChange(undefined);
  }
  return ok('No longer idle');
}

/** Tells what is new whenever something is. What comes while the client reads nothing is told in one when it does: nothing piles up. */
function pushing(session: Session, isOver: () => boolean): () => void {
  let sending = false;
  let again = false;
  const push = (): void => {
    again = sending;
    if (sending || session.phase === 'logout') return;
    sending = true;
    void tell(session, isOver).then(() => {
      sending = false;
      if (again && !isOver()) push();
    });
  };
  return push;
}

async function tell(session: Session, isOver: () => boolean): Promise<void> {
  try {
    const shared = session.selected?.folder.accountId !== session.accountId;
    if (shared && !(await stillReadable(session))) return session.connection.close();
    if (isOver()) return;
    announce(session, true);
    // Its mailbox is gone, and the reader waits for a word that no longer matters.
    if (session.ending === 'mailbox-deleted') return session.connection.close();
    await session.output.flush();
  } catch (error) {
    // Who has left is noticed where the session reads.
    if (!(error instanceof ConnectionEnded)) session.trouble(error);
  }
}

async function readDone({ connection }: Session): Promise<void> {
  let line: Buffer | undefined;
  try {
    line = await connection.readLine(100);
  } catch (error) {
    if (error instanceof LineTooLong) throw new No('Expected DONE', undefined, 'BAD');
    throw error;
  }
  if (!line) throw new ConnectionEnded('gone');
  if (line.toString('latin1').toUpperCase() !== 'DONE') throw new No('Expected DONE', undefined, 'BAD');
}
