import pg from 'pg';
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

/**
 * Several statements as one transaction that takes one round trip: what PostgreSQL gets up to one Sync is a transaction (protocol,
 * "Pipelining"). A fifth faster than the same with BEGIN and COMMIT, for which the server answers each by itself, and half the work for us.
 * No statement but the first may return rows.
 * @returns the first one's answer. Rejects with the first failure; then nothing was written, unless the connection broke. That connection is
 * closed: nobody knows which of the statements it has prepared.
 */
export async function inOneTrip<Row extends pg.QueryResultRow>(pool: pg.Pool, statements: readonly pg.QueryConfig[]): Promise<pg.QueryResult<Row>> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const breaks = (error: Error): void => void (broken = error);
  client.on('error', breaks);
  try {
    return await new Promise((resolve, reject) => {
      client.query(new OneTrip(statements, (error, results) => (error ? reject(error) : resolve((Array.isArray(results) ? results[0] : results) as pg.QueryResult<Row>))));
    });
  } catch (error) {
    broken = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    client.off('error', breaks);
    client.release(broken);
  }
}

/** What the driver's connection does that its types do not show. */
type Wire = Parameters<pg.Query['submit']>[0] & { readonly stream: { cork(): void; uncork(): void; destroy(error: Error): void } };
/** Its types leave out that it says why it could not. */
type Submit = (wire: Wire) => Error | null;

class OneTrip extends pg.Query {
  constructor(statements: readonly pg.QueryConfig[], done: (error: Error | undefined, results: unknown) => void) {
    super({ text: '' }, done);
    this.submit = (connection) => {
      const wire = connection as Wire;
      // A statement that could not be put together must not leave the others to become a transaction without it.
      const unfit = (error?: Error | null): void => void (error && wire.stream.destroy(error));
      const first = Object.create(wire, { sync: { value: ignored } }) as Wire;
      const others = Object.create(first, { describe: { value: ignored } }) as Wire;
      wire.stream.cork();
      try {
        // Without the mode, one that has no values would go as a transaction of its own.
        for (const [i, statement] of statements.entries()) unfit((new pg.Query({ ...statement, queryMode: 'extended' } as pg.QueryConfig, unfit).submit as Submit)(i === 0 ? first : others));
        wire.sync();
      } finally {
        wire.stream.uncork();
      }
    };
  }
}
