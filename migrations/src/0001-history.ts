import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The history of the embedded engines: facts of the event log in rows of up to 500 events per (append, partition), decisions of
 * the event store in a row per (append, stream). `head` gives out positions: its row lock, held until commit, makes positions
 * dense and lets nobody commit below what a reader has seen.
 */
export class History0001 implements MigrationInterface {
  readonly name = 'History1763769600001';
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE SCHEMA history;
      CREATE SCHEMA view;
      CREATE SCHEMA rebuild;

      CREATE TABLE history.head (
        topic text NOT NULL, partition smallint NOT NULL, next bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (topic, partition)
      ) WITH (fillfactor = 20);
      INSERT INTO history.head (topic, partition)
        SELECT 'mail', generate_series(0, 3) UNION ALL SELECT 'session', generate_series(0, 1) UNION ALL SELECT 'decision', 0;

      CREATE TABLE history.mail (
        partition smallint NOT NULL, position bigint NOT NULL, count integer NOT NULL, at bigint NOT NULL, entries text NOT NULL,
        PRIMARY KEY (partition, position)
      );
      CREATE TABLE history.session (LIKE history.mail INCLUDING ALL);

      CREATE TABLE history.decision (
        position bigint PRIMARY KEY, stream text NOT NULL, version integer NOT NULL, count integer NOT NULL, events text NOT NULL,
        UNIQUE (stream, version)
      );

      CREATE TABLE history.checkpoint (
        consumer text NOT NULL, topic text NOT NULL, partition smallint NOT NULL, position bigint NOT NULL,
        PRIMARY KEY (consumer, topic, partition)
      ) WITH (fillfactor = 20);

      -- One row per partition, JSON lists as text. Locks in the order of partitions, so two writers never deadlock.
      CREATE FUNCTION history.append_facts(the_topic text, now bigint, partitions smallint[], counts integer[], entries text[])
      RETURNS void LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM 1 FROM history.head h WHERE h.topic = the_topic AND h.partition = ANY (partitions) ORDER BY h.partition FOR UPDATE;
        IF the_topic = 'mail' THEN
          WITH d AS (SELECT * FROM unnest(partitions, counts, entries) AS r(p, n, e)),
               h AS (UPDATE history.head x SET next = x.next + d.n FROM d WHERE x.topic = the_topic AND x.partition = d.p
                     RETURNING x.partition, x.next - d.n AS position)
          INSERT INTO history.mail SELECT d.p, h.position, d.n, now, d.e FROM d JOIN h ON h.partition = d.p;
        ELSE
          WITH d AS (SELECT * FROM unnest(partitions, counts, entries) AS r(p, n, e)),
               h AS (UPDATE history.head x SET next = x.next + d.n FROM d WHERE x.topic = the_topic AND x.partition = d.p
                     RETURNING x.partition, x.next - d.n AS position)
          INSERT INTO history.session SELECT d.p, h.position, d.n, now, d.e FROM d JOIN h ON h.partition = d.p;
        END IF;
      END $$;

      -- One row per stream, or several that continue each other: "versions" are the versions before each row, NULL in "expected"
      -- where a row continues the one before. Returns the streams that are not at their expected version, then nothing is
      -- written; NULL when all was appended.
      CREATE FUNCTION history.append_decisions(streams text[], expected integer[], versions integer[], counts integer[], lists text[])
      RETURNS text[] LANGUAGE plpgsql AS $$
      DECLARE
        at bigint;
        conflicts text[];
      BEGIN
        SELECT next INTO at FROM history.head WHERE topic = 'decision' AND partition = 0 FOR UPDATE;
        SELECT array_agg(d.s) INTO conflicts
          FROM unnest(streams, expected) AS d(s, v)
          LEFT JOIN LATERAL (SELECT x.version + x.count - 1 AS version FROM history.decision x
                             WHERE x.stream = d.s ORDER BY x.version DESC LIMIT 1) last ON true
          WHERE d.v IS NOT NULL AND coalesce(last.version, 0) <> d.v;
        IF conflicts IS NOT NULL THEN RETURN conflicts; END IF;
        INSERT INTO history.decision
          SELECT at + sum(d.n) OVER (ORDER BY d.o) - d.n, d.s, d.v + 1, d.n, d.e
          FROM unnest(streams, versions, counts, lists) WITH ORDINALITY AS d(s, v, n, e, o);
        UPDATE history.head SET next = at + (SELECT sum(n) FROM unnest(counts) n) WHERE topic = 'decision' AND partition = 0;
        RETURN NULL;
      END $$;

      -- Moves one consumer's checkpoint if it is where the caller thinks. A missing row counts as 0.
      CREATE FUNCTION history.move_checkpoint(the_consumer text, the_topic text, the_partition smallint, old bigint, new bigint)
      RETURNS boolean LANGUAGE plpgsql AS $$
      BEGIN
        UPDATE history.checkpoint SET position = new
          WHERE consumer = the_consumer AND topic = the_topic AND partition = the_partition AND position = old;
        IF FOUND THEN RETURN true; END IF;
        IF old <> 0 THEN RETURN false; END IF;
        INSERT INTO history.checkpoint VALUES (the_consumer, the_topic, the_partition, new) ON CONFLICT DO NOTHING;
        RETURN FOUND;
      END $$;
    `);
  }
  /** Forward only: history is never taken back. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
