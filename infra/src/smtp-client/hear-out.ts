import type { Socket } from 'node:net';

type Done = (error?: Error | null) => void;

/** ms for the other side's last words to be read; on Linux they are here already when a write fails. */
const LAST_WORDS = 1000;

/**
 * Lets a socket be read to its end after a write has failed. A server that refuses in the middle of a message, and closes with bytes
 * of it unread, resets the connection right behind its reply. The system keeps what arrived before a reset (Linux does; others may not),
 * but Node destroys a socket at the first write that fails, with the reply unread. So the failure is told to Node when reading has
 * ended, or after a second. What was lost on the way, or overtaken by the reset, nobody can read.
 *
 * @param failed told of the failure at once.
 */
export function hearOut(socket: Socket, failed: (error: Error) => void): void {
  const late = (done: Done): Done => (error) => {
    if (!error) return done(error);
    failed(error);
    const tell = (): void => {
      clearTimeout(timer);
      socket.off('end', tell).off('close', tell);
      done(error);
    };
    const timer = setTimeout(tell, LAST_WORDS).unref();
    if (socket.destroyed || socket.readableEnded) tell();
    else socket.once('end', tell).once('close', tell);
  };
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  socket._write = (chunk, encoding, done) => write(chunk, encoding, late(done));
  if (writev) socket._writev = (chunks, done) => writev(chunks, late(done));
}
