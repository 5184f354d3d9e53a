import type { AttemptResult, TlsOutcome } from '@kiroku/domain/delivery/queue-events.js';
import type { Host, Route } from '@kiroku/domain/routing/hosts.js';
import type { ClientConversation, SendResult } from '@kiroku/domain/smtp-client/types.js';
import type { Claims } from './claims.js';
import { type Connector, type Failure, hostKey, type Opened, type Way } from './connector.js';
import type { Entry } from './entry.js';
import { FairQueue } from './fair-queue.js';
import { attemptOf, type Job, outbound, unsent } from './job.js';
import { Pace } from './pace.js';
import type { OutboundPorts } from './ports.js';
import type { Recorder } from './recorder.js';
import type { Seat, Sessions, Standing, Wanting } from './sessions.js';
import { type Verdict, verdictOf } from './verdict.js';

/** RFC 5321 §4.5.3.1.8: what every server must take. */
const MOST_RECIPIENTS = 100;
/** A connection is kept so long without work (ms), and for so many messages. */
const IDLE = 5_000;
const MOST_MESSAGES = 100;
/** Hosts that one message is shown to in one attempt. */
const MOST_HOSTS = 5;
/** ms without new connections when one could not be had although others are open. */
const OPENING_PAUSE = 5_000;
/** ms that a connection may take until it is ready, and a server for a message, before they count as slow. */
const SLOW_OPENING = 10_000;
const SLOW_SENDING = 60_000;
const MOST_OUTCOMES = 100;
/** ms after which a claim is told its host: most messages are done by then, and need no statement for it. */
const LONG = 500;
const NOBODY: ReadonlySet<string> = new Set<string>();

/** What all routes of the process share. */
export interface Floor {
  readonly ports: OutboundPorts;
  readonly claims: Claims;
  readonly recorder: Recorder;
  readonly connector: Connector;
  readonly sessions: Sessions;
  /** May new messages be begun? */
  open(): boolean;
  /** No new ones, and connections without work are to be closed: this process stops. */
  stopping(): boolean;
  /** Its turn has come: may it go, and still this way? Otherwise it has been taken away from here. */
  stillHere(entry: Entry, work: RouteWork): boolean;
  /** It is on its way. */
  taken(entry: Entry): void;
  /** They leave memory; with `again` they are read once more. */
  leave(entries: readonly Entry[], again?: 'at once' | 'later'): void;
  /** This machine's own trouble, or its end. */
  localTrouble(): void;
  localSuccess(): void;
}

interface Idle { readonly since: number; readonly give: (job: Promise<Job | undefined> | undefined) => void }
interface Open { readonly conversation: ClientConversation; readonly host: Host }
/** A worker's place, and how long it has been at what it does: opening, when that can be given up, or sending. */
interface Watch {
  readonly seat: Seat;
  /** Epoch ms; Infinity = nothing is awaited. */
  since: number;
  giveUp: AbortController | undefined;
}

/** All that waits for one route, and the connections that carry it. */
export class RouteWork implements Wanting {
  readonly waiting = new FairQueue<Entry>();
  readonly pace = new Pace<Failure>();
  /** Claimed already, by a worker that could not go on. */
  readonly #ready: Job[] = [];
  readonly #idle: Idle[] = [];
  /** How the encryption of new connections went; they ride with the next attempt that is recorded. */
  readonly #tlsOutcomes: TlsOutcome[] = [];
  readonly #report = (outcome: TlsOutcome): void => { if (this.#tlsOutcomes.length < MOST_OUTCOMES) this.#tlsOutcomes.push(outcome); };
  readonly #watches = new Set<Watch>();
  #opensSlowly = false;
  /** Why the last connection that was waited for in vain was none. */
  #inVain: Failure | undefined;
  #workers = 0;
  /** Of them, with a connection. */
  #connected = 0;

  constructor(
    readonly key: string,
    private readonly way: Way,
    private readonly floor: Floor,
    private known: Standing = 'new',
  ) {}

  get route(): Route {
    return this.way.route;
  }

  get workers(): number {
    return this.#workers;
  }

  get standing(): Standing {
    return this.known;
  }

  /** Somebody asked for a try now, whatever is known of the route. */
  probe(): void {
    this.pace.probe();
    this.known = 'new';
  }

  /** Nothing waits, nothing runs. */
  get quiet(): boolean {
    return this.#workers === 0 && this.waiting.size === 0 && this.#ready.length === 0;
  }

  #most(): number {
    return Math.max(1, this.floor.ports.settings().concurrency);
  }

  /** Gets to work what waits, as far as pace, rate and the total of connections allow. */
  pump(): void {
    if (this.waiting.size === 0 && this.#ready.length === 0) return;
    const now = this.floor.ports.engine.clock.now();
    const why = this.pace.down(now);
    if (why) return this.#putOff(why);
    if (!this.floor.open()) return;
    while (this.#idle.length > 0) {
      const job = this.#next('');
      if (!job) return;
      (this.#idle.pop() as Idle).give(job);
    }
    while ((this.waiting.size > 0 || this.#ready.length > 0) && this.#workers < this.pace.allowed(this.#most()) && this.pace.mayOpen(now)) {
      if (this.#workers > 0 && this.floor.sessions.wanted) return; // first one for everybody
      const seat = this.floor.sessions.take(this);
      if (!seat) return this.#crowdedOut(now);
      const job = this.#next('');
      if (!job) return this.floor.sessions.release(seat);
      this.#workers++;
      void this.#work(job, seat);
    }
  }

  /** Where too many are slow, the last word of one that is holds a while longer: what waits for it must not fill the memory. */
  #crowdedOut(now: number): void {
    if (this.known !== 'slow' || !this.#inVain || this.#workers > 0 || this.floor.sessions.slowShare) return;
    this.floor.sessions.forget(this);
    this.pace.unreachable(now, this.#inVain);
    this.#putOff(this.#inVain);
  }

  /** Those who do not get on count as slow; where slow ones are too many, a connection that is not ready yet makes room for others. */
  hurry(now: number): void {
    for (const { seat, since, giveUp } of this.#watches)
      if (now - since >= (giveUp ? SLOW_OPENING : SLOW_SENDING) && !this.floor.sessions.crawls(seat)) giveUp?.abort();
  }

  /** Closes connections that have been without work for too long; all of them when this process stops. */
  closeIdle(now: number): void {
    for (const idle of [...this.#idle]) if (this.floor.stopping() || now - idle.since >= IDLE) this.#dismiss(idle);
  }

  #dismiss(idle: Idle): void {
    const at = this.#idle.indexOf(idle);
    if (at === -1) return;
    this.#idle.splice(at, 1);
    idle.give(undefined);
  }

  /** The next message, about to be claimed; undefined when there is none, or none may be begun now. */
  #next(host: string): Promise<Job | undefined> | undefined {
    if (!this.floor.open()) return undefined;
    const ready = this.#ready.shift();
    if (ready) return Promise.resolve(ready);
    const entries = this.#takeTurn();
    return entries.length === 0 ? undefined : this.#claimed(entries, host);
  }

  #takeTurn(): readonly Entry[] {
    const { ports } = this.floor;
    while (this.waiting.size > 0) {
      if (!this.pace.take(ports.engine.clock.now(), ports.settings().perMinute(this.route))) return [];
      const entries = this.waiting.take(MOST_RECIPIENTS).filter((e) => this.floor.stillHere(e, this));
      for (const entry of entries) this.floor.taken(entry);
      if (entries.length > 0) return entries;
      this.pace.untake();
    }
    return [];
  }

  async #claimed(entries: readonly Entry[], host: string): Promise<Job | undefined> {
    const { claims, ports } = this.floor;
    let mine: readonly Entry[];
    try {
      mine = await claims.take({ entries, host });
    } catch (error) {
      ports.trouble(error);
      void claims.release(entries.map((e) => e.row)).then(() => this.floor.leave(entries, 'at once'));
      return undefined;
    }
    if (mine.length < entries.length) {
      const own = new Set(mine);
      this.floor.leave(entries.filter((e) => !own.has(e)), 'later'); // changed meanwhile, or somebody else is at it
    }
    if (mine.length > 0) return { entries: mine, since: ports.engine.clock.now(), host };
    this.pace.untake();
    return this.#next(host);
  }

  /** One connection's life: message after message, with the next one claimed while one is sent. */
  async #work(first: Promise<Job | undefined>, seat: Seat): Promise<void> {
    const watch: Watch = { seat, since: Infinity, giveUp: undefined };
    this.#watches.add(watch);
    let open: Open | undefined;
    let next: Promise<Job | undefined> | undefined = first;
    let job: Job | undefined;
    // Connecting takes its time, and so does the claim.
    let opening: Promise<Opened> | undefined = this.#opened(watch);
    try {
      for (;;) {
        job = await next;
        next = undefined;
        if (opening) {
          open = this.#had(await opening, job);
          opening = undefined;
          if (!open) {
            job = undefined;
            break;
          }
        }
        job ??= await this.#rest(open);
        if (!job || this.floor.stopping()) break;
        if (open && !(open.conversation.usable && open.conversation.sent < MOST_MESSAGES)) open = this.#close(open);
        open ??= this.#had(await this.#opened(watch), job);
        if (!open) {
          job = undefined;
          break;
        }
        if (!this.#enough()) next = this.#next(open.host.name);
        open = await this.#send(job, open, watch);
        job = undefined;
        if (open && this.#enough()) open = this.#close(open);
        if (!open && !next) break;
      }
      if (job) this.#giveBack(job);
    } catch (error) {
      this.floor.ports.trouble(error);
      if (job) this.#lost(job, open);
    } finally {
      if (open) this.#close(open);
      void opening?.then((late) => (late.kind === 'open' ? late.conversation.quit() : undefined));
      const left = await next?.catch(() => undefined);
      if (left) this.#ready.push(left);
      this.#workers--;
      this.#watches.delete(watch);
      this.floor.sessions.release(seat);
      if (this.floor.stopping()) this.abandon();
      else this.pump();
    }
  }

  /** What is claimed and not begun is given back: this process stops. */
  abandon(): void {
    for (const { giveUp } of this.#watches) giveUp?.abort();
    for (const job of this.#ready.splice(0)) this.#giveBack(job);
  }

  /** More connections than are allowed by now, or others wait for one and this route has several. */
  #enough(): boolean {
    return this.floor.stopping() || this.#workers > this.pace.allowed(this.#most()) || (this.floor.sessions.wanted && this.#workers > 1);
  }

  /** Waits for work with an open connection. @returns undefined when there is none, or none for too long. */
  async #rest(open: Open | undefined): Promise<Job | undefined> {
    if (!open?.conversation.usable || this.#enough()) return undefined;
    const { sessions, ports } = this.floor;
    const job = this.#next(open.host.name);
    if (job) return job;
    if (sessions.wanted) return undefined;
    let idle: Idle | undefined;
    const given = new Promise<Job | undefined>((give) => {
      idle = { since: ports.engine.clock.now(), give };
      this.#idle.push(idle);
    });
    const close = (): void => this.#dismiss(idle as Idle);
    sessions.idles(close);
    try {
      return await given;
    } finally {
      sessions.works(close);
    }
  }

  #close(open: Open): undefined {
    this.#connected--;
    void open.conversation.quit();
    return undefined;
  }

  async #opened(watch: Watch, avoid: ReadonlySet<string> = NOBODY): Promise<Opened> {
    const { connector, ports: { engine: { clock } } } = this.floor;
    const since = clock.now();
    watch.since = since;
    watch.giveUp = new AbortController();
    const opened = await connector.open(this.way, avoid, this.#report, watch.giveUp.signal);
    watch.giveUp = undefined;
    watch.since = Infinity;
    // What this machine cannot do says nothing of the other.
    this.#opensSlowly = clock.now() - since >= SLOW_OPENING && !(opened.kind === 'failed' && opened.failure.cause === 'local');
    if (this.#opensSlowly) this.known = 'slow';
    else if (opened.kind === 'failed') this.known = 'new';
    this.#inVain = this.#opensSlowly && opened.kind === 'failed' ? opened.failure : undefined;
    return opened;
  }

  /** @param job that it was opened for: when there is no connection it has been dealt with. */
  #had(opened: Opened, job: Job | undefined): Open | undefined {
    const { ports } = this.floor;
    const ticket = this.pace.begin();
    if (opened.kind === 'open') {
      this.#connected++;
      return opened;
    }
    const { failure } = opened;
    if (this.floor.stopping()) {
      if (job) this.#giveBack(job);
      return undefined;
    }
    // What an administrator can repair is shown to him; other trouble of this machine is not worth an event for each message.
    if (failure.cause === 'local' && !failure.source) {
      this.floor.localTrouble();
      if (job) this.#giveBack(job);
      return undefined;
    }
    const now = ports.engine.clock.now();
    if (job) this.#record(job, unsent(job.entries, failure), failure.host);
    this.pace.slowed(ticket);
    if (failure.outcome === 'deferred') {
      if (this.#connected > 0) this.pace.pauseOpening(now + OPENING_PAUSE);
      else this.pace.unreachable(now, failure);
    }
    return undefined;
  }

  /** Sends, if need be on a new connection or at another host. @returns the connection to go on with. */
  async #send(job: Job, open: Open, watch: Watch): Promise<Open | undefined> {
    const { connector, claims, ports } = this.floor;
    const { clock } = ports.engine;
    const tried = new Set<string>();
    let here = open;
    for (let renewed = false; ; ) {
      const { conversation, host } = here;
      const sentBefore = conversation.sent;
      const ticket = this.pace.begin();
      const slow = host.name === job.host && tried.size === 0 ? undefined : setTimeout(() => claims.named(job.entries.map((e) => e.row), host.name), LONG);
      const since = (watch.since = clock.now());
      const results = await conversation.send(outbound(job, ports.bodies, ports.sealer));
      watch.since = Infinity;
      clearTimeout(slow);
      const verdict = verdictOf(results, conversation, sentBefore);
      let other: Open | undefined;
      if (verdict.stale && !renewed) {
        renewed = true;
        this.#close(here);
        other = this.#had(await this.#opened(watch), job);
        if (!other) return undefined;
      } else if (verdict.elsewhere && tried.size < MOST_HOSTS - 1) {
        connector.shun(host);
        const opened = await this.#opened(watch, tried.add(hostKey(host)));
        if (opened.kind === 'open') {
          this.#connected++;
          other = opened;
          this.#close(here);
        }
      }
      if (!other) {
        if (!verdict.local) this.#gotOn(watch, results, clock.now() - since);
        this.#ended(job, here, results, verdict, ticket);
        return conversation.usable ? here : this.#close(here);
      }
      here = other;
    }
  }

  #gotOn({ seat }: Watch, results: readonly SendResult[], took: number): void {
    const stuck = took >= SLOW_SENDING && !results.some(({ outcome }) => outcome === 'delivered' || outcome === 'refused');
    this.known = stuck || this.#opensSlowly ? 'slow' : 'good';
    if (!stuck) this.floor.sessions.quickens(seat);
  }

  #ended(job: Job, { conversation, host }: Open, results: readonly SendResult[], verdict: Verdict, ticket: number): void {
    if (verdict.local) this.floor.localTrouble();
    else this.floor.localSuccess();
    if (verdict.overtaxed) this.pace.slowed(ticket);
    else if (!verdict.local) this.pace.succeeded(this.#most());
    this.#record(job, results, host, conversation);
  }

  #record(job: Job, results: readonly AttemptResult[], host?: Host, talked?: ClientConversation): void {
    const { recorder, ports } = this.floor;
    const duration = ports.engine.clock.now() - job.since;
    const tlsOutcomes = this.#tlsOutcomes.splice(0);
    const attempt = { ...attemptOf(job.entries, this.route, results, duration, host, talked), ...(tlsOutcomes.length > 0 && { tlsOutcomes }) };
    recorder.add({ entries: job.entries, attempt, claimed: true });
  }

  /** A mistake of this program, and nobody knows how far the message got. */
  #lost(job: Job, open: Open | undefined): void {
    const [reply, phase] = ['451 4.3.0 This server lost track of the transaction', 'end-of-data'];
    this.#record(job, job.entries.map(({ row: { address } }) => ({ address, outcome: 'unknown', cause: 'line', reply, phase })), open?.host, open?.conversation);
  }

  /** Nothing was sent: whoever comes next may have them. */
  #giveBack(job: Job): void {
    void this.floor.claims.release(job.entries.map((e) => e.row)).then(() => this.floor.leave(job.entries, 'at once'));
  }

  /** Nobody can be reached: what waits is put off with the reason that is known, instead of standing in the way. */
  #putOff(failure: Failure): void {
    const now = this.floor.ports.engine.clock.now();
    const put = (entries: readonly Entry[], since: number, claimed: boolean): void =>
      this.floor.recorder.add({ entries, attempt: attemptOf(entries, this.route, unsent(entries, failure), now - since, failure.host), claimed });
    for (const job of this.#ready.splice(0)) put(job.entries, job.since, true);
    for (let entries = this.waiting.take(MOST_RECIPIENTS); entries.length > 0; entries = this.waiting.take(MOST_RECIPIENTS)) {
      for (const entry of entries) this.floor.taken(entry);
      put(entries, now, false);
    }
  }
}
