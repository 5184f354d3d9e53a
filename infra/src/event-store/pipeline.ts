import type pg from 'pg';
import type { Pipeline } from '../read-model/projector.js';

const ignored = (): void => undefined; // told where it is waited for

/**
 * One transaction whose statements are sent without waiting for each other's answers, COMMIT included: it takes as many round trips as
 * there are answers that something depends upon, and the locks it holds are held as briefly. One that fails makes COMMIT a ROLLBACK.
 * The pool's connections must be in pipeline mode. A connection that failed is not used again.
 */
export async function pipelined(pool: pg.Pool, work: (db: Pipeline) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that breaks between two statements has no query to tell; without a listener it would end the process.
  const breaks = (error: Error): void => void (broken = error);
  client.on('error', breaks);
  const sent: Promise<unknown>[] = [];
  const send = (statement: pg.QueryConfig): void => {
    const answer = client.query(statement);
    answer.catch(ignored);
    sent.push(answer);
  };
  try {
    send({ text: 'BEGIN' });
    await work({ query: client.query.bind<Pipeline['query']>(client), send });
    const committed = client.query('COMMIT');
    committed.catch(ignored);
    await Promise.all(sent);
    if ((await committed).command !== 'COMMIT') throw new Error('the transaction was rolled back');
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    await Promise.allSettled(sent);
    // After a time-out the statement may still run on this connection: it is closed, and the server rolls back.
    if (/timeout/i.test(failure.message)) broken = failure;
    else await client.query('ROLLBACK').catch(() => (broken = failure));
    throw error;
  } finally {
    client.off('error', breaks);
    client.release(broken);
  }
}
