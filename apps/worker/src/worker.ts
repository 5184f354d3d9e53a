import type { Subscription } from '@kiroku/domain/kernel/event-log.js';
import { CheckpointMoved } from '@kiroku/domain/kernel/event-store.js';
import type { Settings } from '@kiroku/domain/policy/settings-schema.js';
import { type Lag, lagOf } from '@kiroku/infra/event-log/lag.js';
import type { Bodies } from '@kiroku/infra/platform/bodies.js';
import type { Platform } from '@kiroku/infra/platform/platform.js';
import { Politeness } from '@kiroku/infra/platform/politeness.js';
import { guarded } from '@kiroku/infra/read-model/database.js';
import { sweepCache } from '@kiroku/infra/read-model/search-index-filler.js';
import { PACE, runView } from '@kiroku/infra/read-model/view-runner.js';
import { FOLLOWING_VIEWS } from '@kiroku/infra/read-model/views.js';
import { DecisionCopy } from './decision-copy.js';
import { forgetLockouts } from './forget-lockouts.js';
import { forgetTlsReports } from './forget-tls-reports.js';
import { runForwarder } from './forwarder.js';
import { pruneSessions, sweepBodies } from './sweep.js';

/** ms between rounds of housekeeping, and before the first one. */
const ROUND = 60 * 60_000;
const FIRST = 5 * 60_000;

/** ms between the sweep's two looks: an IMAP command that copies takes its facts anew every 10 s. */
const LINGER = 60_000;

/** ms that views wait at most while clients keep the machine busy. */
const BUSY_PACE = 10_000;

/** ms for which a lag may be old, and which a sign of life waits for it: a log that is away must not make this process look dead. */
const LAG_AGE = 10_000;
const LAG_WAIT = 1_000;

/** Runs the views that follow the log, each at its own pace, what other engines need copied, and the housekeeping. */
export class Worker {
  #running: readonly Subscription[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lag: { readonly at: number; readonly known: Promise<readonly Lag[]> } = { at: -Infinity, known: Promise.resolve([]) };
  readonly #stopping = new AbortController();
  #round: Promise<void> = Promise.resolve();

  constructor(
    private readonly platform: Platform,
    private readonly bodies: Bodies,
    private readonly settings: () => Promise<Settings>,
    private readonly linger = LINGER,
  ) {}

  async start(): Promise<void> {
    const { log, pool, trouble } = this.platform;
    // A slice that another worker has handled is no trouble: this one reads its checkpoint again.
    const report = (error: unknown): void => { if (!(error instanceof CheckpointMoved)) trouble(error); };
    const { kafka, kurrent } = this.platform;
    this.#running = await Promise.all([
      ...FOLLOWING_VIEWS.map((view) => runView(log, pool, view, report, new Politeness(PACE, BUSY_PACE).pace)),
      ...(kafka ? [runForwarder(log, kafka.decisionCopy, pool, report)] : []),
    ]);
    if (kurrent) {
      const copy = new DecisionCopy(kurrent, trouble);
      copy.start();
      this.#running = [...this.#running, copy];
    }
    this.platform.metrics.gauges('kiroku_consumer_lag_events', 'Events that a consumer of the event log has still to see', ['consumer', 'topic'], () => this.#lags());
    this.#later(FIRST);
    // What processes that died had not yet told the index; reading finds it meanwhile, more slowly.
    this.#round = this.bodies.recoverIndex().then(() => undefined, this.platform.trouble);
  }

  /** Asked for with every sign of life; looked at less often. Where it cannot be known, or not soon, none is told. */
  async #lags(): Promise<readonly { labels: Record<string, string>; value: number }[]> {
    const now = performance.now();
    if (now - this.#lag.at > LAG_AGE)
      this.#lag = { at: now, known: lagOf(this.platform.log, this.platform.pool).catch(() => []) };
    const sums = new Map<string, { labels: Record<string, string>; value: number }>();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<readonly Lag[]>((resolve) => (timer = setTimeout(() => resolve([]), LAG_WAIT)));
    const known = await Promise.race([this.#lag.known, late]).finally(() => clearTimeout(timer));
    for (const { consumer, topic, events } of known) {
      const sum = sums.get(`${consumer} ${topic}`) ?? { labels: { consumer, topic }, value: 0 };
      sums.set(`${consumer} ${topic}`, { ...sum, value: sum.value + events });
    }
    return [...sums.values()];
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#round = this.keepHouse().catch(this.platform.trouble);
      void this.#round.then(() => { if (!this.#stopping.signal.aborted) this.#later(ROUND); });
    }, ms);
  }

  /** Wins back the space of bodies nobody refers to and what was found out about them, forgets session facts and rows for TLS reports past their retention, and lockouts that are over. One worker at a time does it. */
  async keepHouse(): Promise<void> {
    const { pool, engine, logger } = this.platform;
    await guarded(pool, async (guard) => {
      const { rows } = await guard.query<{ got: boolean }>('SELECT pg_try_advisory_lock(4712) AS got');
      if (rows[0]?.got !== true) return;
      const settings = await this.settings();
      const swept = await sweepBodies(this.platform, this.bodies, { now: engine.clock.now(), grace: settings.bodyGrace, linger: this.linger, signal: this.#stopping.signal });
      const uncached = await sweepCache(pool);
      const pruned = await pruneSessions(this.platform, engine.clock.now(), settings.sessionRetention);
      const forgotten = await forgetLockouts(pool, engine, settings.lockoutWindow, this.#stopping.signal);
      const tlsReports = await forgetTlsReports(pool, engine, settings.tlsReportRetention, this.#stopping.signal);
      logger.info({ ...swept, uncached, pruned, forgotten, tlsReports }, 'housekeeping');
    });
  }

  async drain(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await Promise.all(this.#running.map((running) => running.stop()));
    await this.#round;
  }
}
