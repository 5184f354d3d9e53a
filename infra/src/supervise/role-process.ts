import type { Config } from '@kiroku/infra/config/config.js';
import type { PostgresConnection } from '@kiroku/infra/postgres/connection.js';
import { NO_RESTARTS, type Restarts } from '@kiroku/infra/telemetry/warnings.js';
import { awayOf } from '../platform/away.js';
import { waitHere, type Wait, Waiting, waitingHere } from './waiting.js';

/** What the supervisor tells a role's process. Holds the database's password: not for logs. */
export interface Runtime {
  readonly role: string;
  /** 0, 1, … among the processes of this role. */
  readonly index: number;
  readonly postgres: PostgresConnection;
  /** As `kiroku up` read it: roles need not parse settings again. */
  readonly config: Config;
  /** All roles that this server runs. */
  readonly roles: readonly string[];
  /** Of this process's place. */
  readonly restarts: Restarts;
  /** Set when the process before in this place ended abnormally. */
  readonly after?: AbnormalEnd;
}

/**
 * A process ended neither because it was told to nor for want of something outside: out of memory, a crash in native code, an error that
 * nothing caught, an endless loop. SIGKILL and its like are an administrator's, or the kernel's, and do not count.
 */
export interface AbnormalEnd {
  /** A signal, an exit code … */
  readonly reason: string;
  /** What it last left with `leave`. */
  readonly left?: unknown;
}

let told = NO_RESTARTS;
let endedBefore: AbnormalEnd | undefined;
/** How often this process was started again before; nothing outside a supervisor. */
export const restartsHere = (): Restarts => told;
/** How the process before in this place ended, if that was abnormal; nothing outside a supervisor. */
export const abnormalEndHere = (): AbnormalEnd | undefined => endedBefore;

/** What the next process in this place is told should this one end abnormally: small, JSON. Resolves when the end cannot lose it any more. */
export const leave = (left: unknown): Promise<void> => new Promise((resolve) => say({ left }, resolve));

/** A role at work. */
export interface RunningRole {
  /** Takes nothing new, ends what is under way, closes. The process ends when it resolves; the supervisor kills it after 30 s. */
  drain(): Promise<void>;
}

/** How a role's process speaks to the supervisor. */
export type RoleMessage =
  | { readonly ready: true } | { readonly left: unknown } | { readonly alive: true }
  /** `away`: for want of an engine; another try may succeed. */
  | { readonly failed: string; readonly away?: boolean }
  /** It waits for an engine before it serves; null when that is over. */
  | { readonly waiting: Wait | null };

/** ms between two signs of life; see Watchdog. */
const SIGN = 1_000;

export const RUNTIME = 'KIROKU_RUNTIME';

/**
 * What a role's main.ts calls, and all it does:
 *
 *     runRole('smtp', async ({ postgres }) => { …; return { drain: () => server.drain() }; });
 *
 * Tells the supervisor when `main` has resolved (the role serves) or why it rejected; drains on SIGTERM; ends at once when the
 * supervisor has died, because another one may be starting by now.
 */
export function runRole(role: string, main: (runtime: Runtime) => Promise<RunningRole>): void {
  process.title = `kiroku-${role}`;
  const runtime = JSON.parse(process.env[RUNTIME] ?? '{}') as Runtime;
  delete process.env[RUNTIME];
  if (!runtime.postgres) {
    process.stderr.write(`${role} is started by "kiroku up"\n`);
    process.exit(2);
  }
  told = runtime.restarts ?? NO_RESTARTS;
  endedBefore = runtime.after;
  // A terminal's ^C goes to all processes: the supervisor alone decides what happens then.
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined);
  process.on('disconnect', () => process.exit(1));
  const waiting = waitForEngines(runtime.config);
  const running = main(runtime);
  process.once('SIGTERM', () => {
    if (waiting.now) process.exit(0); // nothing was begun
    process.on('SIGTERM', () => undefined);
    running
      .then((started) => started.drain())
      .then(
        () => process.exit(0),
        (error: unknown) => fail(error),
      );
  });
  running.then(
    () => {
      say({ ready: true });
      setInterval(() => say({ alive: true }), SIGN).unref();
    },
    (error: unknown) => fail(error),
  );
}

/** From now on this process waits for engines, as its settings say, and tells the process above. */
export function waitForEngines(config: Pick<Config, 'waitForEngines'> | undefined): Waiting {
  const { waitForEngines: seconds = Infinity } = config ?? {};
  const waiting = new Waiting(seconds * 1_000, (wait) => say({ waiting: wait ?? null }));
  waitHere(waiting);
  return waiting;
}

function say(message: RoleMessage, sent: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, undefined, sent);
  else sent();
}

function fail(error: unknown): void {
  process.exitCode = 1;
  const away = waitingHere()?.patient === true && awayOf(error) !== undefined;
  say({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error), away }, () => process.exit(1));
}
