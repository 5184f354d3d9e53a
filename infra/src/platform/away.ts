import type { Config } from '../config/config.js';
import { KafkaAway } from '../event-log/kafka-away.js';
import { KurrentAway } from '../event-store/kurrentdb-away.js';
import { isNetworkError, wordsOf } from '../net/network-errors.js';
import { StoreAway } from '../object-store/s3-errors.js';
import type { PostgresConnection } from '../postgres/connection.js';
import { type Wait, waitingHere } from '../supervise/waiting.js';

type Engine = 'PostgreSQL' | 'Kafka' | 'S3' | 'KurrentDB';

/** PostgreSQL starts, ends, lacks a connection for us now (53300), or has been lost on the way. */
const POSTGRES = /^(08...|57P0[1-3]|53300)$/;
/** What the driver says without a code: of connections, never of statements that take long. */
const BROKEN = /^(Connection terminated|timeout expired$|timeout exceeded when trying to connect)/;

/** Which engine an error says is not there at the moment; undefined where trying again would not help. */
export function awayOf(error: unknown): { readonly engine: Engine; readonly why: string } | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const why = wordsOf(error);
  if (error instanceof KafkaAway) return { engine: 'Kafka', why };
  if (error instanceof StoreAway) return { engine: 'S3', why };
  if (error instanceof KurrentAway) return { engine: 'KurrentDB', why };
  const { code, cause, message = '' } = error as { readonly code?: unknown; readonly cause?: unknown; readonly message?: string };
  // ENOENT: there is no socket of an embedded one that does not run.
  const connecting = isNetworkError(error) || (code === 'ENOENT' && (error as { readonly syscall?: unknown }).syscall === 'connect');
  if (connecting || POSTGRES.test(String(code)) || BROKEN.test(message)) return { engine: 'PostgreSQL', why };
  return cause === undefined ? undefined : awayOf(cause);
}

type Places = Partial<Pick<Config, 'kafkaBrokers' | 's3Endpoint' | 'kurrentdbUrl'>>;

/**
 * Does what needs the engines; in processes of the server as often as it takes until they are there.
 * @throws WaitedInVain; and at once what no waiting mends.
 */
export function whenThere<T>(postgres: PostgresConnection, config: Places | undefined, open: () => Promise<T>): Promise<T> {
  const waiting = waitingHere();
  return waiting ? waiting.until(open, (error) => waitFor(error, postgres, config)) : open();
}

function waitFor(error: unknown, postgres: PostgresConnection, config: Places | undefined): Wait | undefined {
  const away = awayOf(error);
  if (!away) return undefined;
  const places: Readonly<Record<Engine, string | undefined>> = {
    PostgreSQL: postgresPlace(postgres), Kafka: config?.kafkaBrokers?.join(', '), S3: config?.s3Endpoint, KurrentDB: config?.kurrentdbUrl && hostsOf(config.kurrentdbUrl),
  };
  const at = places[away.engine];
  return { for: at ? `${away.engine} at ${at}` : away.engine, why: away.why };
}

function postgresPlace(postgres: PostgresConnection): string {
  if (!('connectionString' in postgres)) return postgres.host;
  const url = URL.parse(postgres.connectionString);
  if (!url) return '';
  const host = decodeURIComponent(url.hostname) || (url.searchParams.get('host') ?? '');
  return host.startsWith('/') ? host : `${host}:${url.port || '5432'}`;
}

/** Of an address as KurrentDB's clients take it, which may name several hosts, and a user with a password. */
export const hostsOf = (url: string): string => (/^[^:]+:\/\/([^/?]*)/.exec(url)?.[1] ?? '').replace(/^.*@/, '');
