import type { Origin } from '@kiroku/domain/kernel/event.js';
import { type Engine, execute } from '@kiroku/domain/kernel/execute.js';
import type { TlsTable } from '@kiroku/domain/tls-policy/row.js';
import { TLS_POLICY_STREAM, tlsPolicy, tlsPolicyAggregate, type TlsPolicyCommand } from '@kiroku/domain/tls-policy/table.js';
import type pg from 'pg';

/** The table of how connections are encrypted, as administrators see and change it. */
export class TlsPolicyAdmin {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
  ) {}

  async table(): Promise<TlsTable> {
    const { rows } = await this.pool.query<{ policy: string }>({ name: 'admin-tls-policy', text: 'SELECT policy FROM view.tls_policy_1' });
    return rows[0] ? (JSON.parse(rows[0].policy) as TlsTable) : tlsPolicy.initial;
  }

  /** @returns the table as it is then. @throws Refusal `bad-tls-row`, `tls-row-exists`, `no-such-tls-row`, `too-many-tls-rows` */
  async change(command: TlsPolicyCommand, origin: Origin): Promise<TlsTable> {
    await execute(this.engine, tlsPolicyAggregate, TLS_POLICY_STREAM, command, origin);
    return this.table();
  }
}
