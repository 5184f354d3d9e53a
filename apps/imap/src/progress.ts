import type { Command, Verb } from '@kiroku/domain/imap/grammar/commands.js';
import type { Session } from './session.js';

/** ms after which a client hears that its command goes on (RFC 9585 §3.1 asks for no more than one response in that order of time). */
const INTERVAL = 10_000;

/** These may take long and say nothing on the way. */
const SILENT: ReadonlySet<Verb> = new Set<Verb>(['COPY', 'MOVE', 'SEARCH', 'SORT', 'THREAD', 'STORE', 'EXPUNGE', 'APPEND', 'REPLACE', 'RENAME', 'DELETE']);

/** Runs a command and tells the client now and then that it goes on. */
export async function withProgress<T>(session: Session, { verb, tag }: Command, work: () => T | Promise<T>): Promise<T> {
  session.progress = undefined;
  const running = work();
  if (!(running instanceof Promise) || !SILENT.has(verb)) return running;
  const timer = setInterval(() => {
    session.output.untagged(`OK [INPROGRESS ("${tag.replace(/["\\]/g, '\\$&')}" ${session.progress?.done ?? 'NIL'} ${session.progress?.of ?? 'NIL'})] Still at it`);
    // Who has left is noticed where the command ends.
    void Promise.resolve(session.output.flush()).catch(() => undefined);
  }, session.options.progressEvery ?? INTERVAL);
  try {
    return await running;
  } finally {
    clearInterval(timer);
    session.progress = undefined;
  }
}
