import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { type Dns, DnsTrouble } from '@kiroku/domain/routing/dns.js';
import type { Sts } from '@kiroku/domain/tls-policy/demands.js';
import { parseStsPolicy, stsIdOf, type StsPolicy } from '@kiroku/domain/tls-policy/sts.js';
import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import { gather } from '../read-model/gather.js';
import type { FetchPolicy } from './fetch-policy.js';

const SECOND = 1000;
const DAY = 24 * 60 * 60 * SECOND;
/** ms between looks at a domain's TXT record while its policy holds; the record itself is cached by the resolver. */
const LOOK_AGAIN = 60 * SECOND;
/** ms after which a domain without a policy, or whose policy could not be fetched, is asked again (RFC 8461 §3.3). */
const ASK_AGAIN = 5 * 60 * SECOND;
/** ms after which a policy is fetched anew although its id is the same, so that it does not run out (RFC 8461 §10.2). */
const REFRESH = DAY;
/** Looks that nobody waits for, at a time; what does not fit is looked at upon the next question. */
const MOST_BEHIND = 20;
const MEMORY = 16 * 1024 * 1024;
const LONGEST_NAME = 253 - '_mta-sts.'.length;

interface Kept {
  readonly id: string;
  readonly policy: StsPolicy;
  /** Epoch ms. */
  readonly fetchedAt: number;
  readonly expiresAt: number;
}
interface Known {
  readonly kept?: Kept;
  readonly failure?: NonNullable<Sts['failure']>;
  readonly unknown?: true;
  readonly checkedAt: number;
}
interface Row { readonly domain: string; readonly id: string; readonly policy: string; readonly expires_at: number; readonly fetched_at: number }

export interface StsParts {
  readonly dns: Pick<Dns, 'txt'>;
  readonly fetch: FetchPolicy;
  readonly pool: pg.Pool;
  readonly clock: Clock;
  /** Told when a policy cannot be had, read or kept; mail goes on. */
  readonly trouble: (error: Error) => void;
}

/**
 * The MTA-STS policies of the world, as far as they were asked for: in memory, and in `ops.tls_policy` for the next process. A policy
 * that holds is answered at once and looked after behind the question; while it holds, nothing that an attacker can do to DNS or HTTPS
 * takes it away (RFC 8461 §5.1). Questions about the same domain share one look.
 */
export class StsPolicies {
  readonly #known = new LRUCache<string, Known>({ maxSize: MEMORY, sizeCalculation: sizeOf });
  readonly #looks = new Map<string, Promise<Known>>();
  readonly #read = gather<string, Row | undefined>((domains) => this.#select(domains));
  #behind = 0;

  constructor(private readonly parts: StsParts) {}

  /**
   * @param domain lower-case A-labels.
   * @param current wait for a look at the DNS when the last one is a minute old: before mail is refused because of what is remembered.
   * Never rejects.
   */
  async of(domain: string, { current = false } = {}): Promise<Sts> {
    if (domain.length > LONGEST_NAME) return {};
    const known = this.#known.get(domain);
    const now = this.parts.clock.now();
    if (!known) return answer(await this.#look(domain), now);
    const held = holds(known.kept, now);
    const wait = known.failure === undefined && (held || known.unknown) ? LOOK_AGAIN : ASK_AGAIN;
    if (now - known.checkedAt < wait && (held || known.kept === undefined)) return answer(known, now);
    if (!held || current) return answer(await this.#look(domain), now);
    if (this.#behind < MOST_BEHIND) {
      this.#behind++;
      void this.#look(domain).finally(() => this.#behind--);
    }
    return answer(known, now);
  }

  /** Fetches all kept policies that are a day old, so that they do not run out while nobody writes to their domains; forgets those that have. For once a day. */
  async refreshAll(): Promise<void> {
    const { pool, clock } = this.parts;
    await pool.query('DELETE FROM ops.tls_policy WHERE expires_at < $1', [clock.now()]);
    for (let after = ''; ; ) {
      const { rows } = await pool.query<{ domain: string }>(
        'SELECT domain FROM ops.tls_policy WHERE domain > $1 AND fetched_at <= $2 ORDER BY domain LIMIT 8', [after, clock.now() - REFRESH]);
      if (rows.length === 0) return;
      await Promise.all(rows.map(({ domain }) => this.#look(domain)));
      after = rows.at(-1)?.domain ?? after;
    }
  }

  #look(domain: string): Promise<Known> {
    const running = this.#looks.get(domain);
    if (running) return running;
    const look = this.#check(domain)
      .then((known) => {
        this.#known.set(domain, known);
        return known;
      })
      .finally(() => this.#looks.delete(domain));
    this.#looks.set(domain, look);
    return look;
  }

  async #check(domain: string): Promise<Known> {
    const checkedAt = this.parts.clock.now();
    const said = await this.#id(domain);
    const { id } = said;
    let kept = this.#known.get(domain)?.kept;
    // Another process may have fetched it.
    if (kept === undefined || (id !== undefined && kept.id !== id) || !fresh(kept, checkedAt)) kept = (await this.#stored(domain)) ?? kept;
    if (!holds(kept, checkedAt)) kept = undefined;
    if (id === undefined || (kept?.id === id && fresh(kept, checkedAt))) return { ...(kept && { kept }), ...(said.unknown && { unknown: true }), checkedAt };
    const fetched = await this.#fetch(domain, id);
    if ('failure' in fetched) return { ...(kept && { kept }), failure: fetched.failure, checkedAt };
    return { kept: fetched, checkedAt };
  }

  async #id(domain: string): Promise<{ readonly id?: string | undefined; readonly unknown?: true }> {
    try {
      const found = await this.parts.dns.txt(`_mta-sts.${domain}`);
      return found.kind === 'found' ? { id: stsIdOf(found.records) } : {};
    } catch (error) {
      if (!(error instanceof DnsTrouble)) this.parts.trouble(error as Error);
      return { unknown: true };
    }
  }

  async #fetch(domain: string, id: string): Promise<Kept | { readonly failure: NonNullable<Sts['failure']> }> {
    const { fetch, clock, trouble } = this.parts;
    const fetched = await fetch(domain);
    if ('failure' in fetched) {
      trouble(new Error(`MTA-STS policy of ${domain}: ${fetched.detail}`));
      return { failure: fetched.failure };
    }
    const parsed = parseStsPolicy(fetched.text);
    if ('problem' in parsed) {
      trouble(new Error(`MTA-STS policy of ${domain}: ${parsed.problem}`));
      return { failure: 'sts-policy-invalid' };
    }
    const fetchedAt = clock.now();
    const { policy } = parsed;
    // One that does not outlast a look would be fetched for every message.
    const kept: Kept = { id, policy, fetchedAt, expiresAt: fetchedAt + Math.max(policy.maxAge * SECOND, LOOK_AGAIN) };
    await this.#store(domain, kept, fetched.text);
    return kept;
  }

  async #stored(domain: string): Promise<Kept | undefined> {
    const row = await this.#read(domain).catch((error: Error) => void this.parts.trouble(error));
    const parsed = row && parseStsPolicy(row.policy);
    return row && parsed && 'policy' in parsed ? { id: row.id, policy: parsed.policy, fetchedAt: row.fetched_at, expiresAt: row.expires_at } : undefined;
  }

  async #select(domains: readonly string[]): Promise<readonly (Row | undefined)[]> {
    const { rows } = await this.parts.pool.query<Row>({
      name: 'tls-policies', text: 'SELECT domain, id, policy, expires_at, fetched_at FROM ops.tls_policy WHERE domain = ANY($1)', values: [domains],
    });
    const byDomain = new Map(rows.map((row) => [row.domain, row]));
    return domains.map((domain) => byDomain.get(domain));
  }

  async #store(domain: string, { id, fetchedAt, expiresAt }: Kept, text: string): Promise<void> {
    await this.parts.pool
      .query({
        name: 'keep-tls-policy',
        text: `INSERT INTO ops.tls_policy (domain, id, policy, expires_at, fetched_at) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (domain) DO UPDATE SET id = $2, policy = $3, expires_at = $4, fetched_at = $5`,
        values: [domain, id, text, expiresAt, fetchedAt],
      })
      .catch((error: Error) => this.parts.trouble(error));
  }
}

const holds = (kept: Kept | undefined, now: number): kept is Kept => kept !== undefined && kept.expiresAt > now;
/** Needs no fetching: neither a day old nor, when it holds for less, half gone. */
const fresh = ({ fetchedAt, expiresAt }: Kept, now: number): boolean => now - fetchedAt < Math.min(REFRESH, (expiresAt - fetchedAt) / 2);

/** A policy that holds is the answer, however a later look went. */
function answer({ kept, failure, unknown }: Known, now: number): Sts {
  if (holds(kept, now)) return { policy: kept.policy };
  return failure ? { failure } : unknown ? { unknown } : {};
}

const sizeOf = ({ kept }: Known, domain: string): number => 200 + domain.length + (kept?.policy.mx.reduce((sum, mx) => sum + mx.length + 50, 0) ?? 0);
