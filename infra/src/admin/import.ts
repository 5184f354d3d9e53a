import { availableParallelism } from 'node:os';
import { MOST_ACCOUNTS } from '@kiroku/domain/directory/commands.js';
import type { NewAccount } from '@kiroku/domain/directory/plans.js';
import type { DirectoryRefusal } from '@kiroku/domain/directory/refusals.js';
import { parseList, planImport, type RowError, type RowPlan } from '@kiroku/domain/directory/tsv.js';
import { decodeList } from '@kiroku/domain/directory/tsv-text.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { domainOf } from '@kiroku/domain/mail/address.js';
import { SealBroken } from '../auth/seal.js';
import type { DirectoryAdmin } from './directory.js';

export type ImportReason = RowError | DirectoryRefusal;

export interface ImportResult {
  /** Of the file, from 1. */
  readonly line: number;
  /** Absent where the row has none that can be read. */
  readonly address?: string;
  /** `duplicate`: the address is in use already, or named twice in the file; what is there stays as it is. */
  readonly result: 'added' | 'would-add' | 'duplicate' | 'refused';
  /** Of a duplicate within the file: the line that names it first. */
  readonly first?: number;
  readonly reason?: ImportReason;
  readonly detail?: string;
}

export interface ImportSummary {
  readonly total: number;
  /** With `dryRun`: that would be. */
  readonly added: number;
  readonly duplicate: number;
  readonly refused: number;
  readonly dryRun: boolean;
}

export type ImportLine = ImportResult | { readonly done: number; readonly total: number } | { readonly summary: ImportSummary };

/**
 * Hashing takes about 40 ms of a core each. It runs in the thread pool, whose size (UV_THREADPOOL_SIZE, 4 if unset) whoever starts
 * the process must set to the number of cores at least, or that many hash at once.
 */
const CORES = availableParallelism();
const HASHED_AT_ONCE = 2 * CORES;
/** Rows per append: about a second's hashing, so that results come steadily. */
const CHUNK = Math.min(MOST_ACCOUNTS, 32 * CORES);

/** A row that is settled without an append, or an account to be appended. */
type Prepared = ImportResult | { readonly line: number; readonly account: NewAccount };

/** Many accounts from a list. A second run of the same list adds what is missing and nothing else. */
export class AccountImport {
  constructor(private readonly directory: DirectoryAdmin) {}

  /**
   * What an import would do now.
   * @param domain overrides the list's domain column.
   * @throws Refusal `bad-import` when the bytes are no text of a known charset, `bad-domain`, `no-such-domain`.
   */
  async plan(bytes: Uint8Array, domain: string | undefined): Promise<readonly RowPlan[]> {
    if (domain !== undefined) await this.directory.domain(domain);
    const list = decodeList(bytes);
    if (!list) throw new Refusal('bad-import', 'the list is neither UTF-8 nor Shift_JIS nor UTF-16');
    const rows = [...parseList(list.text, domain)];
    const addresses = rows.flatMap((row) => (row.ok ? [row.account.address] : []));
    return planImport(rows, {
      taken: await this.directory.taken(addresses),
      domains: await this.directory.limits([...new Set(addresses.map(domainOf))]),
    });
  }

  /** A result per row, in the list's order and as soon as it is known, with progress in between and a summary at the end. */
  async *run(plan: readonly RowPlan[], dryRun: boolean, origin: Origin): AsyncGenerator<ImportLine> {
    const total = plan.length;
    const count = { added: 0, duplicate: 0, refused: 0 };
    const chunks = Array.from({ length: Math.ceil(total / CHUNK) }, (_, i) => plan.slice(i * CHUNK, (i + 1) * CHUNK));
    const prepare = (i: number): Promise<readonly Prepared[]> => {
      const prepared = this.#prepare(chunks[i] ?? [], dryRun);
      prepared.catch(() => undefined); // told when awaited; an import abandoned before that must not end the process
      return prepared;
    };
    let next = prepare(0);
    for (let i = 0; i < chunks.length; i++) {
      const prepared = await next;
      next = prepare(i + 1); // hashes while this chunk is appended
      for (const result of await this.#settle(prepared, origin)) {
        count[result.result === 'would-add' ? 'added' : result.result]++;
        yield result;
      }
      yield { done: Math.min(total, (i + 1) * CHUNK), total };
    }
    yield { summary: { total, ...count, dryRun } };
  }

  async #prepare(rows: readonly RowPlan[], dryRun: boolean): Promise<readonly Prepared[]> {
    const gate = limiter(HASHED_AT_ONCE);
    return Promise.all(rows.map(async (row): Promise<Prepared> => {
      const { line } = row;
      if (row.result === 'error') return { line, result: 'refused', reason: row.error, detail: row.detail };
      if (row.result === 'duplicate') return { line, address: row.address, result: 'duplicate', ...(row.first !== undefined && { first: row.first }) };
      const { address } = row.account;
      return gate(async (): Promise<Prepared> => {
        try {
          const account = await this.directory.prepareListed(row.account, dryRun);
          return account ? { line, account } : { line, address, result: 'would-add' };
        } catch (no) {
          if (no instanceof Refusal) return { line, address, result: 'refused', reason: no.reason as ImportReason, ...(no.detail !== undefined && { detail: no.detail }) };
          if (no instanceof SealBroken) return { line, address, result: 'refused', reason: 'bad-password', detail: 'protected by another server key, or damaged' };
          throw no;
        }
      });
    }));
  }

  async #settle(prepared: readonly Prepared[], origin: Origin): Promise<readonly ImportResult[]> {
    const accounts = prepared.flatMap((p) => ('account' in p ? [p.account] : []));
    const answers = accounts.length === 0 ? [] : await this.directory.commands.addAccounts(accounts, origin);
    let n = 0;
    return prepared.map((p): ImportResult => {
      if (!('account' in p)) return p;
      const answer = answers[n++];
      const { line, account: { address } } = p;
      if (answer?.result !== 'refused') return { line, address, result: 'added' };
      return { line, address, result: 'refused', reason: answer.reason, ...(answer.detail !== undefined && { detail: answer.detail }) };
    });
  }
}

/** Runs at most `most` at once, in order of asking. */
function limiter(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= most) await new Promise<void>((go) => waiting.push(go));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next(); // the place is handed over
      else running--;
    }
  };
}
