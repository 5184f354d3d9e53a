import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import type { Verdict } from '@kiroku/domain/routing/verification.js';
import { LRUCache } from 'lru-cache';
import { atMost } from '../cache/bound.js';

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

/** Who is asked. What was said by another one, or by the same before it was changed, is asked again. */
export interface Source {
  readonly name: string;
  readonly revision: number;
}
/** The server behind the gateway, whichever that is. */
const INNER: Source = { name: '', revision: 0 };

interface Kept extends Source {
  readonly verdict: Verdict;
  /** Epoch ms: when to ask again. */
  readonly until: number;
  /** Epoch ms of the last yes of the inner server; 0 = it said no since, or never yes. */
  readonly yesAt: number;
}

/** What inner servers, or directories, say of recipients, remembered. Kept per process: each asks for itself. */
export class CallForward {
  readonly #kept = new LRUCache<string, Kept>(atMost(KEPT));
  readonly #asking = new Map<string, Promise<Verdict>>();

  /** @param ask bounded in time by the caller's client; what it throws counts as `temporary`. */
  constructor(
    private readonly ask: (address: string, source: Source) => Promise<Verdict>,
    private readonly clock: Clock,
    /** Told of each question asked, for metrics. */
    private readonly asked: (verdict: Verdict, source: Source) => void = () => undefined,
  ) {}

  /** Never rejects. Equal questions at the same time are asked once; those beyond 50 others are `temporary` at once. */
  verdict(address: string, source: Source = INNER): Promise<Verdict> {
    const name = canonical(address);
    if (name === undefined) return Promise.resolve('no');
    const kept = this.#kept.get(name);
    if (kept && this.clock.now() < kept.until && kept.name === source.name && kept.revision === source.revision) return Promise.resolve(kept.verdict);
    const question = `${source.name} ${source.revision} ${name}`;
    const asking = this.#asking.get(question);
    if (asking) return asking;
    if (this.#asking.size >= AT_ONCE) return Promise.resolve(this.#without(kept));
    const answer = this.#question(name, address, source, kept).finally(() => this.#asking.delete(question));
    this.#asking.set(question, answer);
    return answer;
  }

  async #question(name: string, address: string, source: Source, kept: Kept | undefined): Promise<Verdict> {
    let said: Verdict = 'temporary';
    try {
      said = await this.ask(address, source);
    } catch {
      // not asked after all
    }
    this.asked(said, source);
    const now = this.clock.now();
    const verdict = said === 'temporary' ? this.#without(kept) : said;
    this.#kept.set(name, { name: source.name, revision: source.revision, verdict, until: now + HOLDS[said], yesAt: said === 'yes' ? now : said === 'no' ? 0 : (kept?.yesAt ?? 0) });
    return verdict;
  }

  /** Without an answer of today. */
  #without(kept: Kept | undefined): Verdict {
    return kept !== undefined && kept.yesAt > 0 && this.clock.now() - kept.yesAt < OLD_YES ? 'yes' : 'temporary';
  }
}
