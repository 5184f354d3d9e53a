import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import pg from 'pg';
import { processesIn } from '@kiroku/infra/supervise/process-table.js';
import type { PostgresRig } from '../rig/engines/postgres.js';
import { freePorts } from '../rig/ports.js';
import { until } from '../rig/until.js';
import { findBinaries } from './binaries.js';
import { initialise } from './data-folder.js';
import { give, serverIdentity } from './identity.js';
import { ServerProcess } from './server-process.js';
import { SERVER_SETTINGS, UNSAFE_SETTINGS } from './settings.js';

/** A server in recovery, for `*.int.spec.ts`. Gone when this process ends. */
export interface ReplicaRig {
  /** For KIROKU_POSTGRES_REPLICA_URL. */
  readonly url: string;
  query(text: string): Promise<readonly unknown[]>;
  /** Replays nothing from now on; goes on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends the server and keeps its data. */
  stop(): Promise<void>;
  /** SIGSTOP to the postmaster and all its children; SIGCONT. */
  freeze(): void;
  thaw(): void;
  /** Starts it again on its data and its port. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** SQLSTATE of a statement that stood in the way of replay: `max_standby_streaming_delay` lets it wait for none, the rig's own included. */
const CONFLICT = '40001';

/** What belongs to the primary's own run, and WAL, which is streamed. */
const NOT_COPIED = ['postmaster.pid', 'postmaster.opts', 'pg_wal', 'pg_replslot', 'pg_stat_tmp', 'current_logfiles'];

/** A streaming replica of a running server, made as `pg_basebackup` makes one. */
export async function startReplica(primary: PostgresRig): Promise<ReplicaRig> {
  return startInRecovery({ primary_conninfo: `host=127.0.0.1 port=${primary.port} user=kiroku` }, async (data) => {
    mkdirSync(data, { mode: 0o700 });
    const client = new pg.Client({ connectionString: primary.url });
    await client.connect();
    try {
      await client.query(`SELECT pg_backup_start('replica', true)`);
      const copied = readdirSync(primary.folder).filter((name) => !NOT_COPIED.includes(name));
      await promisify(execFile)('cp', ['-R', ...copied.map((name) => `${primary.folder}/${name}`), data]);
      for (const folder of ['pg_wal', 'pg_replslot', 'pg_stat_tmp']) mkdirSync(`${data}/${folder}`, { mode: 0o700 });
      const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
      writeFileSync(`${data}/backup_label`, rows[0]?.labelfile ?? '');
    } finally {
      await client.end();
    }
  });
}

/** A server in recovery that follows nobody: data of its own, of another cluster than any primary's. */
export const startStranger = (): Promise<ReplicaRig> =>
  // No fewer than initdb noted down.
  startInRecovery({ max_worker_processes: '8', max_wal_senders: '10' }, async (data, identity) => {
    await initialise({ binaries: await findBinaries(identity), identity, folder: data, user: 'kiroku', sync: false });
  });

async function startInRecovery(more: Readonly<Record<string, string>>, fill: (data: string, identity: ReturnType<typeof serverIdentity>) => Promise<void>): Promise<ReplicaRig> {
  const folder = mkdtempSync('/tmp/kiroku-engine-replica-');
  const identity = serverIdentity(folder);
  const binaries = await findBinaries(identity);
  if (identity) give(folder, identity);
  const data = `${folder}/data`;
  await fill(data, identity);
  writeFileSync(`${data}/standby.signal`, '');
  if (identity) give(data, identity);
  const [port = 0] = await freePorts(1);
  const url = `postgres://kiroku@127.0.0.1:${port}/postgres`;
  // Not fewer connections than the primary, or it would not start.
  const settings = {
    ...SERVER_SETTINGS, ...UNSAFE_SETTINGS, listen_addresses: '127.0.0.1', port: String(port), max_connections: '200',
    wal_retrieve_retry_interval: '100ms', max_standby_streaming_delay: '0', ...more,
  };
  let server: ServerProcess | undefined;
  const ask = async (text: string): Promise<readonly unknown[]> => {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
    client.on('error', () => undefined); // told by the query as well
    try {
      await client.connect();
      return (await client.query(text)).rows as readonly unknown[];
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  /** Again as long as replay is what ends it; any other error at once. */
  const query = async (text: string): Promise<readonly unknown[]> => {
    for (let left = 20; ; left--) {
      try {
        return await ask(text);
      } catch (error) {
        if (left === 0 || (error as { code?: unknown }).code !== CONFLICT) throw error;
      }
    }
  };
  let frozen: readonly number[] = [];
  const rig: ReplicaRig = {
    url, query,
    pause: async () => {
      await query('SELECT pg_wal_replay_pause()');
      await until('replay is paused', 10_000, async () => (await query(`SELECT WHERE pg_get_wal_replay_pause_state() = 'paused'`)).length === 1);
    },
    resume: async () => void (await query('SELECT pg_wal_replay_resume()')),
    stop: async () => void (await server?.stop(10_000)),
    start: async () => {
      server = await ServerProcess.start({ binaries, identity, folder: data, socketFolder: data, settings, log: () => undefined });
      const started = server;
      await until('the replica answers', 30_000, async () => {
        if (started.exit) throw new Error(`it ended: ${started.exit.said.join('\n')}`);
        return (await query('SELECT')).length >= 0;
      });
    },
    freeze: () => {
      frozen = processesIn(data, ['postgres']);
      for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    },
    thaw: () => {
      for (const pid of frozen) process.kill(pid, 'SIGCONT');
      frozen = [];
    },
    remove: async () => {
      rig.thaw();
      await server?.stop(10_000);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await rig.start();
  } catch (error) {
    await rig.remove();
    throw error;
  }
  return rig;
}
