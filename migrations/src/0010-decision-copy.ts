import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Where the copy of the decisions stands when another engine has the original; without a row, history.decision is the original itself.
 * `batch` counts the appends copied so far, each of several calls. `checkpoints` are those that move together with decisions, by
 * consumer/topic/partition. From `commit_position`, a place in the original that belongs to `position_batch`, on everything can be read again.
 */
export class DecisionCopy0010 implements MigrationInterface {
  readonly name = 'DecisionCopy1795305600010';
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE history.decision_copy (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        original text NOT NULL, batch bigint NOT NULL DEFAULT 0, checkpoints jsonb NOT NULL DEFAULT '{}',
        commit_position bigint, prepare_position bigint, position_batch bigint NOT NULL DEFAULT 0
      ) WITH (fillfactor = 20);
    `);
  }
  /** Forward only. */
  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
