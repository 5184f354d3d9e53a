import { packColumns, unpackColumns } from '@kiroku/domain/mailbox/packed.js';
import type { MailboxStatus } from '@kiroku/domain/mailbox/store-port.js';
import type pg from 'pg';
import { FlagSets } from './flag-sets.js';
import { MessageColumns } from './message-columns.js';

/** Fewer messages than that are read as fast one by one. */
const SMALLEST = 2_000;
/** What has happened since is as dear to read as so much of a mailbox: 1,000 changes, or every tenth message. */
const CHANGES = 1_000;
const SHARE = 10;

/** The tables that packed columns were read from. */
const MADE_OF = `(to_regclass('view.mailbox_message_1')::oid || ' ' || to_regclass('view.mailbox_state_1')::oid)`;

/** For statements over `view.mailbox_1 b`: the packed columns of a mailbox, where there are any, are `p`. */
export const PACKED = `LEFT JOIN cache.mailbox_1 p ON p.mailbox_id = b.id AND p.made_of = ${MADE_OF} AND p.mod_seq <= b.highest_mod_seq AND p.uid_next <= b.uid_next`;

/** @returns undefined where it is worth nothing. */
export function unpacked(bytes: Uint8Array): MessageColumns | undefined {
  const columns = unpackColumns(bytes);
  if (!columns) return undefined;
  const sets = new FlagSets();
  const numbers = columns.flagSets.map((flags) => sets.index(flags));
  const flags = numbers.every((number, i) => number === i) ? columns.flags : columns.flags.map((set) => numbers[set] as number);
  return new MessageColumns({ ...columns, flags }, sets);
}

/** Is the mailbox large enough, and has enough happened to it since it was packed? */
export const worthPacking = (messages: number, changes: number): boolean => messages >= SMALLEST && changes > Math.max(CHANGES, messages / SHARE);

/** Of these mailboxes, those that are worth packing again. */
export async function worthPackingOf(pool: pg.Pool, mailboxes: readonly string[]): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'mailboxes-to-pack',
    text: `SELECT b.id FROM view.mailbox_1 b ${PACKED}
           WHERE b.id = ANY ($1::uuid[]) AND b.messages >= ${SMALLEST} AND b.highest_mod_seq - coalesce(p.mod_seq, 0) > greatest(${CHANGES}, b.messages / ${SHARE})`,
    values: [mailboxes],
  });
  return rows.map(({ id }) => id);
}

/** Keeps the columns as they are now; older ones that another process brings later change nothing. */
export async function pack(pool: pg.Pool, status: MailboxStatus, columns: MessageColumns): Promise<void> {
  await pool.query({
    name: 'mailbox-pack',
    text: `INSERT INTO cache.mailbox_1 AS p (mailbox_id, mod_seq, uid_next, made_of, columns) VALUES ($1, $2, $3, ${MADE_OF}, $4)
           ON CONFLICT (mailbox_id) DO UPDATE SET mod_seq = excluded.mod_seq, uid_next = excluded.uid_next, made_of = excluded.made_of, columns = excluded.columns
           WHERE p.mod_seq < excluded.mod_seq OR p.made_of <> excluded.made_of`,
    values: [status.id, status.highestModSeq, status.uidNext, Buffer.from(packColumns(columns.lend(status)))],
  });
}

/** What is there is damaged, or says something else than the views. */
export async function unpack(pool: pg.Pool, mailbox: string): Promise<void> {
  await pool.query({ name: 'mailbox-unpack', text: 'DELETE FROM cache.mailbox_1 WHERE mailbox_id = $1', values: [mailbox] });
}
