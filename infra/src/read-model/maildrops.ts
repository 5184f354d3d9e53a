import type { Origin } from '@kiroku/domain/kernel/event.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import type { AccountFacts } from '@kiroku/domain/mail/directory-port.js';
import { expungeMessages, type MailboxEvent, mailboxStream } from '@kiroku/domain/mailbox/mailbox.js';
import { type Located, type Maildrop, type Maildrops, snapshotOf } from '@kiroku/domain/pop3/maildrop.js';
import pg from 'pg';
import type { PostgresConnection } from '../postgres/connection.js';
import { connectionOptions } from './database.js';

/** A mailbox that much mail is being delivered to moves on all the time. */
const ATTEMPTS = 1_000;
/** Events per append; a QUIT that deletes more goes in steps, which may be cut off between two. */
const MOST_AT_ONCE = 2_000;

interface Doomed {
  readonly uidNext: number;
  readonly highestModSeq: number;
  readonly entries: readonly { readonly uid: number; readonly messageId: string; readonly sha256: string; readonly size: number }[];
}
interface EntryRow {
  readonly uid: number; readonly message_id: string; readonly sha256: string; readonly size: number;
}

/**
 * POP3's view of an account's INBOX. The exclusive lock of RFC 1939 is a session advisory lock on a connection that all maildrops
 * of this process share: when the process or its connection dies, the locks are free, and sessions that held one are told.
 */
export class PostgresMaildrops implements Maildrops {
  #locks: Promise<pg.Client> | undefined;
  /** Counts the connections: a lock belongs to the one it was taken on. */
  #generation = 0;
  /** Advisory locks nest within a connection, so what this process holds is known here. */
  readonly #held = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly pool: pg.Pool,
    private readonly address: PostgresConnection,
    private readonly engine: Engine,
    private readonly trouble: (error: unknown) => void,
  ) {}

  async open(account: AccountFacts): Promise<Maildrop | 'in-use'> {
    const id = account.inbox;
    const generation = await this.#lock(id);
    if (generation === undefined) return 'in-use';
    try {
      return await this.#opened(id, generation);
    } catch (error) {
      await this.#release(id, generation);
      throw error;
    }
  }

  /** @returns the connection's generation, undefined when another session has the lock. */
  #lock(id: string): Promise<number | undefined> {
    return this.#onLockConnection(async (client, generation) => {
      if (this.#held.has(id)) return undefined;
      const { rows } = await client.query<{ got: boolean }>('SELECT pg_try_advisory_lock(hashtextextended($1, 110)) AS got', [id]);
      if (rows[0]?.got !== true) return undefined;
      this.#held.add(id);
      return generation;
    });
  }

  async #opened(id: string, generation: number): Promise<Maildrop> {
    const box = await this.pool.query<{ uid_validity: number }>({ name: 'maildrop', text: 'SELECT uid_validity FROM view.mailbox_1 WHERE id = $1', values: [id] });
    if (!box.rows[0]) throw new Error(`mailbox ${id} is gone`);
    const { rows } = await this.pool.query<{ uid: number; size: number }>({
      name: 'maildrop-entries', text: 'SELECT uid, size FROM view.mailbox_message_1 WHERE mailbox_id = $1 ORDER BY uid', values: [id],
    });
    return {
      uidValidity: box.rows[0].uid_validity,
      snapshot: snapshotOf(rows),
      locate: (uid) => this.#locate(id, uid),
      expunge: (uids, origin) => this.#expunge(id, uids, origin, generation),
      close: () => this.#release(id, generation),
    };
  }

  async #locate(id: string, uid: number): Promise<Located | undefined> {
    const { rows } = await this.pool.query<{ prefix: string; sha256: string; body_size: number; at: string | null; smtputf8: boolean }>({
      name: 'maildrop-locate',
      text: `SELECT prefix, encode(sha256, 'hex') AS sha256, body_size, at, smtputf8 FROM view.mailbox_message_1 WHERE mailbox_id = $1 AND uid = $2`,
      values: [id, uid],
    });
    const row = rows[0];
    if (!row) return undefined;
    return { prefix: row.prefix, body: { sha256: row.sha256, size: row.body_size, ...(row.at !== null && { at: row.at }) }, smtputf8: row.smtputf8 };
  }

  async #expunge(id: string, uids: readonly number[], origin: Origin, generation: number): Promise<void> {
    for (let start = 0; start < uids.length; start += MOST_AT_ONCE) await this.#expungeSome(id, uids.slice(start, start + MOST_AT_ONCE), origin, generation);
  }

  async #expungeSome(id: string, uids: readonly number[], origin: Origin, generation: number): Promise<void> {
    const stream = mailboxStream(id);
    let doomed = await this.#doomed(id, uids);
    for (let attempt = 1; ; attempt++) {
      if (generation !== this.#generation) throw new Error('the maildrop lock was lost');
      const last = (await this.engine.store.readLast([stream])).get(stream);
      if (!last || last.event.type === 'MailboxDeleted') return;
      const { head } = (last.event as unknown as MailboxEvent).data;
      // Mail that came in since changes nothing about the entries; anything else may have removed some. Not looking again each
      // time keeps up with a delivery that goes on and on.
      if (head.highestModSeq - doomed.highestModSeq !== head.uidNext - doomed.uidNext) {
        if (attempt >= ATTEMPTS) throw new VersionConflict([stream]);
        doomed = await this.#doomed(id, uids);
        continue;
      }
      if (doomed.entries.length === 0) return;
      const facts = expungeMessages(id, head, doomed.entries);
      try {
        await this.engine.store.append([{ stream, expected: last.version, events: record(facts, this.engine, origin, {}) }]);
        return;
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
      }
    }
  }

  /** Those of `uids` that are still there, and where the mailbox stands at that instant. */
  async #doomed(id: string, uids: readonly number[]): Promise<Doomed> {
    const { rows } = await this.pool.query<{ uid_next: number; highest_mod_seq: number } & (EntryRow | { uid: null })>({
      name: 'maildrop-doomed',
      text: `SELECT b.uid_next, b.highest_mod_seq, m.uid, m.message_id, encode(m.sha256, 'hex') AS sha256, m.size
             FROM view.mailbox_1 b LEFT JOIN view.mailbox_message_1 m ON m.mailbox_id = b.id AND m.uid = ANY($2) WHERE b.id = $1 ORDER BY m.uid`,
      values: [id, uids],
    });
    return {
      uidNext: rows[0]?.uid_next ?? 0, highestModSeq: rows[0]?.highest_mod_seq ?? 0,
      entries: rows.flatMap((r) => (r.uid === null ? [] : [{ uid: r.uid, messageId: r.message_id, sha256: r.sha256, size: r.size }])),
    };
  }

  async #release(id: string, generation: number): Promise<void> {
    if (generation !== this.#generation) return; // went with its connection
    await this.#onLockConnection(async (client, now) => {
      if (now !== generation) return;
      await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 110))', [id]);
      this.#held.delete(id);
    }).catch(this.trouble);
  }

  /** One statement after another on the connection that holds the locks. One that fails, or does not answer, is given up with all its locks. */
  #onLockConnection<T>(work: (client: pg.Client, generation: number) => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      const client = await (this.#locks ??= this.#connect());
      const generation = this.#generation;
      return work(client, generation).catch((error: unknown) => {
        if (generation === this.#generation) this.#lose();
        void client.end().catch(() => undefined);
        throw error;
      });
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  #lose(): void {
    this.#locks = undefined;
    this.#generation++;
    this.#held.clear();
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...connectionOptions(this.address), keepAlive: true });
    const generation = this.#generation;
    const lose = (): void => {
      if (generation === this.#generation) this.#lose();
    };
    client.on('error', (error) => { this.trouble(error); lose(); });
    client.on('end', lose);
    try {
      await client.connect();
    } catch (error) {
      lose();
      throw error;
    }
    return client;
  }

  async close(): Promise<void> {
    await (await this.#locks?.catch(() => undefined))?.end().catch(() => undefined);
  }
}
