import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `append_decisions` for what most appends are, one row of one stream: two thirds of the time. */
export class AppendDecision0016 implements MigrationInterface {
  readonly name = 'AppendDecision1795392000016';
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      -- Returns the stream if it is not at its expected version, then nothing is written; NULL when all was appended.
      CREATE FUNCTION history.append_decision(the_stream text, expected integer, how_many integer, list text)
      RETURNS text[] LANGUAGE plpgsql AS $$
      DECLARE
        at bigint;
        version_now integer;
      BEGIN
        -- Locks as well: the version is looked at when nobody else can append.
        UPDATE history.head SET next = next + how_many WHERE topic = 'decision' AND partition = 0 RETURNING next - how_many INTO at;
        SELECT x.version + x.count - 1 INTO version_now FROM history.decision x WHERE x.stream = the_stream ORDER BY x.version DESC LIMIT 1;
        IF coalesce(version_now, 0) <> expected THEN
          UPDATE history.head SET next = at WHERE topic = 'decision' AND partition = 0;
          RETURN ARRAY[the_stream];
        END IF;
        INSERT INTO history.decision (position, stream, version, count, events) VALUES (at, the_stream, expected + 1, how_many, list);
        RETURN NULL;
      END $$;
    `);
  }
  /** Forward only: history is never taken back. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
