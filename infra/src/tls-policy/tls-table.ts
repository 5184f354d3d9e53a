import type { Host, Route } from '@kiroku/domain/routing/hosts.js';
import { ipMatcher } from '@kiroku/domain/mail/ip.js';
import { rowFinder } from '@kiroku/domain/tls-policy/peer.js';
import type { TlsRow, TlsTable } from '@kiroku/domain/tls-policy/row.js';
import { tlsPolicy } from '@kiroku/domain/tls-policy/table.js';
import type pg from 'pg';
import { gather } from '../read-model/gather.js';

/** The administrators' TLS table, read and ready. */
export interface CompiledTlsTable {
  readonly table: TlsTable;
  /** The first row that fits. */
  readonly rowFor: (host: Host, route: Route) => TlsRow | undefined;
  /** Whether this server offers STARTTLS to a client. */
  readonly offers: (ip: string) => boolean;
}

export function compileTlsTable(table: TlsTable): CompiledTlsTable {
  const never = ipMatcher(table.neverOffered);
  return { table, rowFor: rowFinder(table), offers: (ip) => !never(ip) };
}

/** The table from the inline view `tls_policy_1`: true as of the question, one query for all that ask at the same time. */
export class PostgresTlsTable {
  #compiled = compileTlsTable(tlsPolicy.initial);
  #text = '';
  readonly #ask = gather<undefined, CompiledTlsTable>(async (asked) => {
    const compiled = await this.#query();
    return asked.map(() => compiled);
  }, 10_000);

  constructor(private readonly pool: pg.Pool) {}

  current(): Promise<CompiledTlsTable> {
    return this.#ask(undefined);
  }

  async #query(): Promise<CompiledTlsTable> {
    const { rows } = await this.pool.query<{ policy: string }>({ name: 'tls-table', text: 'SELECT policy FROM view.tls_policy_1' });
    const text = rows[0]?.policy ?? '';
    if (text !== this.#text) {
      this.#compiled = compileTlsTable(text === '' ? tlsPolicy.initial : (JSON.parse(text) as TlsTable));
      this.#text = text;
    }
    return this.#compiled;
  }
}
