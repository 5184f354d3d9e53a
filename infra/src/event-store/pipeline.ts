import type pg from 'pg';
import type { Pipeline } from '../read-model/projector.js';

const ignored = (): void => undefined; // told where it is waited for

/** The driver's socket, which its types do not show. */
type Corked = { readonly connection?: { readonly stream?: { cork(): void; uncork(): void } } };

/** Holds back what is written to a connection until this turn of work is over: its statements leave in one piece, and wake the server once. */
function gathering(client: pg.PoolClient): () => void {
  const stream = (client as unknown as Corked).connection?.stream;
  let corked = false;
  return () => {
    if (corked || !stream) return;
    corked = true;
    stream.cork();
    process.nextTick(() => {
      corked = false;
      stream.uncork();
    });
  };
}

/**
 * One transaction whose statements are sent without waiting for each other's answers, COMMIT included: it takes as many round trips as
 * there are answers that something depends upon, and the locks it holds are held as briefly. One that fails makes COMMIT a ROLLBACK.
 * The pool's connections must be in pipeline mode. A connection that failed is not used again.
 * @param sealed done once every statement has been answered, before COMMIT is sent; if it rejects, all is rolled back.
 */
export async function pipelined(pool: pg.Pool, work: (db: Pipeline) => Promise<void>, sealed?: () => Promise<void>): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that breaks between two statements has no query to tell; without a listener it would end the process.
  const breaks = (error: Error): void => void (broken = error);
  client.on('error', breaks);
  const sent: Promise<unknown>[] = [];
  const together = gathering(client);
  const send = (statement: pg.QueryConfig): void => {
    together();
    const answer = client.query(statement);
    answer.catch(ignored);
    sent.push(answer);
  };
  const query = ((...args: Parameters<pg.ClientBase['query']>) => {
    together();
    return client.query(...args);
  }) as Pipeline['query'];
  try {
    send({ text: 'BEGIN' });
    await work({ query, send });
    if (sealed) {
      await Promise.all(sent);
      await sealed();
    }
    together();
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
