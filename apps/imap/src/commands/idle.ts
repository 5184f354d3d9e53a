import { ConnectionEnded, LineTooLong } from '@kiroku/infra/net/connection.js';
import { announce } from '../announce.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';

/** RFC 2177: until the client says DONE it hears of everything at once. */
export async function idle(session: Session): Promise<Completion> {
  const { selected, output, notifications } = session;
  await selected?.live.refresh();
  output.line('+ idling');
  selected?.onChange(pushing(session));
  notifications?.resume(true);
  try {
    announce(session, true);
    await readDone(session);
  } finally {
    await notifications?.pause();
    selected?.onChange(undefined);
  }
  return ok('No longer idle');
}

/** Tells what is new whenever something is. What comes while the client reads nothing is told in one when it does: nothing piles up. */
function pushing(session: Session): () => void {
  let sending = false;
  let again = false;
  const push = (): void => {
    again = sending;
    if (sending || session.phase === 'logout') return;
    announce(session, true);
    sending = true;
    void send(session).then(() => {
      sending = false;
      if (again) push();
    });
    // Its mailbox is gone, and the reader waits for a word that no longer matters.
    if (session.ending === 'mailbox-deleted') session.connection.close();
  };
  return push;
}

async function send({ output }: Session): Promise<void> {
  try {
    await output.flush();
  } catch {
    // Who has left is noticed where the session reads.
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
