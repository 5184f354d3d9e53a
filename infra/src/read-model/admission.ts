import type { Admission, AdmissionPolicy } from '@kiroku/domain/policy/admission-port.js';
import { lockout, type LockoutCommand, type LockoutEvent, lockoutStream } from '@kiroku/domain/policy/lockout.js';
import { DEFAULTS, type Settings } from '@kiroku/domain/policy/settings-schema.js';
import { VersionConflict } from '@kiroku/domain/kernel/event-store.js';
import { type Engine, record } from '@kiroku/domain/kernel/execute.js';
import { ipMatcher } from '@kiroku/domain/mail/ip.js';
import { LRUCache } from 'lru-cache';
import { atMost } from '../cache/bound.js';
import type pg from 'pg';
import { gather } from './gather.js';

type Service = 'smtp' | 'pop3' | 'imap';
/** Addresses whose connections are counted at a time: a flood from more of them pushes the quietest out. */
const COUNTED = 20_000;
/** Other processes count the same addresses. */
const ATTEMPTS = 25;

interface Ask { readonly protocol: Service; readonly ip: string }
interface Counted { readonly command: LockoutCommand; readonly session: string }

/** Lists of addresses, parsed once per change of the settings. */
interface Parsed { readonly text: string; readonly settings: Settings; readonly allow: (ip: string) => boolean; readonly block: (ip: string) => boolean }

interface Answer { readonly parsed: Parsed; readonly lockedUntil: number; readonly digests: boolean }

/** Connection policy from the inline views `settings_1` and `lockout_1`: one query for all connections that arrive together. */
export class PostgresAdmission implements AdmissionPolicy {
  #parsed: Parsed = parse('{}');
  /** Connections per address since its window began; per process, see docs/decisions. */
  readonly #connections = new LRUCache<string, { since: number; count: number }>(atMost(COUNTED));
  readonly #count = gather<Counted, undefined>((all) => this.#decide(all));
  readonly #ask = gather<Ask, Answer>((asks) => this.#query(asks));

  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
  ) {}

  async admit(protocol: Service, ip: string): Promise<Admission> {
    const { parsed, lockedUntil, digests } = await this.#ask({ protocol, ip });
    const refused = parsed.allow(ip) ? undefined : parsed.block(ip) ? 'blocked' : lockedUntil > this.engine.clock.now() ? 'locked-out' : undefined;
    return { settings: parsed.settings, refused, digests };
  }

  /** The settings as last seen by this process; fresh after any `admit`. */
  get settings(): Settings {
    return this.#parsed.settings;
  }

  async #query(asks: readonly Ask[]): Promise<readonly Answer[]> {
    const { rows } = await this.pool.query<{ changes: string | null; digests: boolean | null; n: number | null; locked_until: number | null }>({
      name: 'admit',
      text: `SELECT (SELECT changes FROM view.settings_1) AS changes, EXISTS (SELECT FROM view.account_1 WHERE reversible) AS digests,
               NULL::bigint AS n, NULL::bigint AS locked_until
             UNION ALL
             SELECT NULL, NULL, a.n, l.locked_until FROM unnest($1::text[], $2::text[]) WITH ORDINALITY a(protocol, ip, n)
             JOIN view.lockout_1 l ON l.protocol = a.protocol AND l.ip = a.ip`,
      values: [asks.map((a) => a.protocol), asks.map((a) => a.ip)],
    });
    const server = rows.find((r) => r.n === null);
    const changes = server?.changes ?? '{}';
    if (changes !== this.#parsed.text) this.#parsed = parse(changes);
    const until = new Map<number, number>();
    for (const { n, locked_until } of rows) if (n !== null) until.set(n, Math.max(until.get(n) ?? 0, locked_until ?? 0));
    return asks.map((_, i) => ({ parsed: this.#parsed, lockedUntil: until.get(i + 1) ?? 0, digests: server?.digests === true }));
  }

  async failed(protocol: Service, ip: string, session: string): Promise<void> {
    const { settings, allow } = this.#parsed;
    if (settings.lockoutFailures === 0 || allow(ip)) return;
    await this.#count({
      command: {
        type: 'Fail', protocol, ip, now: this.engine.clock.now(), limit: settings.lockoutFailures, window: settings.lockoutWindow, lockTime: settings.lockoutTime,
      },
      session,
    });
  }

  async connected(protocol: Service, ip: string, session: string): Promise<void> {
    const { settings, allow } = this.#parsed;
    if (settings.connectionLimit === 0 || allow(ip)) return;
    const now = this.engine.clock.now();
    const seen = this.#connections.get(ip);
    const current = seen && now - seen.since < settings.connectionWindow ? seen : { since: now, count: 0 };
    current.count++;
    this.#connections.set(ip, current);
    if (current.count < settings.connectionLimit) return;
    this.#connections.delete(ip);
    await this.#count({ command: { type: 'Lock', protocol, ip, now, lockTime: settings.connectionLockTime, because: 'connections' }, session });
  }

  /** All that waits in one append. Decides from each stream's last event: an attacker makes streams long. */
  async #decide(all: readonly Counted[]): Promise<readonly undefined[]> {
    const streams = [...new Set(all.map(({ command }) => lockoutStream(command.protocol, command.ip)))];
    for (let attempt = 1; ; attempt++) {
      const last = await this.engine.store.readLast(streams);
      const appends = streams.flatMap((stream) => {
        const { version = 0, event } = last.get(stream) ?? {};
        const mine = all.filter(({ command }) => lockoutStream(command.protocol, command.ip) === stream);
        const events = this.#decisions(mine, event as unknown as LockoutEvent | undefined);
        return events.length > 0 ? [{ stream, expected: version, events }] : [];
      });
      if (appends.length === 0) return all.map(() => undefined);
      try {
        await this.engine.store.append(appends);
        return all.map(() => undefined);
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt >= ATTEMPTS) throw error;
      }
    }
  }

  #decisions(all: readonly Counted[], last: LockoutEvent | undefined) {
    let state = last ? lockout.evolve(lockout.initial, last) : lockout.initial;
    return all.flatMap(({ command, session }) => {
      const facts = lockout.decide(command, state);
      state = facts.reduce((before, fact) => lockout.evolve(before, fact), state);
      return record(facts, this.engine, { actor: `session:${session}`, correlation: session }, {});
    });
  }
}

function parse(text: string): Parsed {
  const settings = { ...DEFAULTS, ...(JSON.parse(text) as Partial<Settings>) };
  return { text, settings, allow: ipMatcher(settings.allowIps), block: ipMatcher(settings.blockIps) };
}
