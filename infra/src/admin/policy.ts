import type { Origin, RecordedOf } from '@kiroku/domain/kernel/event.js';
import { type Engine, execute } from '@kiroku/domain/kernel/execute.js';
import { Refusal } from '@kiroku/domain/kernel/decider.js';
import { lockoutAggregate, lockoutStream } from '@kiroku/domain/policy/lockout.js';
import { settings, type SettingsEvent, SETTINGS_STREAM } from '@kiroku/domain/policy/settings.js';
import { DEFAULTS, type Settings } from '@kiroku/domain/policy/settings-schema.js';
import { SETTING_WORDS, type SettingWords } from '@kiroku/domain/policy/settings-words.js';
import type pg from 'pg';
import { type Page, pageOf, type PageQuery } from './page.js';

export interface LockoutInfo {
  readonly protocol: string;
  readonly ip: string;
  /** Failed logins since `since` (epoch ms). */
  readonly failures: number;
  readonly since: number;
  /** Epoch ms; 0 = counted, not locked out. */
  readonly lockedUntil: number;
  readonly because: string | null;
}

/** One setting with all that is known of it. */
export interface SettingInfo extends SettingWords {
  readonly name: keyof Settings;
  readonly value: unknown;
  readonly default: unknown;
  /** Differs from the default. */
  readonly changed: boolean;
  /** Epoch ms: when an administrator last set it, to the default perhaps, and who. Absent = never touched. */
  readonly setAt?: number;
  readonly setBy?: string;
}

export interface AllSettings {
  readonly settings: Settings;
  readonly changed: readonly (keyof Settings)[];
  readonly details: readonly SettingInfo[];
}

/** Settings and lockouts as administrators see them. */
export class PolicyAdmin {
  constructor(
    private readonly pool: pg.Pool,
    private readonly engine: Engine,
  ) {}

  /** From the settings' own stream, which only administrators write: it says when and by whom. */
  async settings(): Promise<AllSettings> {
    const { events } = await this.engine.store.read(SETTINGS_STREAM);
    const last = new Map<string, { readonly setAt: number; readonly setBy: string }>();
    let all = settings.initial;
    for (const event of events as readonly unknown[] as readonly RecordedOf<SettingsEvent>[]) {
      all = settings.evolve(all, event);
      for (const name of Object.keys(event.data.changes)) last.set(name, { setAt: event.at, setBy: event.actor });
    }
    const names = Object.keys(DEFAULTS) as (keyof Settings)[];
    const details = names.map((name): SettingInfo => ({
      name, value: all[name], default: DEFAULTS[name], changed: JSON.stringify(all[name]) !== JSON.stringify(DEFAULTS[name]), ...last.get(name), ...SETTING_WORDS[name],
    }));
    return { settings: all, changed: details.filter(({ changed }) => changed).map(({ name }) => name), details };
  }

  /** @param changes null = back to the default. @throws Refusal `bad-settings` */
  async change(changes: { readonly [K in keyof Settings]?: Settings[K] | null | undefined }, origin: Origin): Promise<void> {
    const wanted = Object.fromEntries(
      Object.entries(changes)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, value ?? DEFAULTS[name as keyof Settings]]),
    ) as Partial<Settings>;
    await execute(this.engine, { decider: settings, upgrades: {} }, SETTINGS_STREAM, { type: 'ChangeSettings', changes: wanted }, origin);
  }

  /** Addresses locked out now; with `all` also those that are only counted. */
  async lockouts({ after, limit, all }: PageQuery & { readonly all: boolean }): Promise<Page<LockoutInfo>> {
    const { rows } = await this.pool.query<{ protocol: string; ip: string; failures: number; since: number; locked_until: number; because: string | null }>({
      name: 'lockouts',
      text: `SELECT protocol, ip, failures, since, locked_until, because FROM view.lockout_1
             WHERE ($1::text IS NULL OR ip || ' ' || protocol > $1) AND ($2 OR locked_until > $3)
             ORDER BY ip || ' ' || protocol LIMIT $4`,
      values: [after ?? null, all, this.engine.clock.now(), limit + 1],
    });
    return pageOf(rows, limit, ({ locked_until, ...row }) => ({ ...row, lockedUntil: locked_until }), (row) => `${row.ip} ${row.protocol}`);
  }

  /** Lets an address in again. @throws Refusal `not-locked-out` */
  async release(ip: string, protocol: string | undefined, origin: Origin): Promise<number> {
    const protocols = protocol === undefined ? ['smtp', 'pop3', 'imap'] : [protocol];
    let released = 0;
    for (const p of protocols)
      released += (await execute(this.engine, lockoutAggregate, lockoutStream(p, ip), { type: 'Release', protocol: p, ip }, origin)).length;
    if (released === 0) throw new Refusal('not-locked-out', ip);
    return released;
  }
}
