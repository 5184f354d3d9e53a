import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { findBinaries } from '../../postgres/binaries.js';
import { initialise } from '../../postgres/data-folder.js';
import { give, serverIdentity } from '../../postgres/identity.js';
import { ServerProcess } from '../../postgres/server-process.js';
import { SERVER_SETTINGS } from '../../postgres/settings.js';
import pg from 'pg';
import { freePorts } from '../ports.js';
import { until } from '../until.js';

/** A PostgreSQL as an administrator's own would be: reached by TCP, durable, for as many machines as like. */
export interface PostgresRig {
  /** For KIROKU_POSTGRES_URL. */
  readonly url: string;
  readonly port: number;
  /** Its data. */
  readonly folder: string;
  /** 0 when it does not run. */
  readonly pid: number;
  /** SIGKILL to the postmaster; resolves when it has ended. */
  kill(): Promise<void>;
  /** Starts it again on its data and its port; resolves when it answers. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * It is gone when this process ends, however it ends.
 * @param options where it listens; at the loopback address by default. Whoever reaches it is let in.
 */
export async function startPostgresServer({ host = '127.0.0.1' }: { readonly host?: string } = {}): Promise<PostgresRig> {
  const folder = mkdtempSync('/tmp/kiroku-engine-postgres-');
  const identity = serverIdentity(folder);
  const binaries = await findBinaries(identity);
  if (identity) give(folder, identity);
  await initialise({ binaries, identity, folder: `${folder}/data`, user: 'kiroku', sync: false });
  appendFileSync(`${folder}/data/pg_hba.conf`, 'host all all all trust\n');
  const [port = 0] = await freePorts(1);
  const url = `postgres://kiroku@${host}:${port}/postgres`;
  let server: ServerProcess | undefined;
  const rig: PostgresRig = {
    url,
    port,
    folder: `${folder}/data`,
    get pid() {
      return server?.exit ? 0 : (server?.pid ?? 0);
    },
    kill: async () => {
      server?.kill('SIGKILL');
      await server?.exited;
    },
    start: async () => {
      const settings = { ...SERVER_SETTINGS, listen_addresses: host, port: String(port), max_connections: '200' };
      await until('PostgreSQL answers', 60_000, async () => {
        // It ends at once as long as processes of the killed one are left.
        if (!server || server.exit) server = await ServerProcess.start({ binaries, identity, folder: `${folder}/data`, socketFolder: `${folder}/data`, settings, log: () => undefined });
        return answers(url);
      });
    },
    stop: async () => {
      await server?.stop(10_000);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await rig.start();
  } catch (error) {
    await rig.stop();
    throw error;
  }
  return rig;
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 3_000 });
  client.on('error', () => undefined); // told by connect as well
  try {
    await client.connect();
    await client.query('SELECT');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
