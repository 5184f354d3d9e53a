import { QUEUE_PARTITIONS } from '@kiroku/domain/delivery/queue-view.js';
import { routeKey } from '@kiroku/domain/routing/hosts.js';
import { atMost } from '@kiroku/infra/cache/bound.js';
import { LRUCache } from 'lru-cache';
import { Claims } from './claims.js';
import { Connector } from './connector.js';
import type { Entry } from './entry.js';
import { Loader } from './loader.js';
import type { OutboundPorts } from './ports.js';
import { Recorder } from './recorder.js';
import { type Floor, RouteWork } from './route-work.js';
import { Sessions, type Standing } from './sessions.js';
import { Takeover } from './takeover.js';
import { Window } from './window.js';

/** ms: nothing is overlooked for longer, whatever hint was lost. */
const LONGEST_SLEEP = 1_000;
/** ms between two looks at the last moments; more when a look takes long, so that looking is a tenth of the work. */
const SHORTEST_GAP = 20;
const GAP_FACTOR = 10;
/** This machine's own trouble in a row before everything pauses, and for how long (ms). */
const BEARABLE = 3;
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** Routes that are remembered for what was learnt of them. */
const ROUTES = 10_000;

export interface OutboundState {
  /** Rows in memory, connections, results not recorded yet. */
  readonly rows: number;
  readonly sessions: number;
  readonly unrecorded: number;
}

/**
 * Outbound delivery: takes what is due out of the queue, sends it and writes down what became of it. At least once, and never
 * silently twice: a recipient is claimed, durably, before the first byte leaves, and the claim goes after the attempt is recorded.
 * Several processes may run it; a partition of the queue belongs to one of them at a time.
 */
export class Outbound {
  readonly #window: Window;
  readonly #loader: Loader;
  readonly #claims: Claims;
  readonly #recorder: Recorder;
  readonly #sessions: Sessions;
  readonly #takeover: Takeover;
  readonly #floor: Floor;
  readonly #works = new Map<string, RouteWork>();
  /** Of routes that have nothing to do. */
  readonly #standings = new LRUCache<string, Standing>(atMost(ROUTES));
  #owned: readonly number[] = [];
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  /** Somebody wants the next round before its time. */
  #woken = false;
  #endPause: () => void = () => undefined;
  /** What waits in memory, by key: where it waits. */
  readonly #waiting = new Map<string, readonly [Entry, RouteWork]>();
  /** Routes that got something to do. */
  readonly #touched = new Set<RouteWork>();
  #lookedAt = -Infinity;
  /** ms of the machine's own clock: before then the last moments are not looked at again. */
  #notBefore = 0;
  #tidiedAt = 0;
  #localTroubles = 0;
  #pausedUntil = -Infinity;

  /** @param capacity rows in memory. */
  constructor(
    private readonly ports: OutboundPorts,
    capacity = 5_000,
  ) {
    const now = (): number => ports.engine.clock.now();
    this.#window = new Window(capacity);
    this.#claims = new Claims(ports.queue, now, (error) => ports.trouble(error));
    this.#sessions = new Sessions(() => Math.max(1, ports.settings().sessions));
    this.#recorder = new Recorder(ports, this.#claims, (entries) => this.#leave(entries), () => this.#pumpAll());
    this.#takeover = new Takeover(ports, this.#window, this.#recorder);
    this.#loader = new Loader(ports.queue, this.#window, (key) => this.#takeover.has(key), (entry) => this.#accept(entry), (key) => this.#outranked(key));
    this.#floor = {
      ports, claims: this.#claims, recorder: this.#recorder, connector: new Connector(ports), sessions: this.#sessions,
      open: () => !this.#stop.signal.aborted && !this.#recorder.full && now() >= this.#pausedUntil,
      stopping: () => this.#stop.signal.aborted,
      stillHere: (entry, work) => this.#stillHere(entry, work),
      taken: (entry) => {
        this.#window.taken(entry.key);
        this.#waiting.delete(entry.key);
        this.#feed();
      },
      leave: (entries, again) => this.#leave(entries, again),
      localTrouble: () => this.#localTrouble(),
      localSuccess: () => (this.#localTroubles = 0),
    };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Settings have changed, or somebody knows of something to do: everything due is looked at again. */
  wake(): void {
    this.#loader.sweep();
    this.#pausedUntil = -Infinity;
    this.#rouse();
  }

  #rouse(): void {
    this.#woken = true;
    this.#endPause();
  }

  /** What there is room for is read at once. */
  #feed(): void {
    if (!this.#woken && this.#loader.eager) this.#rouse();
  }

  get state(): OutboundState {
    return { rows: this.#window.size, sessions: this.#sessions.used, unrecorded: this.#recorder.waiting };
  }

  /**
   * No new messages. Those under way are finished and recorded, connections are closed politely. What is not finished in time keeps
   * its claim: whoever takes over records that its outcome is unknown.
   * @param ms for the conversations; as much again, at most, for writing down. @returns whether all was finished.
   */
  async stop(ms = 30_000): Promise<boolean> {
    this.#stop.abort();
    this.#rouse();
    await this.#running;
    const works = [...this.#works.values()];
    const now = this.ports.engine.clock.now();
    for (const work of works) {
      work.closeIdle(now);
      work.abandon();
    }
    const end = performance.now() + ms;
    while (this.#sessions.used > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
    const recorded = await this.#recorder.flush(ms);
    await Promise.race([this.#claims.release([]), new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    return recorded && this.#sessions.used === 0;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const since = this.ports.changes.seen();
      try {
        await this.#round();
        await this.#sleep(since);
      } catch (error) {
        this.ports.trouble(error);
        await this.#pause(LONGEST_SLEEP);
      }
    }
    this.#endPause();
  }

  async #round(): Promise<void> {
    await this.ports.queue.live();
    await this.#partitions();
    const now = this.ports.engine.clock.now();
    if (this.#owned.length > 0) {
      await this.#loader.refill(this.#owned, now);
      if (performance.now() >= this.#notBefore) {
        const began = performance.now();
        await this.#loader.follow(this.#owned, now);
        await this.#loader.sweepOn(this.#owned, now);
        const gap = this.#loader.behind ? 0 : Math.max(SHORTEST_GAP, GAP_FACTOR * (performance.now() - began));
        this.#notBefore = performance.now() + gap;
      }
    }
    for (const work of this.#touched) work.pump();
    this.#touched.clear();
    if (performance.now() - this.#tidiedAt >= LONGEST_SLEEP) this.#tidy(now);
  }

  /** Which partitions are ours now. What waits of lost ones is let go; gained ones are looked through for what was left behind. */
  async #partitions(): Promise<void> {
    const owned = PARTITIONS.filter((p) => this.ports.owns(p));
    const gained = owned.filter((p) => !this.#owned.includes(p));
    const lost = this.#owned.filter((p) => !owned.includes(p));
    if (lost.length > 0) {
      this.#owned = owned.filter((p) => this.#owned.includes(p));
      for (const work of this.#works.values())
        for (const entry of [...work.waiting]) if (lost.includes(entry.partition) && work.waiting.remove(entry)) this.#leave([entry]);
    }
    if (gained.length === 0 && !(this.#takeover.waitsForOthers && performance.now() - this.#lookedAt >= LONGEST_SLEEP)) return;
    this.#lookedAt = performance.now();
    for (const name of await this.#takeover.look(owned)) this.#loader.again(name);
    this.#owned = owned;
    if (gained.length > 0) this.#loader.restart();
  }

  #accept(entry: Entry): void {
    const work = this.#owned.includes(entry.partition) ? this.#wayOf(entry) : undefined;
    if (!work) return this.#window.drop(entry.key);
    // Somebody asked for it: what is known of the route is to be found out anew.
    if (entry.row.why === 'retry requested') work.probe();
    this.#wait(entry, work);
    this.#touched.add(work);
  }

  #wait(entry: Entry, work: RouteWork): void {
    work.waiting.add(entry);
    this.#waiting.set(entry.key, [entry, work]);
  }

  /** Somebody gave it another priority: it is put where that belongs. */
  #outranked(key: string): void {
    const [entry, work] = this.#waiting.get(key) ?? [];
    if (entry && work?.waiting.remove(entry)) this.#leave([entry], 'at once');
  }

  /** Undefined when it may not go now: it is looked at again in a while. */
  #wayOf(entry: Entry): RouteWork | undefined {
    try {
      return this.ports.mayDeliver(entry.row, this.ports.engine.clock.now()) ? this.#workOf(entry) : undefined;
    } catch (error) {
      this.ports.trouble(error); // one that cannot be judged must not hold up the others
      return undefined;
    }
  }

  #workOf({ row, message }: Entry): RouteWork {
    const route = this.ports.route(row, message);
    const pool = this.ports.pool(row);
    // RFC 8689 §5: a report is not lost for want of it.
    const requireTls = message.requireTls && message.sender !== '';
    const tlsOptional = message.tlsOptional === true && !message.requireTls;
    const key = `${routeKey(route)}${requireTls ? ' requiretls' : tlsOptional ? ' tls optional' : ''}${pool ? ` from ${pool.join(' ')}` : ''}`;
    let work = this.#works.get(key);
    if (!work) this.#works.set(key, (work = new RouteWork(key, { route, requireTls, tlsOptional, ...(pool && { pool }) }, this.#floor, this.#standings.get(key))));
    return work;
  }

  #stillHere(entry: Entry, work: RouteWork): boolean {
    const right = this.#wayOf(entry);
    if (right === work) return true;
    if (!right) this.#leave([entry]);
    else {
      this.#wait(entry, right);
      queueMicrotask(() => right.pump());
    }
    return false;
  }

  #leave(entries: readonly Entry[], again?: 'at once' | 'later'): void {
    for (const entry of entries) {
      this.#window.drop(entry.key);
      this.#waiting.delete(entry.key);
      if (again) this.#loader.again(entry.row, again === 'later');
    }
    if (again === 'at once') this.#rouse();
    else this.#feed();
  }

  #pumpAll(): void {
    if (this.#stop.signal.aborted) return;
    for (const work of this.#works.values()) work.pump();
  }

  #localTrouble(): void {
    if (++this.#localTroubles < BEARABLE) return;
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(this.#localTroubles - BEARABLE, 10));
    this.#pausedUntil = this.ports.engine.clock.now() + pause;
  }

  #tidy(now: number): void {
    this.#tidiedAt = performance.now();
    this.#pumpAll(); // rates, pauses
    for (const [key, work] of this.#works) {
      work.closeIdle(now);
      work.hurry(now);
      if (!work.quiet || (this.#works.size <= ROUTES && !work.pace.forgettable(now))) continue;
      this.#works.delete(key);
      if (work.standing === 'new') this.#standings.delete(key);
      else this.#standings.set(key, work.standing);
      this.#sessions.forget(work);
    }
  }

  async #sleep(since: number): Promise<void> {
    const { delay } = this.#loader;
    if (delay <= SHORTEST_GAP) return this.#pause(delay);
    const now = this.ports.engine.clock.now();
    const due = this.#owned.length > 0 ? ((await this.ports.queue.nextDue(this.#owned, now)) ?? Infinity) : Infinity;
    const hint = new AbortController();
    await Promise.race([this.ports.changes.wait(since, hint.signal), this.#pause(Math.min(LONGEST_SLEEP, delay, due - now))]);
    hint.abort();
    const gap = this.#notBefore - performance.now();
    if (gap > 0) await this.#pause(gap);
  }

  /** Ends early when woken; ends the one before. */
  async #pause(ms: number): Promise<void> {
    this.#endPause();
    if (!this.#woken && !this.#stop.signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#endPause = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#woken = false;
  }
}

const PARTITIONS = Array.from({ length: QUEUE_PARTITIONS }, (_, partition) => partition);
