import { setTimeout as wait } from 'node:timers/promises';
import { FolderRefused } from '@kiroku/infra/postgres/data-folder.js';
import { startPostgres, type EmbeddedPostgres } from '@kiroku/infra/postgres/embedded.js';
import { Backoff } from './backoff.js';
import type { Log } from './role-slot.js';

export interface KeeperOptions {
  readonly data: string;
  readonly log: Log;
  /** It runs in another process, or not at all. */
  readonly changed: () => void;
  /** It has to be reached in another way than before. */
  readonly moved: () => void;
  /** It cannot be started again. */
  readonly failed: (error: Error) => void;
}

const ATTEMPTS = 8;
/** A life of that many ms makes earlier failures forgotten. */
const HEALTHY = 30_000;

/** Keeps the embedded PostgreSQL running. */
export class PostgresKeeper {
  private server: EmbeddedPostgres | undefined;
  private known: EmbeddedPostgres['connection'] | undefined;
  private readonly stopping = new AbortController();
  private kept: Promise<void> = Promise.resolve();

  constructor(private readonly options: KeeperOptions) {}

  get pid(): number | undefined {
    return this.server?.pid;
  }

  /** The latest; stays while PostgreSQL is being restarted. */
  get connection(): EmbeddedPostgres['connection'] {
    if (!this.known) throw new Error('PostgreSQL was never started');
    return this.known;
  }

  /** @throws what `startPostgres` throws: the first start is not tried twice. */
  async start(): Promise<void> {
    const launched = this.launch();
    this.kept = launched.then(
      (server) => this.keepRunning(server),
      () => undefined,
    );
    await launched;
  }

  /** A start under way is waited for: what it has recovered need not be recovered again. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.server?.stop();
    await this.kept;
  }

  private async launch(): Promise<EmbeddedPostgres> {
    const { data, log, changed, moved } = this.options;
    const server = await startPostgres({ data, log: (line) => log('info', line, { part: 'postgres' }) });
    if (this.stopping.signal.aborted) await server.stop();
    this.server = server;
    const before = this.known;
    this.known = server.connection;
    changed();
    log('info', 'PostgreSQL serves', { pid: server.pid });
    if (before && before.host !== server.connection.host) moved();
    return server;
  }

  private async keepRunning(first: EmbeddedPostgres): Promise<void> {
    const { log, changed, failed } = this.options;
    const { signal } = this.stopping;
    const backoff = new Backoff();
    let failures = 0;
    let server: EmbeddedPostgres | undefined = first;
    for (;;) {
      const began = performance.now();
      const exit = await server?.exited;
      this.server = undefined;
      changed();
      const lived = performance.now() - began;
      if (signal.aborted) return;
      failures = lived >= HEALTHY ? 1 : failures + 1;
      if (failures > ATTEMPTS) return failed(new Error(`PostgreSQL ended or did not start ${ATTEMPTS} times in a row`));
      if (exit) log('error', 'PostgreSQL ended, is started again', { reason: exit.signal ?? `exit code ${exit.code}` });
      await wait(backoff.next(lived), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      server = await this.launch().catch((error: unknown) => {
        log('error', 'PostgreSQL did not start', { reason: String(error) });
        if (error instanceof FolderRefused) failures = ATTEMPTS; // trying again is of no use
        return undefined;
      });
    }
  }
}
