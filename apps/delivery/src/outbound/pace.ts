/** A route nobody answers at is left alone for so long (ms), then doubled each time up to the second. */
const FIRST_PAUSE = 60_000;
const LONGEST_PAUSE = 15 * 60_000;
const AT_FIRST = 2;
const MINUTE = 60_000;

/**
 * How fast one route takes mail: grows by one connection for each round of successes, is halved when the other side is overtaxed.
 * All times are epoch ms, given by the caller.
 */
export class Pace<Why> {
  #allowed = AT_FIRST;
  #successes = 0;
  /** Numbers the attempts, so that those under way when the pace was slowed do not slow it again. */
  #ticket = 0;
  #slowedAt = -1;
  #pauses = 0;
  #down: { readonly until: number; readonly why: Why } | undefined;
  #openAfter = -Infinity;
  #tokens = 1;
  #refilledAt = -Infinity;

  /** To be shown to `succeeded` or `slowed`. */
  begin(): number {
    return this.#ticket++;
  }

  /** Connections allowed now. @param most what is set, at least 1. */
  allowed(most: number): number {
    return Math.max(1, Math.min(this.#allowed, most));
  }

  succeeded(most: number): void {
    this.#down = undefined;
    this.#pauses = 0;
    if (++this.#successes < this.#allowed) return;
    this.#successes = 0;
    if (this.#allowed < most) this.#allowed++;
  }

  slowed(ticket: number): void {
    if (ticket <= this.#slowedAt) return;
    this.#slowedAt = this.#ticket;
    this.#successes = 0;
    this.#allowed = Math.max(1, this.#allowed >> 1);
  }

  /** No connection could be had although others are open: none is tried for a moment. */
  pauseOpening(until: number): void {
    this.#openAfter = until;
  }

  mayOpen(now: number): boolean {
    return now >= this.#openAfter;
  }

  /** No connection could be had at all. */
  unreachable(now: number, why: Why): void {
    if (this.down(now) !== undefined) return; // connections that were tried side by side fail as one
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(this.#pauses, 10));
    this.#pauses++;
    this.#down = { until: now + pause, why };
    this.#allowed = 1;
    this.#successes = 0;
  }

  /** Why nothing is tried now; undefined when it may be. */
  down(now: number): Why | undefined {
    return this.#down && now < this.#down.until ? this.#down.why : undefined;
  }

  /** Somebody asked for a try now, whatever is known of the route. */
  probe(): void {
    this.#down = undefined;
    this.#openAfter = -Infinity;
  }

  /** Takes one message out of what the rate allows. @param perMinute 0 = no limit. */
  take(now: number, perMinute: number): boolean {
    if (perMinute <= 0) return true;
    // A second's worth may go at once: the limit is per minute, not a metronome.
    const most = Math.max(1, perMinute / 60);
    const gained = this.#refilledAt === -Infinity ? most : (Math.max(0, now - this.#refilledAt) / MINUTE) * perMinute;
    this.#tokens = Math.min(most, this.#tokens + gained);
    this.#refilledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Gives back what was taken and not used. */
  untake(): void {
    this.#tokens++;
  }

  /** Nothing has been learnt that would be missed. */
  forgettable(now: number): boolean {
    return this.#pauses === 0 && this.#allowed <= AT_FIRST && this.#allowed > 1 && now >= this.#openAfter && now - this.#refilledAt >= MINUTE;
  }
}
