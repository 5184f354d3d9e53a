import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import type { AskInnerServer, Verdict } from '@kiroku/domain/routing/verification.js';
import { LRUCache } from 'lru-cache';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** ms for which an answer holds. */
const HOLDS = { yes: DAY, no: 60 * MINUTE, temporary: 5 * MINUTE } as const satisfies Record<Verdict, number>;
/** ms for which an old yes still counts while the inner server does not answer: a gateway is there for exactly that time. */
const OLD_YES = 7 * DAY;
/** Answers kept: some 20 MB. Made-up addresses push each other out, at the price of being asked again. */
const KEPT = 100_000;
/** Questions under way, in all: a flood of made-up addresses must not become a flood for the inner server. */
const AT_ONCE = 50;

interface Kept {
  readonly verdict: Verdict;
  /** Epoch ms: when to ask again. */
  readonly until: number;
  /** Epoch ms of the last yes of the inner server; 0 = it said no since, or never yes. */
  readonly yesAt: number;
}

/** What inner servers say of recipients, remembered. Kept per process: each asks for itself. */
export class CallForward {
  readonly #kept = new LRUCache<string, Kept>({ max: KEPT });
  readonly #asking = new Map<string, Promise<Verdict>>();

  /** @param ask bounded in time by the caller's client; what it throws counts as `temporary`. */
  constructor(
    private readonly ask: AskInnerServer,
    private readonly clock: Clock,
    /** Told of each question asked, for metrics. */
    private readonly asked: (verdict: Verdict) => void = () => undefined,
  ) {}

  /** Never rejects. Equal questions at the same time are asked once; those beyond 50 others are `temporary` at once. */
  verdict(address: string): Promise<Verdict> {
    const name = canonical(address);
    if (name === undefined) return Promise.resolve('no');
    const kept = this.#kept.get(name);
    if (kept && this.clock.now() < kept.until) return Promise.resolve(kept.verdict);
    const asking = this.#asking.get(name);
    if (asking) return asking;
    if (this.#asking.size >= AT_ONCE) return Promise.resolve(this.#without(kept));
    const answer = this.#question(name, address, kept).finally(() => this.#asking.delete(name));
    this.#asking.set(name, answer);
    return answer;
  }

  async #question(name: string, address: string, kept: Kept | undefined): Promise<Verdict> {
    let said: Verdict = 'temporary';
    try {
      said = await this.ask(address);
    } catch {
      // not asked after all
    }
    this.asked(said);
    const now = this.clock.now();
    const verdict = said === 'temporary' ? this.#without(kept) : said;
    this.#kept.set(name, { verdict, until: now + HOLDS[said], yesAt: said === 'yes' ? now : said === 'no' ? 0 : (kept?.yesAt ?? 0) });
    return verdict;
  }

  /** Without an answer of today. */
  #without(kept: Kept | undefined): Verdict {
    return kept !== undefined && kept.yesAt > 0 && this.clock.now() - kept.yesAt < OLD_YES ? 'yes' : 'temporary';
  }
}
