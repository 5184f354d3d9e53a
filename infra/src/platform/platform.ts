import { setPriority } from 'node:os';
import type { EventLog } from '@kiroku/domain/kernel/event-log.js';
import type { Engine } from '@kiroku/domain/kernel/execute.js';
import type pg from 'pg';
import { Hints } from '../event-log/hints.js';
import type { Config } from '../config/config.js';
import type { KafkaEventLog } from '../event-log/kafka.js';
import type { KurrentEventStore } from '../event-store/kurrentdb.js';
import { systemClock, systemIds } from '../ids/ids.js';
import type { PostgresConnection } from '../postgres/connection.js';
import { openPool } from '../read-model/database.js';
import { whenThere } from './away.js';
import { openEngines } from './engines.js';
import { restartsHere } from '../supervise/role-process.js';
import { waitingHere } from '../supervise/waiting.js';
import { Heartbeat } from '../telemetry/heartbeat.js';
import { LoggedSessions } from '../telemetry/log-sessions.js';
import { type Logger, openLogger } from '../telemetry/logger.js';
import { Metrics } from '../telemetry/metrics.js';
import { restartWarnings, type Warning } from '../telemetry/warnings.js';

/** Roles whose every statement looks up rows by a key. The others also count, list and compare. */
const BY_KEY = ['smtp', 'delivery', 'pop3', 'imap'];

/** What every role stands on. Opened once per process; nothing connects before it is used. */
export interface Platform {
  readonly role: string;
  readonly address: PostgresConnection;
  readonly pool: pg.Pool;
  readonly log: EventLog;
  /** Also carries partition leases. */
  readonly hints: Hints;
  readonly engine: Engine;
  /** Where the event log is Kafka, or the event store KurrentDB: what only the worker uses of them. */
  readonly kafka?: KafkaEventLog;
  readonly kurrent?: KurrentEventStore;
  readonly sessions: LoggedSessions;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** For callbacks that report what the caller cannot hear: logged and counted, at most a line per second and message. */
  readonly trouble: (error: unknown) => void;
  /** Starts the signs of life that the API shows. @param ailment what is wrong now, in words for the administrator. @param warnings what wants attention. */
  live(ailment?: () => string | undefined, warnings?: () => readonly Warning[]): void;
  close(): Promise<void>;
}

export interface PlatformOptions {
  readonly postgres: PostgresConnection;
  /** Which engines. The embedded ones if absent: tools that need no others. */
  readonly config?: Config;
  /** Of the pool; a gathering process needs few. Default 6. */
  readonly connections?: number;
  /**
   * 0 to 19: how much a role gives way to others on this machine, its share of the embedded PostgreSQL included. Clients wait for
   * smtp and pop3; nobody waits for views.
   */
  readonly nice?: number;
  /** Connections that stay open while nothing happens. */
  readonly kept?: number;
  /** For a command, whose answer stdout is for: its log goes to stderr. */
  readonly aside?: boolean;
}

/**
 * In processes of the server, resolves when the engines are there.
 * @throws elsewhere when one that is not PostgreSQL does not answer; anywhere when it is not the one that this database belongs to.
 */
export async function openPlatform(role: string, { postgres: address, config, connections = 6, kept = 0, nice = 0, aside = false }: PlatformOptions): Promise<Platform> {
  const logger = openLogger(role, aside);
  if (nice > 0) giveWay(process.pid, nice);
  const metrics = new Metrics(role);
  const trouble = reporter(logger, metrics);
  const pool = openPool(address, connections, trouble, { byKey: BY_KEY.includes(role), kept });
  if (nice > 0 && 'host' in address) pool.on('connect', (client) => giveWay((client as { processID?: number }).processID, nice));
  const hints = new Hints(address, pool, trouble);
  const count = (type: string, by: number): void => metrics.count('kiroku_facts_total', 'Facts appended to the event log, by type', by, { type });
  const restarts = restartsHere();
  const waiting = waitingHere();
  let wrong = (): string | undefined => waiting?.now && `waiting for ${waiting.now.for}`;
  let own = (): readonly Warning[] => [];
  const heartbeat = new Heartbeat(pool, role, metrics, systemIds(), () => wrong(), () => [...restartWarnings(restarts, Date.now()), ...own()]);
  // The API shows who cannot serve yet, and why.
  if (role !== 'migrate') waiting?.notice(() => heartbeat.start());
  const { log, store, kafka, kurrent } = await whenThere(address, config, async () => {
    if (waiting) await pool.query('SELECT');
    return openEngines(config, { pool, hints, appended: count, trouble });
  }).catch(async (error: unknown) => {
    await heartbeat.stop();
    await hints.close();
    await pool.end();
    throw error;
  });
  const engine: Engine = { store, clock: systemClock, ids: kafka ? kafka.choosing(systemIds()) : systemIds() };
  const sessions = new LoggedSessions(
    log, engine,
    (count) => metrics.count('kiroku_session_facts_dropped_total', 'Session facts dropped because the event log was away', count),
    trouble,
  );
  metrics.count('kiroku_process_restarts_total', "Times that this process's place was filled again since the supervisor's start", restarts.total);
  return {
    role, address, pool, log, hints, engine, ...(kafka && { kafka }), ...(kurrent && { kurrent }), sessions, metrics, logger, trouble,
    live: (ailment, warnings) => {
      wrong = ailment ?? (() => undefined);
      if (warnings) own = warnings;
      heartbeat.start();
    },
    close: async () => {
      await sessions.flush();
      await heartbeat.stop();
      await kafka?.close();
      await kurrent?.close();
      await hints.close();
      await pool.end();
    },
  };
}

/** A comfort: where the system does not permit it, all share alike. */
function giveWay(pid: number | null | undefined, nice: number): void {
  try {
    if (pid) setPriority(pid, nice);
  } catch {
    return;
  }
}

/** Trouble repeats itself: the first is logged at once, its likes once a second with their number. */
function reporter(logger: Logger, metrics: Metrics): (error: unknown) => void {
  const seen = new Map<string, { at: number; more: number }>();
  return (error) => {
    metrics.count('kiroku_trouble_total', 'Errors that no client could be told');
    const message = error instanceof Error ? error.message : String(error);
    const last = seen.get(message);
    const now = Date.now();
    if (last && now - last.at < 1_000) return void last.more++;
    if (seen.size > 1_000) seen.clear();
    seen.set(message, { at: now, more: 0 });
    logger.error({ err: error, ...(last && last.more > 0 && { repeated: last.more }) }, 'trouble');
  };
}

